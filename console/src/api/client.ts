// Sends requests to the API. Every address is relative to the mount.

import { parse } from "./json";
import { Problem } from "./problem";
import { key, lock } from "./session";

export type Query = Record<string, string | number | boolean | readonly string[] | undefined>;

export type Method = "GET" | "POST" | "PUT" | "DELETE";

export interface Request {
  method?: Method;
  query?: Query;
  body?: unknown;
  /** A body that is JSON already, with every number as it was typed. */
  text?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface Answer<T> {
  data: T;
  /** The number of the newest event in the answer, or NaN if it shows no runs. */
  seq: number;
  /** The last part of the address of what the request has created. */
  created?: string;
  /** The entity tag of the object. */
  tag?: string;
  /** Whether the answer leaves something out. */
  isCut?: boolean;
}

/** Parameters of the address that every request of the page has. */
const CARRIED = ["tenant"];

export function address(path: string, query: Query = {}): URL {
  const url = new URL(`api/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
  }
  const shown = new URLSearchParams(location.search);
  for (const name of CARRIED) {
    const value = shown.get(name);
    if (value !== null) url.searchParams.set(name, value);
  }
  return url;
}

export function authorization(): Record<string, string> {
  return key() === "" ? {} : { authorization: `Bearer ${key()}` };
}

/** Returns the answer, or throws a `Problem`. */
export async function ask<T>(path: string, request: Request = {}): Promise<Answer<T>> {
  const response = await send(path, request);
  const text = await response.text().catch(() => {
    throw Problem.unreachable();
  });
  const data = text === "" ? undefined : read(text, response.status);
  if (!response.ok) throw Problem.of(response.status, data);
  const { headers } = response;
  return {
    data: data as T,
    seq: Number(headers.get("floret-seq") ?? Number.NaN),
    created: headers.get("location")?.split("/").at(-1),
    tag: headers.get("etag") ?? undefined,
    isCut: headers.has("floret-truncated"),
  };
}

/** Returns a file, or throws a `Problem`. */
export async function askFile(path: string, query: Query): Promise<Blob> {
  const response = await send(path, { query, headers: { accept: "*/*" } });
  const file = await response.blob().catch(() => {
    throw Problem.unreachable();
  });
  if (!response.ok) throw Problem.of(response.status, read(await file.text(), response.status));
  return file;
}

async function send(path: string, request: Request): Promise<Response> {
  const { method = "GET", query, body, signal } = request;
  const text = request.text ?? (body === undefined ? undefined : JSON.stringify(body));
  const headers: Record<string, string> = { accept: "application/json", ...authorization(), ...request.headers };
  if (text !== undefined) headers["content-type"] = "application/json";
  const options: RequestInit = { method, headers, redirect: "manual", signal: signal ?? null };
  if (text !== undefined) options.body = text;
  const response = await fetch(address(path, query), options).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw Problem.unreachable();
  });
  if (isUnknown(response)) {
    lock();
    throw Problem.unauthenticated();
  }
  return response;
}

/** Whether nobody knows the caller. A login in front of the API answers with a redirect to its page. */
export function isUnknown(response: Response): boolean {
  return response.status === 401 || response.type === "opaqueredirect";
}

function read(text: string, status: number): unknown {
  try {
    return parse(text);
  } catch {
    throw new Problem(status, "The answer is not from Floret", "Something in between has answered.");
  }
}
