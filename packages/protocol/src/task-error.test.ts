import { expect, test } from "vitest";
import { isTaskErrorRetryable, TASK_ERROR, taskErrorName } from "./index.ts";

test("every code has its name, and a number that is none is unknown", () => {
  for (const [name, code] of Object.entries(TASK_ERROR)) expect(taskErrorName(code)).toBe(name);
  for (const code of [-1, 1, 1000, 9999, Number.NaN]) expect(taskErrorName(code)).toBe("UNKNOWN_ERROR");
});

test("what may pass by itself is worth another try, the rest is not", () => {
  const retryable = Object.entries(TASK_ERROR).filter(([, code]) => isTaskErrorRetryable(code));
  expect(retryable.map(([name]) => name)).toEqual([
    "RESOURCE_UNAVAILABLE",
    "NETWORK_ERROR",
    "CONNECTION_TIMEOUT",
    "SYSTEM_OVERLOAD",
  ]);
  expect(isTaskErrorRetryable(9999)).toBe(false);
});
