// Sends a command once: a second click waits for the answer of the first.

import { useRef, useState } from "preact/hooks";
import { ask, type Answer, type Method, type Query } from "../api/client";
import { Problem } from "../api/problem";

export interface Command {
  isSending: boolean;
  problem: Problem | undefined;
  /** Returns the answer, or nothing after a problem. */
  send<T>(path: string, body?: unknown, query?: Query): Promise<T | undefined>;
  /** The same, for commands whose answer may be empty. */
  request<T>(method: Method, path: string, body?: unknown, more?: More): Promise<Answer<T> | undefined>;
}

interface More {
  query?: Query;
  headers?: Record<string, string>;
  /** A body that is JSON already. */
  text?: string;
}

/** The key of a command: a repeat after a lost answer does nothing twice. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `console-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export function useCommand(): Command {
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const busy = useRef(false);
  const key = useRef({ asked: "", text: "" });
  const request = async <T,>(method: Method, path: string, body?: unknown, { query, headers, text }: More = {}) => {
    if (busy.current) return undefined;
    busy.current = true;
    setSending(true);
    setProblem(undefined);
    const asked = JSON.stringify([method, path, body, query]);
    if (key.current.asked !== asked) key.current = { asked, text: newKey() };
    try {
      const own: Record<string, string> = method === "POST" ? { "idempotency-key": key.current.text } : {};
      const answer = await ask<T>(path, { method, body, text, query, headers: { ...own, ...headers } });
      key.current = { asked: "", text: "" };
      return answer;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      return undefined;
    } finally {
      busy.current = false;
      setSending(false);
    }
  };
  const send = async <T,>(path: string, body?: unknown, query?: Query) =>
    (await request<T>("POST", path, body, { query }))?.data;
  return { isSending, problem, send, request };
}
