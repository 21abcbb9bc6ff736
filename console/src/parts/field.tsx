// A field of a form with its label, and what the API says is wrong with it.

interface Props {
  label: string;
  value: string;
  onChange(value: string): void;
  issue?: string;
  isRequired?: boolean;
  isSecret?: boolean;
  isLong?: boolean;
  placeholder?: string;
}

export function Field({ label, value, onChange, issue, isRequired = false, isSecret = false, isLong = false, placeholder }: Props) {
  const shared = { value, placeholder, required: isRequired, "aria-invalid": issue !== undefined };
  return (
    <div class="field">
      <label>{label}{isRequired && <span class="faint"> (required)</span>}
        {isLong
          ? <textarea {...shared} rows={4} spellcheck={false} onInput={(event) => onChange(event.currentTarget.value)} />
          : isSecret
            ? <input {...shared} type="password" autoComplete="new-password" onInput={(event) => onChange(event.currentTarget.value)} />
            : <input {...shared} autoComplete="off" onInput={(event) => onChange(event.currentTarget.value)} />}
      </label>
      {issue !== undefined && <p class="error-text">{issue}</p>}
    </div>
  );
}

/** What the API says of each field of a body. */
export function issuesOf(problem: { issues: { pointer?: string; detail: string }[] } | undefined): Map<string, string> {
  return new Map(problem?.issues.map(({ pointer = "", detail }) => [pointer.slice(1), detail]));
}
