/** What `npm pack` makes, as a user installs it: its files, both module systems, types for all. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const tsc = join(root, "node_modules/typescript/bin/tsc");

function run(folder: string, command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** A folder of a user who has installed the package. */
function install(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ifp-sdk-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [packed] = JSON.parse(
    run(root, "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", folder),
  ) as [{ filename: string }];
  const home = join(folder, "node_modules/@inferpipe/sdk");
  mkdirSync(home, { recursive: true });
  run(
    folder,
    "tar",
    "-xzf",
    packed.filename.replace("@", "").replace("/", "-"),
    "--strip-components=1",
    "-C",
    home,
  );
  mkdirSync(join(folder, "node_modules/@types"));
  symlinkSync(join(root, "node_modules/@types/node"), join(folder, "node_modules/@types/node"));
  symlinkSync(join(root, "node_modules/undici-types"), join(folder, "node_modules/undici-types"));
  return folder;
}

test("the package holds dist, README, LICENSE, package.json and nothing else", () => {
  const [packed] = JSON.parse(
    run(root, "npm", "pack", "--dry-run", "--json", "--ignore-scripts"),
  ) as [{ files: Array<{ path: string; size: number }> }];
  const paths = packed.files.map(({ path }) => path);
  const others = paths.filter((path) => !path.startsWith("dist/"));
  assert.deepEqual(others.sort(), ["LICENSE", "README.md", "package.json"]);
  const modules = [
    "caller",
    "client",
    "error",
    "index",
    "retry",
    "sse",
    "stream",
    "testing",
    "trace",
    "transport",
    "types",
    "version",
    "webhooks",
  ];
  const expected = ["esm", "cjs"].flatMap((kind) =>
    modules.flatMap((name) => [`dist/${kind}/${name}.js`, `dist/${kind}/${name}.d.ts`]),
  );
  assert.deepEqual(
    paths.filter((path) => path.startsWith("dist/")).sort(),
    [...expected, "dist/cjs/package.json"].sort(),
  );
  assert.ok(packed.files.every(({ size }) => size < 64 * 1024));
});

test("it needs no other package at run time", () => {
  const about = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
    string,
    unknown
  >;
  for (const kind of ["dependencies", "peerDependencies", "optionalDependencies"])
    assert.equal(about[kind], undefined, kind);
  assert.equal(
    readFileSync(join(root, "LICENSE"), "utf8"),
    readFileSync(join(root, "../../LICENSE"), "utf8"),
    "the licence is the project's",
  );
});

test("import and require give the same names", (t) => {
  const folder = install(t);
  const esm =
    'const a = await import("@inferpipe/sdk"), b = await import("@inferpipe/sdk/testing");';
  const cjs = 'const a = require("@inferpipe/sdk"), b = require("@inferpipe/sdk/testing");';
  const names =
    "const all = [...Object.keys(a), ...Object.keys(b)].sort();" +
    "console.log(all.filter((name) => /^[A-Z]/.test(name)).join());";
  writeFileSync(join(folder, "user.mjs"), esm + names);
  writeFileSync(join(folder, "user.cjs"), cjs + names);
  const expected = "InferPipe,InferPipeError,MockInferPipe,MockWorkflow,VERSION\n";
  assert.equal(run(folder, process.execPath, "user.mjs"), expected);
  assert.equal(run(folder, process.execPath, "user.cjs"), expected);
});

test("an error of the one is an error to the other", (t) => {
  const folder = install(t);
  writeFileSync(
    join(folder, "both.mjs"),
    `import { createRequire } from "node:module";
    import { InferPipeError } from "@inferpipe/sdk";
    const { InferPipeError: Other } = createRequire(import.meta.url)("@inferpipe/sdk");
    console.log(InferPipeError === Other, new Other("A", "b") instanceof InferPipeError);`,
  );
  assert.equal(run(folder, process.execPath, "both.mjs"), "false true\n");
});

test("types are found by every way that TypeScript resolves modules", (t) => {
  const folder = install(t);
  const code = `import { InferPipe, InferPipeError } from "@inferpipe/sdk";
    import { MockInferPipe } from "@inferpipe/sdk/testing";
    const client: InferPipe = new MockInferPipe();
    export const data: Promise<{ n: number }> = client
      .execute<{ a: string }, { n: number }>({ workflowId: "w", input: { a: "b" } })
      .then((result) => result.data);
    export const code = (error: unknown): string => (error as InferPipeError).code;
    // @ts-expect-error an input of another type
    client.execute<{ a: string }>({ workflowId: "w", input: { a: 1 } });\n`;
  writeFileSync(join(folder, "user.mts"), code);
  writeFileSync(join(folder, "user.cts"), code);
  writeFileSync(join(folder, "user.ts"), code);
  const strict = [
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--exactOptionalPropertyTypes",
    "--target",
    "ES2022",
    "--types",
    "node",
  ];
  for (const [files, module, resolution] of [
    [["user.mts", "user.cts"], "Node16", "Node16"],
    [["user.ts"], "ESNext", "Bundler"],
    [["user.ts"], "CommonJS", "Node10"],
  ] as const) {
    const how = ["--module", module, "--moduleResolution", resolution];
    run(folder, process.execPath, tsc, ...strict, ...how, ...files);
  }
});
