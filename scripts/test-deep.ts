/**
 * `pnpm test:deep`: the property tests that `npm test` runs in a short form, with
 * as many runs as it takes to trust them. A run that fails prints its seed.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pathWithPrograms } from "./system-programs.ts";

/** Each reads how often from the environment: DEEP_RUNS. */
const FILES = ["packages/wcp/tests/lane-model.test.ts"];
const RUNS = 10_000;
const TIMEOUT_MS = 3_600_000;

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

const { values } = parseArgs({ options: { runs: { type: "string", default: String(RUNS) } } });
const runs = Number(values.runs);
const dir = mkdtempSync(join(tmpdir(), "subnet-worker-deep-"));
try {
  const file = join(dir, "report.json");
  const startMs = performance.now();
  const args = [
    "run",
    "--project=unit",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
    `--testTimeout=${TIMEOUT_MS}`,
    ...FILES,
  ];
  const env = {
    ...process.env,
    PATH: pathWithPrograms(process.env["PATH"] ?? ""),
    DEEP: "1",
    DEEP_RUNS: String(runs),
  };
  const { status, error } = spawnSync("vitest", args, { stdio: "inherit", env });
  if (error !== undefined) throw error;
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  // A file that could not be loaded has no tests to count, and is a failure all the same.
  const broken = report.testResults.filter(
    (each) => each.status === "failed" && each.assertionResults.length === 0,
  ).length;
  const metrics = {
    runs,
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    duration_s: Math.round((performance.now() - startMs) / 1_000),
  };
  process.stdout.write(`runs of each property  ${runs}\n`);
  process.stdout.write(`passed                 ${metrics.passed}\n`);
  process.stdout.write(`failed                 ${metrics.failed}\n`);
  process.stdout.write(`seconds                ${metrics.duration_s}\n`);
  process.stdout.write(`${JSON.stringify({ name: "test:deep", metrics })}\n`);
  process.exitCode = status === 0 && metrics.passed > 0 && metrics.failed === 0 ? 0 : 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
