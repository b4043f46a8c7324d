import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Spool } from "../src/commands/spool.ts";

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spool-test-"));
  vi.stubEnv("TMPDIR", directory);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

interface Item {
  readonly at: number;
  readonly text: string;
}

async function* items(count: number, text = 'ä\n\u2028"x'): AsyncGenerator<Item> {
  for (let at = 0; at < count; at += 1) yield { at, text };
}

async function collect<T>(values: AsyncIterable<T>): Promise<readonly T[]> {
  const collected: T[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}

async function all(spool: Spool<Item>, pageLength: number): Promise<readonly (readonly Item[])[]> {
  return await collect(spool.pages(pageLength));
}

describe("a spool", () => {
  it.each([
    [0, []],
    [1, [1]],
    [1_000, [1_000]],
    [2_500, [1_000, 1_000, 500]],
  ])("of %i gives all of them back in order, in pages", async (count, lengths) => {
    await using spool = await Spool.of(items(count));
    const pages = await all(spool, 1_000);
    expect(pages.map(({ length }) => length)).toEqual(lengths);
    expect(pages.flat()).toEqual(await collect(items(count)));
    expect((await all(spool, 7)).flat()).toHaveLength(count);
  });

  it("holds characters together where a read of the file ends in one", async () => {
    await using spool = await Spool.of(items(100, "ä€𝄞".repeat(5_000)));
    expect((await all(spool, 10)).flat()).toEqual(await collect(items(100, "ä€𝄞".repeat(5_000))));
  });

  it("leaves nothing behind, nor when the list fails, nor when the process is killed while it works", async () => {
    async function* seen(): AsyncGenerator<Item> {
      for await (const item of items(3)) {
        expect(readdirSync(directory)).toEqual([]);
        yield item;
      }
    }
    await using spool = await Spool.of(seen());
    expect(readdirSync(directory)).toEqual([]);
    expect((await all(spool, 10)).flat()).toHaveLength(3);
    async function* broken(): AsyncGenerator<Item> {
      yield* items(2);
      throw new Error("the store is away");
    }
    await expect(Spool.of(broken())).rejects.toThrow("the store is away");
    expect(readdirSync(directory)).toEqual([]);
  });

  it("is read from the beginning again after a reader that left in the middle", async () => {
    await using spool = await Spool.of(items(5_000));
    for await (const page of spool.pages(10)) {
      expect(page[0]?.at).toBe(0);
      break;
    }
    expect((await all(spool, 1_000)).flat()).toHaveLength(5_000);
  });

  it("says where there is no room for it", async () => {
    vi.stubEnv("TMPDIR", join(directory, "gone"));
    await expect(Spool.of(items(1))).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringContaining("another folder with TMPDIR") as string,
    });
  });
});
