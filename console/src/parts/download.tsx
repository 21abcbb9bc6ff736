// A link to a file of the API. A browser sends no key with a link, so a page that has one fetches
// the file itself.

import { useState } from "preact/hooks";
import { address, askFile, type Query } from "../api/client";
import { Problem } from "../api/problem";
import { key } from "../api/session";
import { ProblemBox } from "./problem";

interface Props {
  path: string;
  query: Query;
  /** The name of the file. */
  name: string;
}

export function Download({ path, query, name }: Props) {
  const [problem, setProblem] = useState<Problem>();
  const fetchIt = async () => {
    setProblem(undefined);
    try {
      save(await askFile(path, query), name);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    }
  };
  const click = (event: MouseEvent) => {
    if (key() === "") return;
    event.preventDefault();
    void fetchIt();
  };
  return (
    <>
      <a class="button" href={address(path, query).href} download={name} data-plain onClick={click}>Download</a>
      {problem !== undefined && <ProblemBox problem={problem} />}
    </>
  );
}

/** The browser has begun to read a file by then. */
const READ_MS = 60_000;

function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), READ_MS);
}
