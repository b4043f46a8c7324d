import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@subnet-worker/source"] },
  ssr: { resolve: { conditions: ["@subnet-worker/source"] } },
  test: {
    // The sources of other packages run as they are, in the tests' child processes and threads too.
    execArgv: ["--conditions=@subnet-worker/source"],
    // For what hangs: no test is told by its time that it is slow, on a machine that does three things at once.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Vitest's second is short for a machine that is busy; less than a test has, so that it says what it waited for.
    expect: { poll: { timeout: 45_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "packages/*/src/**/*.test.ts",
            "packages/*/tests/**/*.test.ts",
            "examples/*/src/**/*.test.ts",
            "examples/*/tests/**/*.test.ts",
            "bench/src/**/*.test.ts",
            "scripts/**/*.test.ts",
          ],
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["e2e/**/*.test.ts"],
          // Each file starts whole networks: one at a time, or they starve each other of two cores.
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
