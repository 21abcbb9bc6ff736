// Switches the zone of all times between that of the browser and UTC.

import { here, setQuery } from "../router/location";
import { zoneName } from "../text/time";

export function ZoneSwitch() {
  const isUtc = here.value.query.get("zone") === "UTC";
  return (
    <button
      type="button"
      class="plain zone"
      title="Switch between UTC and the zone of the browser"
      onClick={() => setQuery({ zone: isUtc ? undefined : "UTC" })}
    >
      {zoneName()}
    </button>
  );
}
