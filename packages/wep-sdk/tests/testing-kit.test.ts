import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const TESTS = fileURLToPath(new URL("_node-tests.ts", import.meta.url));

/** Runs the file with Node's own test runner, as a partner does. */
function nodeTest(env: Readonly<Record<string, string>>) {
  return new Promise<{ readonly code: number | string; readonly stdout: string }>((resolve) => {
    const args = ["--conditions=@subnet-worker/source", "--test", TESTS];
    // Under a runner's variable of its own, node --test reports to its parent and prints nothing.
    const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
    execFile(process.execPath, args, { env: { ...inherited, ...env } }, (error, stdout) =>
      resolve({ code: error?.code ?? 0, stdout }),
    );
  });
}

it("works with node:test, and leaves nothing behind that keeps it from ending", async () => {
  const { code, stdout } = await nodeTest({});
  expect(stdout).toMatch(/pass 2\b/);
  expect(code).toBe(0);
});

it("lets a test fail with what the run failed of", async () => {
  const { code, stdout } = await nodeTest({ FAILS: "1" });
  expect(code).toBe(1);
  expect(stdout).toMatch(/the run failed and has no outputs: EXECUTION_FAILED: Cannot read properties/);
});
