// How a backfill executes: its unit, its order, and when it stops.

import type { BackfillUnit } from "../../../api/backfills";
import type { ParamDef, Pipeline } from "../../../api/model";
import { ParamField } from "../../pipelines/param_field";
import type { Choices } from "./body";

interface Props {
  pipeline: Pipeline;
  definitions: readonly ParamDef[];
  choices: Choices;
  issues: ReadonlyMap<string, string>;
  onChange(change: Partial<Choices>): void;
}

const UNITS: [BackfillUnit, string][] = [
  ["day", "each day"], ["hour", "each hour"], ["week", "each Monday"], ["month", "each first of a month"], ["tick", "each fire time of the schedule"],
];

const whole = (text: string) => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined);

export function BackfillFields({ pipeline, definitions, choices, issues, onChange }: Props) {
  const hasSchedule = (pipeline.schedule ?? "") !== "";
  const setParam = (name: string, value: string | undefined) => {
    const { [name]: _, ...others } = choices.params;
    onChange({ params: value === undefined ? others : { ...others, [name]: value } });
  };
  return (
    <div class="choices">
      <label>A run for
        <select value={choices.unit} onChange={(event) => onChange({ unit: event.currentTarget.value as BackfillUnit })}>
          {UNITS.filter(([unit]) => unit !== "tick" || hasSchedule).map(([unit, words]) => <option key={unit} value={unit}>{words}</option>)}
        </select>
      </label>
      <label>Order
        <select value={choices.order} onChange={(event) => onChange({ order: event.currentTarget.value as "asc" | "desc" })}>
          <option value="asc">the oldest first</option>
          <option value="desc">the newest first</option>
        </select>
      </label>
      <label>At once
        <input type="number" min="1" required value={choices.parallel} onInput={(event) => onChange({ parallel: whole(event.currentTarget.value) ?? 1 })} />
      </label>
      <label>Stop after failures
        <input type="number" min="1" placeholder="never" value={choices.failures ?? ""} onInput={(event) => onChange({ failures: whole(event.currentTarget.value) })} />
      </label>
      <label class="check">
        <input type="checkbox" checked={choices.isSkipping} onChange={(event) => onChange({ isSkipping: event.currentTarget.checked })} />
        Skip what has succeeded
      </label>
      {definitions.map((definition) => (
        <ParamField
          key={definition.name}
          definition={definition}
          fallback={pipeline.params[definition.name] ?? (definition.default === undefined ? undefined : String(definition.default))}
          value={choices.params[definition.name]}
          issue={issues.get(`/params/${definition.name}`)}
          onChange={(value) => setParam(definition.name, value)}
        />
      ))}
    </div>
  );
}
