// An error of the API (RFC 9457), or of the way to it.

export interface Issue {
  pointer?: string;
  parameter?: string;
  detail: string;
}

interface Body {
  title?: string;
  detail?: string;
  instance?: string;
  errors?: Issue[];
}

/** A refused request. `status` is 0 if no answer came. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
    readonly issues: Issue[] = [],
    readonly instance = "",
  ) {
    super(detail);
  }

  static of(status: number, body: unknown): Problem {
    const { title, detail, instance, errors } = (body ?? {}) as Body;
    const words = title ?? `The server answered ${status}`;
    return new Problem(status, words, detail ?? "", errors ?? [], instance ?? "");
  }

  static unauthenticated(): Problem {
    return new Problem(401, "The server does not know you", "");
  }

  static unreachable(): Problem {
    const detail = "It may be restarting, or the network is down. The page tries again by itself.";
    return new Problem(0, "The server does not answer", detail);
  }

  /** Whether the same request may succeed later. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}
