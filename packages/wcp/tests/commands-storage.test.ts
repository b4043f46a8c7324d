import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { encodeParams } from "@subnet-worker/activity-spec";
import { type Clock, systemClock } from "@subnet-worker/kit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { uploadPrefix } from "../src/domain/object-key.ts";
import type { Task, TaskState } from "../src/domain/task.ts";
import { Revisit } from "../src/commands/storage-survey.ts";
import type { Config } from "../src/config.ts";
import { aLease, aTask, idOf } from "./_builders.ts";
import { ACTIVITY } from "./_evm-bench.ts";
import { LATE, ObjectCommandBench } from "./_object-command-bench.ts";
import { until } from "./_until.ts";

let bench: ObjectCommandBench;
let serial = 0;

beforeAll(async () => {
  bench = await ObjectCommandBench.start();
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(async () => {
  await bench.storage.remove(await bench.keys());
});

/** An id that no other test has. */
function freshId(): string {
  serial += 1;
  return `0x${serial.toString(16).padStart(16, "0")}${"e".repeat(48)}`;
}

async function save(state: TaskState, id: string = freshId()): Promise<Task> {
  using store = bench.store();
  const task = aTask({ id, workflowInstanceId: "", state });
  await store.saveTask(task, "new");
  return task;
}

function keyOf({ id, workflowInstanceId }: Task, run: string, name = "a.bin"): string {
  return `${uploadPrefix(workflowInstanceId, id, run)}${name}`;
}

const FAILED: TaskState = { kind: "done", outcome: { status: "error", code: 2001, reason: "it broke" } };

function resultOf(key: string): string {
  return encodeParams(ACTIVITY.outputs, { processed_object_key: key, duration_ms: 5 });
}

describe("wcp storage", () => {
  it("lists what runs have written and why each stays, and removes what is of no use, while the node runs", async () => {
    const failed = await save(FAILED);
    const id = freshId();
    const done = await save(
      {
        kind: "done",
        outcome: {
          status: "success",
          resultHex: resultOf(keyOf(aTask({ id, workflowInstanceId: "" }), "run-2")),
          runId: "run-2",
        },
      },
      id,
    );
    const open = await save({ kind: "claimed", lease: aLease(), attempts: 1 });
    const stranger = aTask({ id: freshId(), workflowInstanceId: "" });
    const kept = [
      "in/song.wav",
      keyOf(done, "run-2"),
      keyOf(done, "run-2", "named-by-nobody.bin"),
      keyOf(open, "run-1"),
      keyOf(stranger, "run-1"),
    ];
    const garbage = [keyOf(done, "run-1"), keyOf(failed, "run-1"), keyOf(failed, "run-1", "b.bin")];
    await bench.put(...kept, ...garbage);
    await bench.storage.createMultipart(keyOf(failed, "run-1", "big.bin"), { mediaType: "" });
    using _node = bench.store();

    const all = await bench.wcp(["storage", "ls"]);
    expect(all.code).toBe(0);
    for (const [key, word] of [
      [kept[1], "result"],
      [kept[2], "result"],
      [kept[3], "open"],
      [kept[4], "unknown"],
      [garbage[0], "garbage: superseded"],
      [garbage[1], "garbage: failed"],
      [keyOf(failed, "run-1", "big.bin"), "garbage: incomplete"],
    ] as const) {
      expect(all.out.split("\n").find((line) => line.endsWith(key ?? "?"))).toMatch(new RegExp(`^${word} `));
    }
    expect(all.out).toContain(
      "7 objects (21 B) and 1 unfinished uploads; garbage: 3 objects (9 B) and 1 uploads",
    );
    expect(all.out).not.toContain("in/song.wav");

    const only = await bench.wcp(["storage", "ls", "--garbage", "--json"]);
    const lines = only.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly objectKey: string });
    expect(lines.map(({ objectKey }) => objectKey).toSorted()).toEqual(
      [...garbage, keyOf(failed, "run-1", "big.bin")].toSorted(),
    );

    const dry = await bench.wcp(["storage", "gc"]);
    expect(dry.err).toContain("Nothing was removed; wcp storage gc --yes removes these.");
    expect(await bench.keys()).toHaveLength(8);

    const wet = await bench.wcp(["storage", "gc", "--yes"]);
    expect(wet).toMatchObject({ code: 0, err: "Removed 3 objects (9 B) and 1 unfinished uploads.\n" });
    expect(await bench.keys()).toEqual(kept.toSorted());
    expect((await bench.wcp(["storage", "gc", "--yes"])).err).toContain("Removed 0 objects");
  });

  it("goes through very much page by page: what is named by a result that is found last stays in the first", async () => {
    const failed = await save(FAILED);
    const nameOf = (index: number) => keyOf(failed, `run-${String(index).padStart(4, "0")}`, "x");
    const keys = Array.from({ length: 2_300 }, (_, index) => nameOf(index));
    const namer = aTask({ id: freshId(), workflowInstanceId: "" });
    const outcome = { status: "success", resultHex: resultOf(nameOf(500)), runId: "run-1" } as const;
    await save({ kind: "done", outcome }, namer.id);
    // The chain alone knows of this result, and is asked for the sake of an object on the last page.
    const { task } = await bench.evm.claimed(await bench.evm.enqueue());
    await bench.evm.source.complete(task, resultOf(nameOf(501)));
    await save({ kind: "lost", reason: "as the node thought" }, task.id);
    const last = keyOf({ ...task, workflowInstanceId: "" }, "run-1");
    const pathOf = (key: string) => join(bench.dir, "objects", key);
    for (const key of [...keys, last]) {
      mkdirSync(dirname(pathOf(key)), { recursive: true });
      writeFileSync(pathOf(key), "abc");
    }
    bench.configure('folder = "objects"', undefined, "");
    try {
      const all = await bench.wcp(["storage", "ls"]);
      expect(all.out).toContain("2301 objects (6.7 KiB) and 0 unfinished uploads; garbage: 2299 objects");
      const lines = all.out.trim().split("\n");
      expect(lines.filter((line) => line.startsWith("FOR"))).toHaveLength(1);
      expect(lines.findIndex((line) => line.endsWith(last))).toBeGreaterThan(2_000);
      const wet = await bench.wcp(["storage", "gc", "--yes"]);
      expect(wet.err).toBe("Removed 2299 objects (6.7 KiB) and 0 unfinished uploads.\n");
      const left = [...keys, last].filter((key) => existsSync(pathOf(key)));
      expect(left).toEqual([nameOf(500), nameOf(501)]);
    } finally {
      bench.configure();
    }
  });

  it("leaves what is recent, by an age that can be given", async () => {
    const failed = await save(FAILED);
    await bench.put(keyOf(failed, "run-1"));
    expect((await bench.wcp(["storage", "ls", "--garbage"], systemClock)).err).toContain("There is nothing");
    expect((await bench.wcp(["storage", "ls", "--garbage", "--older-than", "3h"])).err).toContain(
      "There is nothing",
    );
    expect((await bench.wcp(["storage", "ls", "--garbage", "--older-than", "90m"])).out).toContain(
      "run-1/a.bin",
    );
  });

  it("leaves what nobody knows, unless it is told so and how old", async () => {
    const key = keyOf(aTask({ id: freshId(), workflowInstanceId: "" }), "run-1");
    await bench.put(key);
    const refused = await bench.wcp(["storage", "gc", "--unknown", "--yes"]);
    expect(refused).toMatchObject({
      code: 78,
      err: expect.stringContaining("--unknown needs --older-than") as string,
    });
    await bench.wcp(["storage", "gc", "--yes", "--older-than", "1m"]);
    expect(await bench.keys()).toEqual([key]);
    await bench.wcp(["storage", "gc", "--unknown", "--older-than", "7d", "--yes"]);
    expect(await bench.keys()).toEqual([key]);
    await bench.wcp(["storage", "gc", "--unknown", "--older-than", "1h", "--yes"]);
    expect(await bench.keys()).toEqual([]);
  });

  it("asks the chain about activities that the node gave up, and keeps what is settled or still held there", async () => {
    const { evm } = bench;
    const settled = (await evm.claimed(await evm.enqueue())).task;
    const key = keyOf({ ...settled, workflowInstanceId: "" }, "run-1");
    await evm.source.complete(settled, resultOf(key));
    const held = (await evm.claimed(await evm.enqueue())).task;
    const gone = aTask({ id: freshId(), workflowInstanceId: "" });
    for (const { id } of [settled, held, gone])
      await save({ kind: "lost", reason: "as the node thought" }, id);
    const heldKey = keyOf({ ...held, workflowInstanceId: "" }, "run-1");
    await bench.put(key, heldKey, keyOf(gone, "run-1"));
    const { out } = await bench.wcp(["storage", "ls"]);
    const wordOf = (objectKey: string) =>
      out
        .split("\n")
        .find((line) => line.endsWith(objectKey))
        ?.split("  ")[0];
    expect([wordOf(key), wordOf(heldKey), wordOf(keyOf(gone, "run-1"))]).toEqual([
      "result",
      "open",
      "garbage: given up",
    ]);
    bench.configure("", "http://127.0.0.1:9");
    const blind = await bench.wcp(["storage", "gc", "--yes"]);
    bench.configure();
    expect(blind).toMatchObject({
      code: 75,
      err: expect.stringContaining("no RPC endpoint answers") as string,
    });
    expect(await bench.keys()).toHaveLength(3);
  });

  it("keeps what another worker has written that works on it now, in the same bucket", async () => {
    const { evm } = bench;
    const id = await evm.enqueue();
    await evm.queueCall(await evm.rival(), "claimActivity", [id]);
    const task = await save({ kind: "lost", reason: "taken" }, id);
    const key = keyOf(task, "run-of-another");
    await bench.put(key);
    // The task is lost for more than an hour then, and the lease there has run out for less.
    const minutes = (count: number): Clock => {
      const nowMs = () => systemClock.nowMs() + count * 60_000;
      return Object.create(systemClock, { nowMs: { value: nowMs } }) as Clock;
    };
    await bench.wcp(["storage", "gc", "--yes"], minutes(61));
    expect(await bench.keys()).toEqual([key]);
    await bench.wcp(["storage", "gc", "--yes"], minutes(120));
    expect(await bench.keys()).toEqual([]);
  });

  it("stops when it is told to, and removes nothing more", async () => {
    await bench.put(keyOf(await save(FAILED), "run-1"));
    const stop = AbortSignal.abort("SIGINT");
    const { code, err } = await bench.wcp(["storage", "gc", "--yes"], LATE, { signal: stop });
    expect([code, err]).toEqual([75, expect.stringContaining("stopped before the end")]);
    expect(err).toContain("Removed 0 objects");
    expect(await bench.keys()).toHaveLength(1);
  });

  it("looks again before it removes: what began again meanwhile, or ended anew, is left", async () => {
    const task = await save(FAILED);
    const config = { db: { path: join(bench.dir, "wcp.db") } } as Partial<Config> as Config;
    const objectKey = keyOf(task, "run-1");
    const fate = { objectKey, fate: { isGarbage: true, why: "failed", taskIds: [task.id] } } as const;
    const sinceMs = systemClock.nowMs() + 1;
    const isOver = () => {
      using revisit = new Revisit(config, sinceMs);
      return revisit.isOver(fate);
    };
    expect(isOver()).toBe(true);
    using node = bench.store();
    await node.saveTask({ ...task, round: 2, state: { kind: "offered" } }, "done");
    expect(isOver()).toBe(false);
    await node.saveTask({ ...task, round: 2, state: { kind: "claiming" } }, "offered");
    await until(() => systemClock.nowMs() > sinceMs);
    await node.saveTask({ ...task, round: 2, state: { kind: "lost", reason: "taken" } }, "claiming");
    expect(isOver()).toBe(false);
  });

  it("looks again whether somebody works meanwhile on what nobody knows", async () => {
    const config = { db: { path: join(bench.dir, "wcp.db") } } as Partial<Config> as Config;
    const unknown = aTask({ id: freshId(), workflowInstanceId: idOf(7_001) });
    const fate = { isGarbage: true, why: "unknown", taskIds: [] } as const;
    const isOver = (task: Task) => {
      using revisit = new Revisit(config, 0);
      return revisit.isOver({ objectKey: keyOf(task, "run-1"), fate });
    };
    const alone = { ...unknown, workflowInstanceId: "" };
    expect([isOver(unknown), isOver(alone)]).toEqual([true, true]);
    using node = bench.store();
    // Another step of that workflow, which may have the object as its input, and the very activity.
    await node.saveTask({ ...unknown, id: freshId(), state: { kind: "offered" } }, "new");
    await node.saveTask({ ...alone, state: { kind: "claiming" } }, "new");
    expect([isOver(unknown), isOver(alone)]).toEqual([false, false]);
    expect(isOver(aTask({ id: freshId(), workflowInstanceId: "" }))).toBe(true);
  });

  it("says what is wrong with what it is asked for, or with storage", async () => {
    const both = await bench.wcp(["storage", "gc", "--yes", "--dry-run"]);
    expect(both).toMatchObject({ code: 78, err: expect.stringContaining("contradict each other") as string });
    bench.configure('bucket_typo = "x"');
    expect((await bench.wcp(["storage", "ls"])).code).toBe(78);
    bench.configure();
  });
});
