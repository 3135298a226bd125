// Builds dist/esm and dist/cjs from src: the same modules twice, each with its types.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const tsc = join(root, "node_modules/typescript/bin/tsc");

function compile(...options) {
  execFileSync(process.execPath, [tsc, "-p", root, ...options], { stdio: "inherit" });
}

rmSync(join(root, "dist"), { recursive: true, force: true });
compile("--outDir", join(root, "dist/esm"));
// The package says "module"; a package.json nearer to these files says what they are.
compile("--outDir", join(root, "dist/cjs"), "--module", "CommonJS", "--moduleResolution", "Node10");
writeFileSync(join(root, "dist/cjs/package.json"), '{ "type": "commonjs" }\n');
