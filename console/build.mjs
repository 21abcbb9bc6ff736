// Builds the page into `dist`: scripts, style, icon, each also compressed, and the table of them
// that the crate compiles. The same sources give the same bytes on every machine: fflate compresses
// in JavaScript, since the zlib of Node depends on the processor.
//
// `node build.mjs [FOLDER]` writes into another folder than `dist`.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
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

async function bundled(entry, define = {}) {
  const result = await build({ ...common, entryPoints: [entry], define });
  return Buffer.from(result.outputFiles[0].contents);
}

function named(stem, extension, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 10);
  return { name: `${stem}-${hash}.${extension}`, kind: KINDS[extension], content };
}

const layout = named("layout", "js", await bundled("src/graph/worker.ts"));
const define = { LAYOUT_WORKER: JSON.stringify(`assets/${layout.name}`) };
const app = named("app", "js", await bundled("src/main.tsx", define));
const style = named("app", "css", await bundled("src/style/index.css"));
const icon = named("icon", "svg", readFileSync(join(home, "src/icon.svg")));

const page = readFileSync(join(home, "src/index.html"), "utf8")
  .replace("{script}", `assets/${app.name}`)
  .replace("{style}", `assets/${style.name}`)
  .replace("{icon}", `assets/${icon.name}`);

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
writeFileSync(join(target, "index.html"), page);
const files = [app, icon, layout, style].sort((a, b) => (a.name < b.name ? -1 : 1));
const rows = files.map(({ name, kind, content }) => {
  const gzip = gzipSync(content, { level: 9, mtime: 0 });
  writeFileSync(join(target, name), content);
  writeFileSync(join(target, `${name}.gz`), gzip);
  console.log(`${name}: ${content.length} bytes, ${gzip.length} compressed`);
  return `    Asset {
        name: "${name}",
        content_type: "${kind}",
        plain: include_bytes!("${name}"),
        gzip: include_bytes!("${name}.gz"),
    },
`;
});
const table = `// Written by \`console/build.mjs\`.
static ASSETS: &[Asset] = &[
${rows.join("")}];
`;
writeFileSync(join(target, "assets.rs"), table);
