// An activity that kills its WEP each time: the pool, the dispatcher and real streams; the network is a fake.
import { FakeClock, ScriptedWep, type WepStream } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { WepPool } from "../src/adapters/wep/pool.ts";
import { isRunWanted } from "../src/services/wanted-run.ts";
import { anOffer, idOf } from "./_builders.ts";
import type { FakeExecutor } from "./_fake-executor.ts";
import { FakeSource } from "./_fake-source.ts";
import { captureLogs } from "./_logs.ts";
import { NodeBench } from "./_node-bench.ts";
import { greet } from "./_wep-bench.ts";
import { settle } from "./_until.ts";

/** A WEP that comes up again whenever it dies, as under a supervisor. */
class MortalWep {
  readonly wep: ScriptedWep;
  /** Assignments that it was given, as attempts. */
  readonly attempts: number[] = [];
  readonly checkpoints: string[] = [];
  readonly #onAssign: (stream: WepStream, self: MortalWep) => void;
  readonly #version: "1.0.0" | "1.1.0";
  #life = 0;

  constructor(
    wep: ScriptedWep,
    version: "1.0.0" | "1.1.0",
    onAssign: (stream: WepStream, self: MortalWep) => void,
  ) {
    this.wep = wep;
    this.#version = version;
    this.#onAssign = onAssign;
  }

  /** Serves until the test ends. */
  async serve(): Promise<void> {
    for (;;) {
      const stream = await this.wep.next();
      await this.#live(stream).catch(() => undefined); // it died
    }
  }

  async #live(stream: WepStream): Promise<void> {
    this.#life += 1;
    if (this.#version === "1.0.0") stream.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    else await greet(stream, { instanceId: `life-${this.#life}`, inventory: [] });
    for (;;) {
      const { activityId, runId, attempt, checkpointRef } = await stream.next("assign");
      this.attempts.push(attempt);
      this.checkpoints.push(checkpointRef);
      if (this.#version === "1.1.0") {
        stream.send("ack", { activityId, runId });
        const percent = attempt * 10;
        stream.send("progress", { activityId, runId, percent, checkpointRef: `c/${attempt}` });
      }
      await settle(10);
      this.#onAssign(stream, this);
    }
  }
}

const die = (_stream: WepStream, { wep }: MortalWep) => wep.cut();

async function open(version: "1.0.0" | "1.1.0", count: number, onAssign = die) {
  const clock = new FakeClock();
  const weps = await Promise.all(
    Array.from({ length: count }, async () => new MortalWep(await ScriptedWep.listen(), version, onAssign)),
  );
  for (const wep of weps) void wep.serve();
  const source = new FakeSource(clock);
  const logs = captureLogs();
  const pool: WepPool = new WepPool(
    {
      urls: weps.map(({ wep }) => wep.url),
      instanceId: "wcp",
      agent: "test/0",
      handshakeTimeoutMs: 10_000,
      pingIntervalMs: 2_000,
      silenceMs: 8_000,
    },
    {
      clock,
      logger: logs.logger,
      isWanted: (activityId, runId): boolean => isRunWanted(node.book.stored(activityId), runId),
    },
  );
  const node = new NodeBench({}, { clock, source, executor: pool as unknown as FakeExecutor });
  const stop = new AbortController();
  const running = pool.run(stop.signal);
  node.run();
  return {
    node,
    source,
    weps,
    /** Lets time pass until task 1 is over. */
    async over(): Promise<void> {
      for (let turn = 0; turn < 3_000 && node.stored()?.kind !== "done"; turn += 1) {
        await clock.advance(100);
        await settle(6);
      }
    },
    async [Symbol.asyncDispose]() {
      await node.stop();
      stop.abort();
      await running;
      for (const { wep } of weps) await wep[Symbol.asyncDispose]();
    },
  };
}

function reasonOf({ node }: { readonly node: NodeBench }): string {
  const state = node.stored();
  if (state?.kind !== "done" || state.outcome.status !== "error") throw new Error(`it is ${state?.kind}`);
  return state.outcome.reason;
}

describe("an activity that kills its WEP each time", () => {
  it("fails after the configured attempts, with what happened in each", async () => {
    await using world = await open("1.1.0", 1);
    await world.node.dispatcher.offer(anOffer({ id: idOf(1) }));
    await world.over();
    expect(world.weps[0]?.attempts).toEqual([1, 2, 3]);
    expect(reasonOf(world)).toMatch(
      /^attempt 1: WEP .* was restarted.*; attempt 2: WEP .* was restarted.*; attempt 3: WEP .* was restarted/,
    );
    expect(world.source.count("fail")).toBe(1);
    expect(world.source.count("complete")).toBe(0);
  });

  it("goes on elsewhere each time where there is an elsewhere, from its last checkpoint", async () => {
    await using world = await open("1.1.0", 2);
    await world.node.dispatcher.offer(anOffer({ id: idOf(1) }));
    await world.over();
    const counts = world.weps.map(({ attempts }) => attempts.length).toSorted((a, b) => a - b);
    expect(counts).toEqual([1, 2]);
    expect(world.weps.flatMap(({ checkpoints }) => checkpoints).toSorted()).toEqual(["", "c/1", "c/2"]);
    expect(world.source.count("fail")).toBe(1);
  });

  it("of 1.0.0, which can say nothing of itself, fails as well", async () => {
    await using world = await open("1.0.0", 1);
    await world.node.dispatcher.offer(anOffer({ id: idOf(1) }));
    await world.over();
    expect(world.weps[0]?.attempts).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
    expect(reasonOf(world)).toMatch(/^attempt 1: the stream to WEP .* ended 3 times on it/);
  });

  it("once is done by the next", async () => {
    const deaths = new Set<string>();
    await using world = await open("1.1.0", 1, (stream, { wep }) => {
      const assigned = stream.heard.findLast(({ msg }) => msg.case === "assign")?.msg;
      if (assigned?.case !== "assign") return;
      const { activityId, runId } = assigned.value;
      if (deaths.size > 0) stream.send("completion", { activityId, runId, status: "SUCCESS" });
      else {
        deaths.add(runId);
        wep.cut();
      }
    });
    await world.node.dispatcher.offer(anOffer({ id: idOf(1) }));
    await world.over();
    expect(world.source.count("complete")).toBe(1);
    expect(world.weps[0]?.attempts).toEqual([1, 2]);
  });
});
