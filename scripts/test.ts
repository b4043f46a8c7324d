/**
 * `npm test`: every test, then one line with the counts that any reader, human or
 * machine, finds at the end. A test that was skipped is named.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathWithPrograms } from "./system-programs.ts";

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const dir = mkdtempSync(join(tmpdir(), "subnet-worker-test-"));
try {
  const file = join(dir, "report.json");
  const env = { ...process.env, PATH: pathWithPrograms(process.env["PATH"] ?? "") };
  const args = [
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
    ...process.argv.slice(2),
  ];
  const run = spawnSync("vitest", args, { stdio: "inherit", env });
  if (run.error !== undefined) throw run.error;
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  const skipped = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(
      (test) => test.status === "skipped" || test.status === "pending" || test.status === "todo",
    ),
  );
  for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}\n`);
  // A file that could not be loaded, or whose hook failed, has no failed test to count and failed all the same.
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((test) => test.status === "failed"),
  );
  for (const each of broken) process.stdout.write(`could not be run: ${each.name}\n`);
  const failed = report.numFailedTests + broken.length;
  process.stdout.write(`${report.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped\n`);
  process.exitCode = run.status === 0 && failed === 0 ? 0 : 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
