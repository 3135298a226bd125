// npm test [FOLDER...]: builds the package and its tests, runs those of the folders (unit).
// Those of `live` need what scripts/test-sdk of the project sets up.
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const tsc = join(root, "node_modules/typescript/bin/tsc");
const folders = process.argv.length > 2 ? process.argv.slice(2) : ["unit"];

rmSync(join(root, "build"), { recursive: true, force: true });
execFileSync(process.execPath, [join(root, "scripts/build.mjs")], { stdio: "inherit" });
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.test.json")], { stdio: "inherit" });

const files = folders.flatMap((folder) =>
  readdirSync(join(root, "build", folder))
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(root, "build", folder, name)),
);
const { status } = spawnSync(process.execPath, ["--test", "--test-reporter=tap", ...files], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);
