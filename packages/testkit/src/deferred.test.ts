import { describe, expect, test } from "vitest";
import { createDeferred } from "./deferred.ts";

describe("createDeferred", () => {
  test("resolves when told to", async () => {
    const deferred = createDeferred<string>();
    deferred.resolve("now");
    expect(await deferred.promise).toBe("now");
  });

  test("rejects when told to", async () => {
    const deferred = createDeferred();
    deferred.reject(new Error("no"));
    await expect(deferred.promise).rejects.toThrow("no");
  });
});
