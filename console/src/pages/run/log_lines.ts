// The lines of a log that the page holds: the newest ones, read on from the last at each ring.

import { signal } from "@preact/signals";
import { address, ask } from "../../api/client";
import type { Event, LogLine, PageOf } from "../../api/model";
import { Problem } from "../../api/problem";
import { locked } from "../../api/session";
import type { Listener } from "../../live/doorbell";

/** So many lines are held. Older ones are read when the reader scrolls to them. */
const HELD_MAX = 20_000;
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
  readonly hasOlder = signal(false);
  readonly problem = signal<Problem | undefined>(undefined);
  readonly isLoading = signal(true);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private oldest = END;
  /** Up to this event, the log has been read: also where no line has matched. */
  private newest = 0;
  private isBusy = false;
  private isOld = false;
  private isStopped = false;

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
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  /** Where the whole log can be downloaded. */
  download(): string {
    return address(`runs/${this.run}/logs/export`, this.query()).href;
  }

  async start(): Promise<void> {
    await this.older();
    this.isLoading.value = false;
  }

  /** Reads the lines before the first one. A search may pass many pages that have none. */
  async older(): Promise<void> {
    const before = this.lines.value.length;
    for (let isMore = true; isMore && !this.isStopped; ) {
      isMore = false;
      await this.read({ before: this.oldest }, ({ items, has_next, cursor }, seq) => {
        if (this.oldest === END) this.newest = seq;
        this.lines.value = [...items, ...this.lines.value].slice(0, HELD_MAX);
        this.oldest = cursor ?? this.oldest;
        this.hasOlder.value = has_next && cursor !== undefined;
        isMore = this.hasOlder.value && this.lines.value.length - before < ROOM;
      });
    }
  }

  /** Reads the lines after the last one, soon. */
  follow(): void {
    if (this.timer !== undefined || this.isStopped) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.newer();
    }, BETWEEN_MS);
  }

  private async newer(): Promise<void> {
    if (this.isBusy) {
      this.isOld = true;
      return;
    }
    let isMore = false;
    await this.read({ after: String(this.newest) }, ({ items, has_next, cursor }, seq) => {
      if (items.length > 0) this.lines.value = [...this.lines.value, ...items].slice(-HELD_MAX);
      this.newest = has_next ? Number(cursor ?? items.at(-1)?.seq ?? this.newest) : Math.max(this.newest, seq);
      isMore = has_next;
    });
    if (isMore || this.isOld) this.follow();
    this.isOld = false;
  }

  private async read(part: Record<string, string>, take: (page: PageOf<LogLine>, seq: number) => void): Promise<void> {
    if (this.isBusy || locked.value) return;
    this.isBusy = true;
    try {
      const query = { ...this.query(), ...part, limit: PAGE };
      const { data, seq } = await ask<PageOf<LogLine>>(`runs/${this.run}/logs`, { query });
      this.problem.value = undefined;
      if (!this.isStopped) take(data, seq);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem.value = error;
    } finally {
      this.isBusy = false;
    }
  }

  private query() {
    const { node, level, text } = this.filter;
    return { node_id: node, level, q: text };
  }
}
