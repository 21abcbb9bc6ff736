// A snapshot of the API that stays current: read again when the doorbell rings, at most once a
// second, and as often as the gate of the tab lets it.

import { effect, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Answer } from "../api/client";
import type { Event } from "../api/model";
import { Problem } from "../api/problem";
import { locked } from "../api/session";
import { pause } from "./backoff";
import { begin, listen, type Listener } from "./doorbell";
import { enter } from "./gate";

const BETWEEN_MS = 1000;

export interface Source<T> {
  read(signal: AbortSignal): Promise<Answer<T>>;
  /** Whether an event makes the snapshot old. Without it, none does. */
  concerns?(event: Event): boolean;
  /** Applies an event that is newer than the snapshot, so that the view need not wait. */
  apply?(data: T, event: Event): T;
  /** The least time between two reads, if it is not a second. */
  betweenMs?: number;
}

export class Resource<T> implements Listener {
  readonly data = signal<T | undefined>(undefined);
  readonly problem = signal<Problem | undefined>(undefined);
  private seq = -1;
  /** The newest event that is applied to the data. */
  private applied = -1;
  private readAt = -Infinity;
  private tries = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private control: AbortController | undefined;
  private isOld = false;
  private leave: (() => void) | undefined;
  private release: (() => void)[] = [];

  constructor(private readonly source: Source<T>) {}

  start(): void {
    const unlisten = listen(this);
    const unwatch = effect(() => {
      if (!locked.value) this.refresh();
    });
    this.release = [unlisten, unwatch];
  }

  stop(): void {
    for (const release of this.release) release();
    this.unschedule();
    this.control?.abort();
    this.control = undefined;
  }

  ring(events: Event[]): void {
    const { concerns, apply } = this.source;
    const own = concerns === undefined ? [] : events.filter((event) => event.seq > this.seq && concerns(event));
    if (own.length === 0) return;
    let data = this.data.peek();
    if (apply !== undefined && data !== undefined) {
      for (const event of own) data = apply(data, event);
      this.data.value = data;
      this.applied = own.at(-1)?.seq ?? this.applied;
    }
    this.follow();
  }

  reset(): void {
    this.seq = -1;
    this.applied = -1;
    this.follow();
  }

  /** Reads again, because the caller wants it: at once, or some time after the last read. */
  refresh(): void {
    this.schedule(() => void this.read());
  }

  /** Reads again, because something has happened: when the tab may. */
  private follow(): void {
    // Its place in the gate is not lost to what happens meanwhile.
    if (this.leave !== undefined) return;
    this.schedule(() => {
      this.leave = enter(() => void this.read());
    });
  }

  private schedule(read: () => void): void {
    if (locked.peek()) return;
    if (this.control !== undefined) {
      this.isOld = true;
      return;
    }
    this.unschedule();
    const wait = this.readAt + (this.source.betweenMs ?? BETWEEN_MS) - performance.now();
    if (wait <= 0) read();
    else this.timer = setTimeout(() => this.schedule(read), wait);
  }

  private unschedule(): void {
    clearTimeout(this.timer);
    this.leave?.();
    this.leave = undefined;
  }

  private async read(): Promise<void> {
    this.unschedule();
    const control = new AbortController();
    this.control = control;
    this.isOld = false;
    this.readAt = performance.now();
    try {
      const answer = await this.source.read(control.signal);
      if (!control.signal.aborted) this.take(answer);
    } catch (error) {
      if (control.signal.aborted) return;
      this.fail(error);
    } finally {
      if (this.control === control) this.control = undefined;
      if (this.isOld && !control.signal.aborted) this.follow();
    }
  }

  private take({ data, seq }: Answer<T>): void {
    this.tries = 0;
    this.problem.value = undefined;
    if (begin(seq)) this.isOld = true;
    // A slow answer must not undo what a newer event has shown.
    if (seq < this.applied) {
      this.isOld = true;
      return;
    }
    if (!Number.isNaN(seq)) this.seq = Math.max(this.seq, seq);
    this.data.value = data;
  }

  private fail(error: unknown): void {
    if (!(error instanceof Problem)) throw error;
    this.problem.value = error;
    if (error.isTransient) {
      this.timer = setTimeout(() => this.refresh(), pause(this.tries));
      this.tries += 1;
    }
  }
}

/** A resource for as long as its component is shown. Another name makes another resource. */
export function useResource<T>(name: string, source: () => Source<T>): Resource<T> {
  const resource = useMemo(() => new Resource(source()), [name]);
  useEffect(() => {
    resource.start();
    return () => resource.stop();
  }, [resource]);
  return resource;
}
