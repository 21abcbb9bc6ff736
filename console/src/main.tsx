// The page: watches where it is and who asks, and shows the view of the address.

import { render } from "preact";
import { watchCaller } from "./api/caller";
import { watchClock } from "./live/clock";
import { watchDoorbell } from "./live/doorbell";
import { watchLocation } from "./router/location";
import { Shell } from "./shell/shell";

watchLocation();
watchCaller();
watchClock();
watchDoorbell();

const root = document.getElementById("app");
if (root !== null) render(<Shell />, root);
