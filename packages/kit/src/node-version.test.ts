import { expect, test } from "vitest";
import { tooOldNode } from "./node-version.ts";

test.each(["24.0.0", "24.21.0", "25.1.0", "100.0.0"])("Node.js %s will do", (version) => {
  expect(tooOldNode(version)).toBeUndefined();
});

test.each(["8.17.0", "20.20.2", "23.99.0"])("Node.js %s is too old, and it is said what to do", (version) => {
  expect(tooOldNode(version)).toMatch(
    `[NODE_TOO_OLD] this is Node.js ${version}, and 24 or later is needed; install it`,
  );
});

test("this one will do", () => {
  expect(tooOldNode()).toBeUndefined();
});
