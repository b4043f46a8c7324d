/**
 * `pnpm check`: everything that can be said about the sources without running them.
 * Runs every step, also after one has failed, and ends with 1 if any did.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
}

const published = readdirSync("packages").filter(
  (name) =>
    (JSON.parse(readFileSync(`packages/${name}/package.json`, "utf8")) as { private?: boolean }).private !==
    true,
);

const steps: readonly Step[] = [
  { name: "format", command: ["oxfmt", "--check"] },
  { name: "types", command: ["tsc", "-b", "tsconfig.json"] },
  { name: "lint", command: ["oxlint", "--type-aware"] },
  { name: "dead code", command: ["knip"] },
  { name: "proto lint", command: ["buf", "lint"], cwd: "proto" },
  {
    name: "proto breaking",
    command: ["buf", "breaking", "--against", "../packages/protocol/wire-baseline"],
    cwd: "proto",
  },
  ...published.flatMap((name): Step[] => [
    { name: `publint ${name}`, command: ["publint", "--strict", "--pack", "npm"], cwd: `packages/${name}` },
  ]),
];

let failed = 0;
for (const { name, command, cwd = "." } of steps) {
  const [program, ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8" });
  const passed = status === 0;
  process.stdout.write(`${passed ? "ok  " : "FAIL"} ${name}\n`);
  if (passed) continue;
  failed += 1;
  process.stdout.write(`${stdout}${stderr}${error === undefined ? "" : `${error.message}\n`}`);
}
process.stdout.write(`${steps.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
