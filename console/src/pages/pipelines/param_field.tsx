// The field of a parameter, by its definition. An empty field leaves the default.

import type { ParamDef } from "../../api/model";

interface Props {
  definition: ParamDef;
  fallback: string | undefined;
  value: string | undefined;
  issue: string | undefined;
  onChange(value: string | undefined): void;
}

function hint({ type, required, min, max, description, secret }: ParamDef): string {
  const range = min === undefined && max === undefined ? "" : `, ${min ?? "…"} to ${max ?? "…"}`;
  const kind = `${secret === true ? "secret " : ""}${type}`;
  return [`${kind}${range}${required === true ? ", required" : ""}`, description].filter(Boolean).join(". ");
}

export function ParamField({ definition, fallback, value, issue, onChange }: Props) {
  const { name, type, secret } = definition;
  const id = `param-${name}`;
  const change = (next: string) => onChange(next === "" ? undefined : next);
  const choices = type === "boolean" ? ["true", "false"] : type === "enum" ? (definition.values ?? []) : undefined;
  const isRequired = definition.required === true && fallback === undefined;
  const shared = { id, required: isRequired, "aria-describedby": `${id}-hint`, "aria-invalid": issue !== undefined };
  const typed = {
    autoComplete: "off",
    value: value ?? "",
    placeholder: fallback,
    onInput: (event: { currentTarget: HTMLInputElement }) => change(event.currentTarget.value),
  };
  return (
    <div class="field">
      <label for={id}>{name}{isRequired && <span class="faint"> (required)</span>}</label>
      {choices !== undefined ? (
        <select {...shared} value={value ?? ""} onChange={(event) => change(event.currentTarget.value)}>
          <option value="">{fallback === undefined ? "choose" : `${fallback} (default)`}</option>
          {choices.map((choice) => <option key={choice} value={choice}>{choice}</option>)}
        </select>
      ) : (
        secret === true
          ? <input {...shared} {...typed} type="password" />
          : type === "date" ? <input {...shared} {...typed} type="date" /> : <input {...shared} {...typed} type="text" />
      )}
      <p id={`${id}-hint`} class={issue === undefined ? "faint" : "error-text"}>{issue ?? hint(definition)}</p>
    </div>
  );
}
