import { systemClock } from "@subnet-worker/kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TaskState } from "../src/domain/task.ts";
import type { RunOutcome } from "../src/ports.ts";
import { Dispatcher } from "../src/services/dispatcher.ts";
import { LeaseKeeper } from "../src/services/lease-keeper.ts";
import { Reconciler, type Repair } from "../src/services/reconciler.ts";
import { Runner, RUNNER_DEFAULTS } from "../src/services/runner.ts";
import { TaskBook } from "../src/services/task-book.ts";
import { EvmBench, LEASE_S, RecordingLane, WORKER } from "./_evm-bench.ts";
import { FakeExecutor } from "./_fake-executor.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { DISPATCHER_OPTIONS } from "./_node-bench.ts";
import { until } from "./_until.ts";

const RESULT: RunOutcome = {
  kind: "succeeded",
  result: { json: '{"duration_ms":"1"}', ref: "out/song.wav" },
};

let bench: EvmBench;

beforeAll(async () => {
  bench = await EvmBench.start();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** A node on the chain: all but the process around it. Its executor goes on when it ends. */
class ChainNode implements AsyncDisposable {
  readonly executor: FakeExecutor = new FakeExecutor(4);
  readonly repairs: Repair[] = [];
  readonly lane: RecordingLane = new RecordingLane(bench.on.lane);
  readonly book: TaskBook;
  readonly #reconciler: Reconciler;
  readonly #disk: MemoryDisk;
  readonly #stop = new AbortController();
  readonly #services: readonly { run(signal: AbortSignal): Promise<void> }[];
  #running: Promise<unknown> = Promise.resolve();

  constructor(disk: MemoryDisk) {
    this.#disk = disk;
    const clock = systemClock;
    const { logger } = bench.logs;
    const { evm: source } = bench.create({ disk, lane: this.lane });
    const { executor } = this;
    this.book = new TaskBook({ store: disk.open(), clock, logger });
    const { book } = this;
    const runner = new Runner(RUNNER_DEFAULTS, { source, book, storage: undefined, clock, logger });
    const dispatcher = new Dispatcher(
      { ...DISPATCHER_OPTIONS, identity: WORKER },
      { source, executor, runner, book, clock, logger, holdClaims: () => [] },
    );
    const onLeaseLost = (id: string) => executor.cancel(id, "lease_lost");
    const onRepair = (repair: Repair) => void this.repairs.push(repair);
    this.#reconciler = new Reconciler(
      { intervalMs: 3_600_000, offersPerRound: 100 },
      { source, book, dispatcher, clock, logger, onLeaseLost, onRepair },
    );
    this.#services = [
      dispatcher,
      new LeaseKeeper(
        { heartbeatIntervalMs: 10_000, tickMs: 50 },
        { source, book, clock, logger, onLeaseLost },
      ),
      { run: (signal) => source.watch(dispatcher, signal) },
    ];
  }

  static async start(disk: MemoryDisk): Promise<ChainNode> {
    const node = new ChainNode(disk);
    await node.#reconciler.start();
    node.#running = Promise.all(node.#services.map((service) => service.run(node.#stop.signal)));
    return node;
  }

  async whenStored(id: string, kind: TaskState["kind"]): Promise<void> {
    using store = this.#disk.open();
    await until(() => store.task(id)?.state.kind === kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe("fault 24: a node whose database is deleted", () => {
  it("takes its work up from the contract's views under the same run ids, and settles each once", async () => {
    const ids = [await bench.enqueue(), await bench.enqueue(), await bench.enqueue()];
    const runs = new Map<string, string>();
    {
      await using before = await ChainNode.start(new MemoryDisk());
      for (const _id of ids) {
        const { assignment } = await before.executor.nextRun();
        runs.set(assignment.task.id, assignment.runId);
      }
    }
    // Time passes, and a lease is renewed: the claim keeps its name.
    await bench.passChainTime(LEASE_S / 2);
    const disk = new MemoryDisk();
    await using after = await ChainNode.start(disk);
    expect(after.repairs).toEqual(["adopted", "adopted", "adopted"]);
    for (const _id of ids) {
      const run = await after.executor.nextRun();
      expect(run.assignment.runId).toBe(runs.get(run.assignment.task.id));
      run.end.resolve(RESULT);
    }
    await Promise.all(ids.map((id) => after.whenStored(id, "done")));
    expect(after.lane.requests.filter(({ kind }) => kind === "claim")).toEqual([]);
    expect(after.lane.requests.filter(({ kind }) => kind === "complete")).toHaveLength(3);
    const standings = await bench.source.inspect(ids);
    expect(standings).toEqual(ids.map(() => ({ kind: "settled", isByUs: true })));
  });
});

describe("a node that was away for longer than its leases", () => {
  it("gives up what somebody else has, claims anew what nobody has, and runs nothing under the old lease", async () => {
    const [mine, theirs] = [await bench.enqueue(), await bench.enqueue()];
    const disk = new MemoryDisk();
    const runIds: string[] = [];
    {
      await using before = await ChainNode.start(disk);
      for (let run = 0; run < 2; run += 1) runIds.push((await before.executor.nextRun()).assignment.runId);
    }
    const rival = await bench.rival();
    await bench.passChainTime(LEASE_S + 1);
    await bench.queueCall(rival, "claimActivity", [theirs]);
    await using after = await ChainNode.start(disk);
    expect(after.repairs.toSorted()).toEqual(["expired", "taken"]);
    const run = await after.executor.nextRun();
    expect(run.assignment.task).toMatchObject({ id: mine, round: 2 });
    expect(runIds).not.toContain(run.assignment.runId);
    run.end.resolve(RESULT);
    await after.whenStored(mine, "done");
    expect(after.executor.runs).toHaveLength(1);
  });
});
