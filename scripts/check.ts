/**
 * `pnpm check`: everything that can be said about the sources without running them.
 * Runs every step, also after one has failed, and ends with 1 if any did.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { packCommand, publishedPackages, ROOT } from "./_published.ts";

interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
}

/** Not built, so nothing that is built refers to them. */
const TEST_PROJECTS = [
  "e2e",
  "examples/wasm",
  "packages/activity-spec/tests",
  "packages/contracts/tests",
  "packages/object-store/tests",
  "packages/wasm/fuzz",
  "packages/wasm/tests",
  "packages/wcp/tests",
  "packages/wep-sdk/tests",
  "packages/wep/tests",
];
const PATH = `${join(ROOT, "node_modules", ".bin")}${delimiter}${process.env["PATH"] ?? ""}`;
const packed = mkdtempSync(join(tmpdir(), "check-"));
process.on("exit", () => rmSync(packed, { recursive: true, force: true }));

const sourceSteps: readonly Step[] = [
  { name: "format", command: ["oxfmt", "--check"] },
  { name: "types", command: ["tsc", "-b", "tsconfig.json", ...TEST_PROJECTS] },
  { name: "lint", command: ["oxlint", "--type-aware"] },
  { name: "dead code", command: ["knip"] },
  { name: "proto lint", command: ["buf", "lint"], cwd: "proto" },
  {
    name: "proto breaking",
    command: ["buf", "breaking", "--against", "../packages/protocol/wire-baseline"],
    cwd: "proto",
  },
  { name: "pack", command: packCommand(packed) },
];

/** What a package's users would get: its tarball, not its folder. */
function packageSteps(tarball: string): readonly Step[] {
  return [
    { name: `publint ${tarball}`, command: ["publint", "--strict", join(packed, tarball)] },
    { name: `attw ${tarball}`, command: ["attw", "--profile", "esm-only", join(packed, tarball)] },
  ];
}

function passes({ name, command, cwd = "." }: Step): boolean {
  const [program, ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: join(ROOT, cwd),
    env: { ...process.env, PATH },
    encoding: "utf8",
  });
  return report(name, status === 0, `${stdout}${stderr}${error === undefined ? "" : `${error.message}\n`}`);
}

function report(name: string, passed: boolean, said: string): boolean {
  process.stdout.write(`${passed ? "ok  " : "FAIL"} ${name}\n${passed ? "" : said}`);
  return passed;
}

const results = sourceSteps.map(passes);
const tarballs = readdirSync(packed);
const areAllPacked = tarballs.length === publishedPackages().length;
results.push(report("every package packed", areAllPacked, `only ${tarballs.join(", ")}\n`));
results.push(...tarballs.flatMap(packageSteps).map(passes));
const failed = results.filter((passed) => !passed).length;
process.stdout.write(`${results.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
