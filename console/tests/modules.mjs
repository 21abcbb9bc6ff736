// Loads modules of the page into Node, to test what needs no browser.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const home = join(import.meta.dirname, "..");

/** Returns what the modules export. Those of one call share their state. */
export async function load(...paths) {
  // Within the package, so that what is imported is found.
  const folder = mkdtempSync(join(home, "node_modules/.test-"));
  const outfile = join(folder, "module.mjs");
  const contents = paths.map((path) => `export * from "./src/${path}";\n`).join("");
  await build({
    absWorkingDir: home, stdin: { contents, resolveDir: home }, outfile, bundle: true, format: "esm",
    jsx: "automatic", jsxImportSource: "preact", logLevel: "error",
  });
  const module = await import(pathToFileURL(outfile));
  rmSync(folder, { recursive: true });
  return module;
}
