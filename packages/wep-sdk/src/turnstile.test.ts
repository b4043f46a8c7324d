import { createDeferred, type Deferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { Turnstile } from "./turnstile.ts";

describe("a turnstile", () => {
  it("lets as many through as it may, and the next when one leaves, however it leaves", async () => {
    const turnstile = new Turnstile(2);
    const works: Deferred<number>[] = [];
    const passing = [1, 2, 3, 4].map(() =>
      turnstile.pass(() => {
        const work = createDeferred<number>();
        works.push(work);
        return work.promise;
      }),
    );
    passing.at(1)?.catch(() => undefined);
    expect(works).toHaveLength(2);
    works.at(1)?.reject(new Error("failed"));
    await expect(passing[1]).rejects.toThrow("failed");
    expect(works).toHaveLength(3);
    works.at(0)?.resolve(10);
    expect(await passing[0]).toBe(10);
    expect(works).toHaveLength(4);
    works.at(2)?.resolve(30);
    works.at(3)?.resolve(40);
    expect(await Promise.all([passing[2], passing[3]])).toEqual([30, 40]);
    expect(await turnstile.pass(() => Promise.resolve("again"))).toBe("again");
  });
});
