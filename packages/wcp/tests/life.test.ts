import type { Service } from "@subnet-worker/kit";
import { describe, expect, it } from "vitest";
import { type Gate, StoppedError } from "../src/ports.ts";
import { Gates } from "../src/services/gates.ts";
import { Life } from "../src/services/life.ts";
import { SUCCESS } from "./_fake-executor.ts";
import { NodeBench } from "./_node-bench.ts";
import { settle, until } from "./_until.ts";

const OPEN_GATE: Gate = { name: "GATE", check: async () => ({ kind: "open" }) };

interface Run {
  readonly node: NodeBench;
  readonly life: Life;
  readonly ask: AbortController;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** A process whose services are the dispatcher and `more`. */
function start(more: readonly Service[] = [], gates: readonly Gate[] = [OPEN_GATE]): Run {
  const node = new NodeBench();
  const { clock, dispatcher } = node;
  const { logger } = node.logs;
  const stop = new AbortController();
  const ask = new AbortController();
  const life = new Life(
    { drainMs: 5_000 },
    {
      gates: new Gates({ retryMs: 1_000, recheckMs: 30_000 }, { gates, clock, logger }),
      dispatcher,
      reconciler: node.reconciler,
      services: [dispatcher, ...more],
      stop,
      clock,
      logger,
    },
  );
  const ended = life.run(ask.signal);
  ended.catch(() => undefined); // looked at by the tests
  return { node, life, ask, stop, ended };
}

/** A service that rejects with StoppedError when it is stopped, as one in the middle of a call does. */
function interrupted(name: string): Service {
  return {
    name,
    run: (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new StoppedError()));
      }),
  };
}

describe("a process that is asked to stop", () => {
  it("takes no more, settles what is under way, and ends", async () => {
    const { node, life, ask, ended } = start();
    await settle(); // it has looked at what it holds
    await node.offer();
    const run = await node.executor.nextRun();
    ask.abort();
    await settle();
    expect(life.isStopping).toBe(true);
    await node.offer(2);
    run.end.resolve(SUCCESS);
    await ended;
    expect(node.stored(1)?.kind).toBe("done");
    expect(node.source.count("claim")).toBe(1);
    expect(node.logs.at("info").at(-1)).toBe("stopped");
  });

  it("ends after its deadline with what is left on disk, and says so", async () => {
    const { node, ask, ended } = start();
    await settle(); // it has looked at what it holds
    await node.offer();
    await node.executor.nextRun();
    ask.abort();
    await node.pass(6_000);
    await ended;
    expect(node.stored(1)?.kind).toBe("assigned");
    expect(node.logs.at("warn")).toContain(
      "stopping with activities under way; they are stored and go on at the next start",
    );
  });

  it("ends at once while it still waits for a gate", async () => {
    const closed: Gate = { name: "GATE", check: async () => ({ kind: "wait", reason: "later" }) };
    const { ask, ended, stop } = start([], [closed]);
    await settle();
    ask.abort();
    await ended;
    expect(stop.signal.aborted).toBe(true);
  });

  it("ends well when several services were in the middle of a call", async () => {
    const { ask, ended } = start([interrupted("one"), interrupted("two")]);
    await settle();
    ask.abort();
    await ended;
  });

  it("ends badly when a service fails on the way", async () => {
    const failing: Service = {
      name: "failing",
      run: (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new Error("disk is full")));
        }),
    };
    const { ask, ended } = start([interrupted("one"), failing]);
    await settle();
    ask.abort();
    await expect(ended).rejects.toThrow();
  });
});

describe("a process with a service that fails", () => {
  it("stops everything else and ends with that failure", async () => {
    let fail: (error: Error) => void = () => undefined;
    const failing: Service = {
      name: "failing",
      run: () =>
        new Promise((_resolve, reject) => {
          fail = reject;
        }),
    };
    const { node, ended, stop } = start([failing]);
    await settle(); // it has looked at what it holds
    await node.offer();
    await node.executor.nextRun();
    fail(new Error("a defect"));
    await expect(ended).rejects.toThrow("a defect");
    expect(stop.signal.aborted).toBe(true);
    expect(node.stored(1)?.kind).toBe("assigned");
  });
});

describe("a process whose services wait for the chain", () => {
  it("ends with the failure of one of them, whatever the others wait for", async () => {
    const waiting = Promise.withResolvers<void>();
    const deaf: Service = { name: "deaf", run: () => waiting.promise };
    const failing: Service = { name: "failing", run: () => Promise.reject(new Error("a defect")) };
    const { ended, stop } = start([deaf, failing]);
    stop.signal.addEventListener("abort", () => waiting.reject(new StoppedError()));
    await expect(ended).rejects.toThrow("a defect");
  });
});

describe("a process that starts", () => {
  it("takes up what is its own before anything else runs", async () => {
    const { node, ended, ask } = start();
    node.source.held = [];
    await until(() => node.logs.at("info").includes("start-up checks passed"));
    ask.abort();
    await ended;
  });
});
