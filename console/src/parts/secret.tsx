// A secret that can be set and removed, and is never shown.

import { MASK } from "../api/settings";
import { Field } from "./field";

/** What the form knows of it: kept as it is stored, removed, or a new text. */
export type SecretState = { kind: "kept" } | { kind: "removed" } | { kind: "new"; text: string };

/** What a save sends: nothing removes a secret. */
export function secretOf(state: SecretState, isStored: boolean): string | undefined {
  if (state.kind === "new" && state.text !== "") return state.text;
  return state.kind !== "removed" && isStored ? MASK : undefined;
}

interface Props {
  label: string;
  isStored: boolean;
  state: SecretState;
  isLong?: boolean;
  issue?: string;
  onChange(state: SecretState): void;
}

export function SecretField({ label, isStored, state, isLong, issue, onChange }: Props) {
  return (
    <>
      <Field
        label={label}
        isSecret
        isLong={isLong}
        issue={issue}
        value={state.kind === "new" ? state.text : ""}
        placeholder={state.kind === "removed" ? "will be removed" : isStored ? "stored, and kept unless you type another" : "none"}
        onChange={(text) => onChange(text === "" ? { kind: "kept" } : { kind: "new", text })}
      />
      {isStored && (
        <label class="check">
          <input type="checkbox" checked={state.kind === "removed"} onChange={(event) => onChange({ kind: event.currentTarget.checked ? "removed" : "kept" })} />
          Remove the stored {label.toLowerCase()}
        </label>
      )}
    </>
  );
}
