import { FakeClock } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RenewalWatch } from "../src/adapters/evm/renewal-watch.ts";
import type { IntentOutcome } from "../src/chain-ports.ts";
import { idOf } from "./_builders.ts";
import { counting, EvmBench, LEASE_S, RecordingLane } from "./_evm-bench.ts";

const REFUSED: IntentOutcome = {
  kind: "refused",
  revert: { name: "NotAssignedWorker", message: "not assigned" },
};
const TOO_LARGE: IntentOutcome = {
  kind: "refused",
  revert: { name: "PayloadTooLarge", message: "payload of 99999 bytes" },
};

let bench: EvmBench;

beforeAll(async () => {
  bench = await EvmBench.start();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** A claimed task, and a source whose lane is on record. */
async function claimed() {
  const { task, lease } = await bench.claimed(await bench.enqueue());
  const lane = new RecordingLane(bench.on.lane);
  return { task, lease, lane, evm: bench.create({ lane }).evm };
}

const REVERTED: IntentOutcome = {
  kind: "reverted",
  nonce: 7,
  isConfirmed: true,
  revert: { name: "LeaseExpired", message: "the lease ran out" },
  receipt: {
    txHash: "0xa1",
    blockNumber: 1,
    blockHash: "0xb1",
    gasUsed: 1n,
    effectiveGasPriceWei: 1n,
    succeeded: false,
  },
};

describe("a heartbeat", () => {
  it("is of no use after its lease, and takes the place of one that waits", async () => {
    const { task, lease, lane, evm } = await claimed();
    await evm.heartbeat(task, 1);
    expect(lane.requests).toMatchObject([
      {
        key: `${task.id}:${task.round}:heartbeat:${lease.expiresAtMs}`,
        deadlineMs: lease.expiresAtMs,
        replaces: `${task.id}:heartbeat`,
      },
    ]);
  });

  it("that waits has its place taken by the outcome, which makes it needless", async () => {
    const { task, lane, evm } = await claimed();
    await evm.complete(task, "0x01");
    expect(lane.requests[0]).toMatchObject({ kind: "complete", replaces: `${task.id}:heartbeat` });
  });

  it("that was dropped as too late leaves the word to the contract", async () => {
    const { task, lane, evm } = await claimed();
    lane.onSubmit = () => ({ kind: "dropped", reason: "expired", message: "its deadline passed" });
    expect(await evm.heartbeat(task, 1)).toMatchObject({ kind: "extended" });
  });
});

describe("a lease", () => {
  it("is named by its claim, the same through renewals and for a process that knows nothing", async () => {
    const { task, lease } = await bench.claimed(await bench.enqueue());
    await bench.passChainTime(5);
    const renewed = await bench.source.heartbeat(task, 1);
    const held = await bench.create().evm.recover();
    const tokens = held.filter(({ offer }) => offer.id === task.id).map((each) => each.lease.token);
    expect(renewed).toMatchObject({ lease: { token: lease.token } });
    expect(tokens).toEqual([lease.token]);
    await bench.source.complete(task, "0x");
  });
});

describe("an outcome", () => {
  it("is told once it is in a block, and settled once that is deep enough", async () => {
    const { task, lane, evm } = await claimed();
    const order: string[] = [];
    lane.onConfirmed = async () => {
      order.push("waited for");
      return undefined;
    };
    const settled = await evm.complete(task, "0x01", () => order.push("included"));
    expect(settled).toEqual({ kind: "settled" });
    expect(order).toEqual(["included", "waited for"]);
  });

  it("has the workflow moved on as soon as it is in a block", async () => {
    const { task, lane, evm } = await claimed();
    const kinds = () => lane.requests.map(({ kind }) => kind);
    let before: string[] = [];
    lane.onConfirmed = async () => {
      await new Promise((resolve) => void setImmediate(resolve));
      before = kinds();
      return undefined;
    };
    await evm.complete({ ...task, workflowInstanceId: idOf(7) }, "0x01");
    expect(before).toEqual(["complete", "resume"]);
  });

  it("that is refused while the activity is ours and open is told again under a new key, not lost", async () => {
    const { task, lane, evm } = await claimed();
    lane.onSubmit = ({ key }) => (key.endsWith(":complete") ? REFUSED : undefined);
    expect(await evm.complete(task, "0x01")).toEqual({ kind: "settled" });
    const keys = lane.requests.map(({ key }) => key);
    expect(keys).toEqual([`${task.id}:${task.round}:complete`, `${task.id}:${task.round}:complete:2`]);
    expect((await bench.create().evm.inspect([task.id]))[0]).toEqual({ kind: "settled", isByUs: true });
  });

  it("that a reorganisation turned into a failure is told again", async () => {
    const { task, lane, evm } = await claimed();
    // In a block, and gone from it before it was deep enough: the contract has never heard of it.
    lane.onSubmit = ({ key }) => (key.endsWith(":complete") ? { ...REVERTED, kind: "mined" } : undefined);
    lane.onConfirmed = async (key) => (key.endsWith(":complete") ? REVERTED : undefined);
    expect(await evm.complete(task, "0x01")).toEqual({ kind: "settled" });
    expect((await bench.create().evm.inspect([task.id]))[0]).toEqual({ kind: "settled", isByUs: true });
  });

  it("that reverts every time is not paid for without end", async () => {
    const { task, lane, evm } = await claimed();
    lane.onSubmit = () => REVERTED;
    expect(await evm.complete(task, "0x01")).toEqual({ kind: "lost", reason: "the lease ran out" });
    expect(lane.requests).toHaveLength(3);
  });

  it("that the contract will never take is refused for good, at once", async () => {
    const { task, lane, evm } = await claimed();
    lane.onSubmit = () => TOO_LARGE;
    expect(await evm.complete(task, "0x01")).toEqual({ kind: "refused", reason: "payload of 99999 bytes" });
    lane.onSubmit = () => ({ kind: "dropped", reason: "purged", message: "no block takes it" });
    expect(await evm.complete(task, "0x01")).toMatchObject({ kind: "refused" });
    expect(lane.requests).toHaveLength(2);
  });

  it("that the operator cancelled is not told again behind his back", async () => {
    const { task, lane, evm } = await claimed();
    lane.onSubmit = () => ({ kind: "dropped", reason: "cancelled", message: "cancelled with wcp tx" });
    expect(await evm.complete(task, "0x01")).toEqual({ kind: "lost", reason: "cancelled with wcp tx" });
  });

  it("of an activity that was never on this chain is lost, and so is its claim: nothing falls over", async () => {
    const task = bench.taskOf(idOf(4_711));
    expect(await bench.source.claim(task)).toMatchObject({ kind: "refused" });
    expect(await bench.source.complete(task, "0x01")).toMatchObject({ kind: "lost" });
    expect(await bench.source.inspect([task.id])).toEqual([{ kind: "unknown" }]);
  });
});

describe("how activities stand", () => {
  it("is told for many at once, in the order asked, in few calls", async () => {
    const rival = await bench.rival();
    const ids: string[] = [];
    while (ids.length < 6) ids.push(await bench.enqueue());
    const [mine = "", theirs = "", done = "", lapsed = "", open = "", withdrawn = ""] = ids;
    await bench.claimed(lapsed);
    await bench.passChainTime(LEASE_S + 1);
    const { task } = await bench.claimed(done);
    await bench.source.complete(task, "0x");
    const { task: held } = await bench.claimed(mine);
    await bench.queueCall(rival, "claimActivity", [theirs]);
    await bench.queueCall(bench.dev.contracts.owner, "withdrawActivity", [withdrawn]);
    const { chain, calls } = counting(bench.on.chain);
    const { evm } = bench.create({ chain });
    const standings = await evm.inspect([mine, theirs, done, lapsed, open, withdrawn, idOf(99)]);
    expect(standings).toMatchObject([
      { kind: "held" },
      { kind: "taken" },
      { kind: "settled", isByUs: true },
      { kind: "open" },
      { kind: "open" },
      { kind: "settled", isByUs: false },
      { kind: "unknown" },
    ]);
    expect(calls).toEqual(["call"]);
    await bench.source.fail(held, "done with it");
  });

  it("is told also where one call cannot carry all that was asked", async () => {
    const ids = [await bench.enqueue(), await bench.enqueue(), await bench.enqueue()];
    const { chain } = counting(bench.on.chain);
    let refused = 0;
    const narrow = new Proxy(chain, {
      get: (target, name) =>
        name !== "call"
          ? (Reflect.get(target, name) as unknown)
          : async (request: { readonly to: string; readonly data: string }) => {
              // A node that stops a call at some amount of work answers as if there were nothing.
              if (request.data.length <= 1_400) return target.call(request);
              refused += 1;
              return "0x";
            },
    });
    const standings = await bench.create({ chain: narrow }).evm.inspect(ids);
    expect(standings.map(({ kind }) => kind)).toEqual(["open", "open", "open"]);
    expect(refused).toBeGreaterThan(0);
  });
});

describe("leases that are shorter than a heartbeat takes", () => {
  it("are no reason to claim, until heartbeats are quick again or nobody knows", async () => {
    const clock = new FakeClock();
    const renewals = new RenewalWatch(clock);
    expect(renewals.trouble).toBeUndefined();
    renewals.sawLease(30_000);
    renewals.measured(19_000);
    expect(renewals.trouble).toBeUndefined();
    renewals.measured(60_000);
    expect(renewals.trouble).toContain("a lease lasts 30.0 s and a heartbeat takes 29.3 s");
    for (let beat = 0; beat < 5; beat += 1) renewals.measured(1_000);
    expect(renewals.trouble).toBeUndefined();
    renewals.measured(90_000);
    expect(renewals.trouble).toBeDefined();
    await clock.advance(300_001);
    expect(renewals.trouble).toBeUndefined();
  });
});
