import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@subnet-worker/source"] },
  ssr: { resolve: { conditions: ["@subnet-worker/source"] } },
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/*/tests/**/*.test.ts",
      "examples/*/src/**/*.test.ts",
      "examples/*/tests/**/*.test.ts",
      "e2e/**/*.test.ts",
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
