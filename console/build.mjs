// Builds the page into `dist`: scripts, styles, icon, each also compressed, and the table of them
// that the crate compiles. The same sources give the same bytes on every machine: fflate compresses
// in JavaScript, since the zlib of Node depends on the processor.
//
// The views that few people open are a script and a style of their own, which the page loads when
// it needs them.
//
// `node build.mjs [FOLDER]` writes into another folder than `dist`.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { gzipSync } from "fflate";

const home = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(home, "dist");
const KINDS = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

const common = {
  absWorkingDir: home,
  bundle: true,
  minify: true,
  write: false,
  format: "esm",
  target: ["es2022", "chrome123", "firefox128", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
};

async function bundled(entry) {
  const result = await build({ ...common, entryPoints: [entry] });
  return Buffer.from(result.outputFiles[0].contents);
}

function named(stem, extension, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 10);
  return { name: `${stem}-${hash}.${extension}`, content };
}

/** Returns the scripts of the page, and the names of those that it loads before it shows anything. */
async function scripts(define) {
  const names = { entryNames: "[name]-[hash]", chunkNames: "[name]-[hash]" };
  const options = { entryPoints: { app: "src/main.tsx" }, splitting: true, outdir: "dist", metafile: true, define };
  const { outputFiles, metafile } = await build({ ...common, ...names, ...options });
  const files = outputFiles.map(({ path, contents }) => ({ name: basename(path), content: Buffer.from(contents) }));
  const entry = Object.keys(metafile.outputs).find((path) => metafile.outputs[path].entryPoint === "src/main.tsx");
  const first = new Set([entry]);
  for (const path of first) {
    for (const { path: next, kind } of metafile.outputs[path].imports) if (kind === "import-statement") first.add(next);
  }
  return { files, first: [...first].map((path) => basename(path)) };
}

const layout = named("layout", "js", await bundled("src/graph/worker.ts"));
const style = named("app", "css", await bundled("src/style/index.css"));
const moreStyle = named("more", "css", await bundled("src/style/more.css"));
const icon = named("icon", "svg", readFileSync(join(home, "src/icon.svg")));
const { files: made, first } = await scripts({
  LAYOUT_WORKER: JSON.stringify(`assets/${layout.name}`),
  MORE_STYLE: JSON.stringify(`assets/${moreStyle.name}`),
});

const [app, ...parts] = first;
const preloads = parts.map((name) => `<link rel="modulepreload" href="assets/${name}">\n`).join("");
const page = readFileSync(join(home, "src/index.html"), "utf8")
  .replace("{preloads}\n", preloads)
  .replace("{script}", `assets/${app}`)
  .replace("{style}", `assets/${style.name}`)
  .replace("{icon}", `assets/${icon.name}`);

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
writeFileSync(join(target, "index.html"), page);
const files = [...made, icon, layout, style, moreStyle].sort((a, b) => (a.name < b.name ? -1 : 1));
let [firstBytes, allBytes] = [0, 0];
const rows = files.map(({ name, content }) => {
  const gzip = gzipSync(content, { level: 9, mtime: 0 });
  writeFileSync(join(target, name), content);
  writeFileSync(join(target, `${name}.gz`), gzip);
  console.log(`${name}: ${content.length} bytes, ${gzip.length} compressed`);
  allBytes += gzip.length;
  if (page.includes(name)) firstBytes += gzip.length;
  return `    Asset {
        name: "${name}",
        content_type: "${KINDS[name.split(".").at(-1)]}",
        plain: include_bytes!("${name}"),
        gzip: include_bytes!("${name}.gz"),
    },
`;
});
console.log(`${firstBytes} bytes at first, ${allBytes} in all, compressed`);
const table = `// Written by \`console/build.mjs\`.
static ASSETS: &[Asset] = &[
${rows.join("")}];
`;
writeFileSync(join(target, "assets.rs"), table);
