// The lines of a log that the page holds: the newest ones, read on from the last at each ring.

import { signal } from "@preact/signals";
import { ask, type Query } from "../../api/client";
import type { Event, LogLine, PageOf } from "../../api/model";
import { Problem } from "../../api/problem";
import { locked } from "../../api/session";
import { pause } from "../../live/backoff";
import type { Listener } from "../../live/doorbell";
import { enter } from "../../live/gate";
import { pathOf } from "../../router/path";

/** So many lines are held: the newest. Older ones are read when the reader scrolls to them. */
export const HELD_MAX = 20_000;
const PAGE = 1000;
const END = "9007199254740991";
/** So many lines fill every screen. */
const ROOM = 100;
const BETWEEN_MS = 250;

export interface LogFilter {
  node?: string;
  level?: string;
  text?: string;
}

export class LogLines implements Listener {
  readonly lines = signal<LogLine[]>([]);
  /** Whether the log has lines before the first one here. */
  readonly hasOlder = signal(false);
  readonly problem = signal<Problem | undefined>(undefined);
  readonly isLoading = signal(true);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private leave: (() => void) | undefined;
  private retrying: ReturnType<typeof setTimeout> | undefined;
  /** Whether the end of the log was read. */
  private isBegun = false;
  private oldest = END;
  /** Up to this event, the log has been read: also where no line has matched. */
  private newest = 0;
  private isBusy = false;
  private isOld = false;
  private tries = 0;
  private readonly control = new AbortController();

  constructor(
    private readonly run: string,
    private readonly filter: LogFilter,
  ) {}

  ring(events: Event[]): void {
    if (events.some((event) => event.run_id === this.run)) this.follow();
  }

  reset(): void {
    this.follow();
  }

  stop(): void {
    this.control.abort();
    clearTimeout(this.timer);
    this.leave?.();
    clearTimeout(this.retrying);
  }

  async start(): Promise<void> {
    await this.older();
    this.isLoading.value = false;
  }

  /** Whether as many lines are held as may be: no older one is read. */
  get isFull(): boolean {
    return this.lines.value.length >= HELD_MAX;
  }

  /** Reads the lines before the first one. A search may pass many pages that have none. */
  async older(): Promise<void> {
    const before = this.lines.value.length;
    for (let isMore = !this.isFull; isMore && !this.control.signal.aborted; ) {
      isMore = false;
      await this.read({ before: this.oldest, limit: PAGE }, ({ items, has_next, cursor }, seq) => {
        if (!this.isBegun) this.newest = readTo(seq, items);
        this.isBegun = true;
        this.lines.value = [...items, ...this.lines.value];
        this.oldest = cursor ?? this.oldest;
        this.hasOlder.value = has_next && cursor !== undefined;
        isMore = this.hasOlder.value && this.lines.value.length - before < ROOM;
      });
    }
  }

  /** Reads the lines after the last one, soon. */
  follow(): void {
    if (this.timer !== undefined || this.control.signal.aborted) return;
    clearTimeout(this.retrying);
    this.timer = setTimeout(() => {
      this.leave = enter(() => {
        this.timer = undefined;
        if (this.isBusy) this.isOld = true;
        else void (this.isBegun ? this.newer() : this.older());
      });
    }, BETWEEN_MS);
  }

  private async newer(): Promise<void> {
    let isMore = false;
    await this.read({ after: this.newest }, ({ items, has_next, cursor }, seq) => {
      const all = [...this.lines.value, ...items];
      if (items.length > 0) this.lines.value = all.slice(-HELD_MAX);
      if (all.length > HELD_MAX) this.hasOlder.value = true;
      this.newest = has_next ? Number(cursor ?? items.at(-1)?.seq ?? this.newest) : Math.max(this.newest, readTo(seq, items));
      isMore = has_next;
    });
    if (isMore) this.follow();
  }

  private async read(part: Query, take: (page: PageOf<LogLine>, seq: number) => void): Promise<void> {
    if (this.isBusy || locked.value) return;
    this.isBusy = true;
    try {
      const query = { ...this.query(), ...part };
      const { signal } = this.control;
      const { data, seq } = await ask<PageOf<LogLine>>(pathOf("runs", this.run, "logs"), { query, signal });
      if (signal.aborted) return;
      this.problem.value = undefined;
      this.tries = 0;
      take(data, seq);
    } catch (error) {
      if (!this.control.signal.aborted) this.fail(error);
    } finally {
      this.isBusy = false;
      // Lines have come while older ones were read, too.
      if (this.isOld) this.follow();
      this.isOld = false;
    }
  }

  private fail(error: unknown): void {
    if (!(error instanceof Problem)) throw error;
    this.problem.value = error;
    if (!error.isTransient) return;
    this.retrying = setTimeout(() => this.follow(), pause(this.tries));
    this.tries += 1;
  }

  /** The filter as parameters of the API. */
  query(): Query {
    const { node, level, text } = this.filter;
    return { node_id: node, level, q: text };
  }
}

/** Lines may come between the number of an answer and its lines: the last one counts, too. */
function readTo(seq: number, items: readonly LogLine[]): number {
  return Math.max(seq, items.at(-1)?.seq ?? 0);
}
