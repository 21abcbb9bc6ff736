// Loads modules of the page into Node, to test what needs no browser.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const home = join(import.meta.dirname, "..");

export async function load(path) {
  // Within the package, so that what is imported is found.
  const folder = mkdtempSync(join(home, "node_modules/.test-"));
  const outfile = join(folder, "module.mjs");
  await build({
    absWorkingDir: home, entryPoints: [join("src", path)], outfile, bundle: true, format: "esm",
    jsx: "automatic", jsxImportSource: "preact", logLevel: "error",
  });
  const module = await import(pathToFileURL(outfile));
  rmSync(folder, { recursive: true });
  return module;
}
