import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock, ScriptedWep } from "@subnet-worker/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FoundAddress } from "../src/adapters/wep/name-book.ts";
import { completion, greet, PoolBench, WISH } from "./_wep-bench.ts";
import { settle, until } from "./_until.ts";

let dir: string;
let weps: ScriptedWep[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "wep-roster-"));
  weps = [await ScriptedWep.listen(), await ScriptedWep.listen()];
});

afterEach(async () => {
  for (const wep of weps) await wep[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const urlsOf = ({ pool }: PoolBench) => pool.executors().map(({ url }) => url);
const wep = (index: number): ScriptedWep => {
  const found = weps[index];
  if (found === undefined) throw new Error(`no WEP ${index}`);
  return found;
};

/** The clock runs until it is so. */
async function inTime({ clock }: PoolBench, condition: () => boolean): Promise<void> {
  for (let second = 0; second < 600 && !condition(); second += 1) {
    await clock.advance(1_000);
    await settle(5);
  }
  expect(condition()).toBe(true);
}

describe("a file of endpoints", () => {
  const open = (text: string, urls: readonly string[] = []) => {
    const file = join(dir, "weps.txt");
    writeFileSync(file, text);
    return { file, bench: new PoolBench(urls, { endpointsFile: file }).run() };
  };

  it("adds to those configured, each once; comments and bad lines are passed over", async () => {
    const text = `# ours\n${wep(0).url}/  # the first\n\nftp://x\nnonsense\n  ${wep(1).url}\nhttp://h:1/path\n`;
    const { bench } = open(text, [wep(0).url]);
    await using _ = bench;
    await settle();
    expect(urlsOf(bench)).toEqual([wep(0).url, wep(1).url]);
    expect(bench.pool.executors().map(({ origin }) => origin)).toEqual(["config", "file"]);
    expect(bench.logs.lines.filter(({ msg }) => msg === "line skipped").map(({ line }) => line)).toEqual([
      4, 5, 7,
    ]);
  });

  it("is followed while the process runs: what is added is dialled, what is removed ends when it is idle", async () => {
    const { file, bench } = open(wep(0).url);
    await using _ = bench;
    const stream = await wep(0).next();
    await greet(stream);
    await bench.ready();
    const run = bench.start();
    await stream.next("assign");
    writeFileSync(file, wep(1).url);
    await inTime(bench, () => urlsOf(bench).length === 2);
    await greet(await wep(1).next());
    await bench.ready(2);
    expect(bench.pool.executors().map(({ state }) => state)).toEqual(["draining", "ready"]);
    expect(bench.pool.reserve(WISH)?.executor).toBe(wep(1).url);
    expect(stream.isOver).toBe(false);
    stream.send("completion", completion());
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
    run.slot[Symbol.dispose]();
    await stream.next("completionAck");
    await stream.closed;
    await until(() => urlsOf(bench).length === 1);
    expect(urlsOf(bench)).toEqual([wep(1).url]);
  });

  it("may bring back one that is still ending", async () => {
    const { file, bench } = open(wep(0).url);
    await using _ = bench;
    await greet(await wep(0).next());
    await bench.ready();
    const slot = bench.pool.reserve(WISH);
    writeFileSync(file, "");
    await inTime(bench, () => bench.pool.executors()[0]?.state === "draining");
    writeFileSync(file, wep(0).url);
    await inTime(bench, () => bench.pool.executors()[0]?.state === "ready");
    slot?.[Symbol.dispose]();
    await settle();
    expect(bench.pool.stats()).toEqual({ connected: 1, slotsInUse: 0, slotsFree: 2 });
  });

  it("that cannot be read leaves the last list in force, and says so once", async () => {
    const { file, bench } = open(wep(0).url);
    await using _ = bench;
    await settle();
    rmSync(file);
    await inTime(bench, () => bench.logs.at("warn").some((msg) => msg.startsWith("the list of WEPs")));
    await bench.clock.advance(60_000);
    expect(urlsOf(bench)).toEqual([wep(0).url]);
    expect(bench.logs.at("warn").filter((msg) => msg.startsWith("the list of WEPs"))).toHaveLength(1);
    writeFileSync(file, wep(1).url);
    await inTime(bench, () => urlsOf(bench).includes(wep(1).url));
  });

  it("is seen to change when it is replaced by renaming, or through a link as Kubernetes does it", async () => {
    const [first, second] = [join(dir, "v1"), join(dir, "v2")];
    writeFileSync(first, wep(0).url);
    writeFileSync(second, wep(1).url);
    const file = join(dir, "linked");
    symlinkSync(first, file);
    await using bench = new PoolBench([], { endpointsFile: file }).run();
    await settle();
    expect(urlsOf(bench)).toEqual([wep(0).url]);
    const swapped = join(dir, "swapped");
    symlinkSync(second, swapped);
    renameSync(swapped, file);
    await inTime(bench, () => urlsOf(bench).join() === wep(1).url);
  });

  it("that is just being written changes nothing until it is done", async () => {
    const { file, bench } = open(wep(0).url);
    await using _ = bench;
    const stream = await wep(0).next();
    await greet(stream);
    await bench.ready();
    for (let write = 0; write < 30; write += 1) {
      writeFileSync(file, write % 2 === 0 ? "" : wep(0).url.slice(0, -write % 7));
      await bench.clock.advance(150);
      await settle(5);
    }
    writeFileSync(file, `${wep(0).url}\n${wep(1).url}`);
    await inTime(bench, () => urlsOf(bench).length === 2);
    expect(bench.events).toEqual(["connected"]);
    expect(stream.isOver).toBe(false);
  });

  it("that is empty, with nothing configured, makes the node say that it has no WEP", async () => {
    const { bench } = open("");
    await using _ = bench;
    await settle();
    expect(bench.pool.notReady()).toEqual(["no WEP is configured; add one to wep_grpc_endpoint"]);
  });
});

describe("a host name", () => {
  /** A resolver whose answers are the test's. */
  class Names {
    answer: readonly FoundAddress[] | Error = [];
    asked = 0;
    readonly lookup = async (): Promise<readonly FoundAddress[]> => {
      this.asked += 1;
      if (this.answer instanceof Error) throw this.answer;
      return this.answer;
    };
  }
  const v4 = (...addresses: string[]) => addresses.map((address) => ({ address, family: 4 }));
  const named = (port: number) => `http://weps.example:${port}`;
  const open = (names: Names, urls: readonly string[]) =>
    new PoolBench(urls, { dnsIntervalMs: 30_000 }, { lookup: names.lookup }).run();

  it("stands for all its addresses, and is dialled there under its name", async () => {
    const names = new Names();
    names.answer = v4("127.0.0.1", "127.0.0.2");
    await using bench = open(names, [named(wep(0).port)]);
    await until(() => urlsOf(bench).length === 2);
    expect(urlsOf(bench)).toEqual([wep(0).url, `http://127.0.0.2:${wep(0).port}`]);
    expect(bench.pool.executors()[0]?.origin).toBe("dns");
    await greet(await wep(0).next());
    await bench.ready();
    expect(bench.pool.reserve(WISH)?.executor).toBe(wep(0).url);
  });

  it("is resolved again: new addresses are dialled, old ones end", async () => {
    const names = new Names();
    names.answer = v4("127.0.0.1");
    await using bench = open(names, [named(wep(0).port)]);
    await until(() => urlsOf(bench).length === 1);
    names.answer = v4("127.0.0.9");
    await bench.clock.advance(29_999);
    expect(names.asked).toBe(1);
    await inTime(bench, () => urlsOf(bench).join() === `http://127.0.0.9:${wep(0).port}`);
  });

  it("whose resolver fails keeps the addresses it had, and says so once", async () => {
    const names = new Names();
    names.answer = v4("127.0.0.1");
    await using bench = open(names, [named(wep(0).port)]);
    await until(() => urlsOf(bench).length === 1);
    names.answer = new Error("SERVFAIL");
    await bench.clock.advance(120_000);
    names.answer = [];
    await bench.clock.advance(60_000);
    expect(names.asked).toBeGreaterThan(4);
    expect(urlsOf(bench)).toEqual([wep(0).url]);
    expect(bench.logs.at("warn").filter((msg) => msg.startsWith("the name of WEPs"))).toHaveLength(1);
  });

  it("that is not resolved yet is named as the reason, and holds a run for the WEP it was on", async () => {
    const names = new Names();
    names.answer = new Error("queryA ETIMEOUT weps.example");
    await using bench = open(names, [named(wep(0).port), wep(1).url]);
    await greet(await wep(1).next());
    await bench.ready();
    const wish = { ...WISH, executor: wep(0).url };
    expect(bench.pool.reserve(wish)).toBeUndefined();
    expect(bench.pool.reserve(WISH)?.executor).toBe(wep(1).url);
    names.answer = v4("127.0.0.1");
    await inTime(bench, () => urlsOf(bench).length === 2);
    await greet(await wep(0).next());
    await bench.ready(2);
    expect(bench.pool.reserve(wish)?.executor).toBe(wep(0).url);
  });

  it("that is never resolved holds a run no longer than the grace time", async () => {
    const names = new Names();
    names.answer = new Error("ENOTFOUND weps.example");
    await using bench = open(names, [named(wep(0).port), wep(1).url]);
    await greet(await wep(1).next());
    await bench.ready();
    const wish = { ...WISH, executor: wep(0).url };
    await inTime(bench, () => bench.pool.reserve(wish)?.executor === wep(1).url);
    expect(bench.clock.monotonicMs()).toBeGreaterThanOrEqual(30_000);
    await wep(1)[Symbol.asyncDispose]();
    await until(() => bench.pool.notReady().length === 2);
    expect(bench.pool.notReady()[1]).toBe(
      "WEP weps.example: its name is not resolved (ENOTFOUND weps.example)",
    );
  });

  it("with addresses of both families is one WEP, at the family that comes first", async () => {
    const names = new Names();
    names.answer = [{ address: "::1", family: 6 }, ...v4("127.0.0.1")];
    await using bench = open(names, [named(7070)]);
    await until(() => urlsOf(bench).length === 1);
    expect(urlsOf(bench)).toEqual(["http://[::1]:7070"]);
  });

  it("that is this machine's, or an address, is not resolved", async () => {
    const names = new Names();
    const urls = ["http://localhost:7070", "http://127.0.0.1:7071", "http://[::1]:7072"];
    const bench = new PoolBench(urls, { dnsIntervalMs: 1 }, { lookup: names.lookup, clock: new FakeClock() });
    expect(urlsOf(bench)).toEqual(urls);
    expect(names.asked).toBe(0);
  });
});
