import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import type { IntentOutcome } from "../src/chain-ports.ts";
import { FakeChain } from "./_fake-chain.ts";
import { FakeSigner } from "./_fake-signer.ts";
import { LaneBench, turnUntilSettled } from "./_lane-bench.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { type Ending, Mortal } from "./_mortal.ts";
import { settle } from "./_until.ts";

const GWEI = 1_000_000_000n;
const NEVER = Number.MAX_SAFE_INTEGER;

/** A chain and a disk, over which processes come and go. */
class World {
  readonly chain = new FakeChain();
  readonly disk = new MemoryDisk();
  readonly clock = new FakeClock();
  bench: LaneBench;
  process: Mortal;
  readonly #bySender = new Map<number, Set<string>>();

  constructor(cutAt = NEVER, ending: Ending = "before") {
    this.watchSends(() => undefined);
    [this.bench, this.process] = this.#boot(cutAt, ending);
  }

  /** Every send is checked: the bytes are on disk (L1), and a nonce has one intent only (L2). */
  watchSends(answer: FakeChain["intercept"]): void {
    this.chain.intercept = (tx, node) => {
      expect(this.disk.raws.has(this.chain.sent.at(-1) ?? "")).toBe(true);
      const intents = this.#bySender.get(tx.nonce) ?? new Set();
      this.#bySender.set(tx.nonce, intents.add(tx.data));
      expect([...intents]).toEqual([tx.data]);
      return answer(tx, node);
    };
  }

  #boot(cutAt: number, ending: Ending): [LaneBench, Mortal] {
    let bench: LaneBench | undefined;
    const process = new Mortal(cutAt, ending, () => void bench?.stop());
    const { chain, disk, clock } = this;
    const signer = new FakeSigner();
    bench = new LaneBench(
      { resendAfterMs: 3_000, bumpAfterMs: 6_000 },
      {
        chain,
        disk,
        clock,
        signer,
        deps: {
          chain: process.guard<FakeChain>(chain, [
            "code",
            "minedCount",
            "pendingCount",
            "estimateGas",
            "feeMarket",
            "send",
            "receipt",
            "call",
          ]),
          signer: process.guard<FakeSigner>(signer, ["sign"]),
          store: process.guard(disk.open(), ["addIntent", "saveIntents", "saveTransaction"]),
        },
      },
    );
    bench.run();
    return [bench, process];
  }

  /** The process is killed, if it is not gone already, and a new one starts. */
  restart(cutAt = NEVER, ending: Ending = "before"): void {
    this.process.kill();
    [this.bench, this.process] = this.#boot(cutAt, ending);
  }

  /** The `step`-th second: no block comes before the first replacement. */
  async second(step: number): Promise<void> {
    await this.clock.advance(1_000);
    await settle(5);
    if (step >= 8) this.chain.mine();
    await settle(5);
  }
}

/** Submits three intents: one that a node loses and that has to be replaced, one that is refused, one that reverts. */
function submitAll({ bench }: World): Promise<IntentOutcome>[] {
  return ["a1", "b2", "c3"].map((name) => bench.submit(name, name === "a1" ? "complete" : "claim"));
}

async function settledKinds(world: World): Promise<string[]> {
  const turn = { step: 0 };
  const outcomes = await turnUntilSettled(
    Promise.all(submitAll(world)),
    () => world.second((turn.step += 1)),
    60,
  );
  return outcomes.map(({ kind }) => kind);
}

function createScenario(cutAt: number, ending: Ending): World {
  const world = new World(cutAt, ending);
  world.chain.refusals.set("0xb2", { name: "Taken", message: "taken" });
  world.chain.reverts.set("0xc3", { name: "LeaseExpired", message: "the lease ran out" });
  let isLost = false;
  world.watchSends((tx) => {
    if (tx.data === "0xa1" && !isLost) {
      isLost = true;
      return { kind: "unknown", message: "connection reset" };
    }
    // Only a replacement is good enough for this node.
    return tx.data === "0xa1" && tx.fees.maxFeePerGasWei < 22n * GWEI ? { kind: "accepted" } : undefined;
  });
  return world;
}

describe("a lane that ends at any of its calls", () => {
  const whole = createScenario(NEVER, "before");
  const lifetime = settledKinds(whole);

  it("makes enough of them in this scenario to be worth it", async () => {
    expect(await lifetime).toEqual(["mined", "refused", "reverted"]);
    expect(new Set(whole.process.calls)).toEqual(
      new Set([
        "code",
        "minedCount",
        "pendingCount",
        "estimateGas",
        "feeMarket",
        "sign",
        "send",
        "receipt",
        "call",
        "addIntent",
        "saveIntents",
        "saveTransaction",
      ]),
    );
    expect(whole.chain.sent.length).toBeGreaterThan(5);
  });

  it.each<[string, Ending]>([
    ["dies before the call has its effect", "before"],
    ["dies after the call had its effect and before it hears of it", "after"],
    ["is asked to stop", "stop"],
  ])("has each intent happen once when it %s and another goes on", async (_what, ending) => {
    await lifetime;
    const { length } = whole.process.calls;
    for (let cutAt = 1; cutAt <= length; cutAt += 1) {
      const world = createScenario(cutAt, ending);
      const first = submitAll(world);
      for (let step = 1; step <= 60 && !world.process.isOver; step += 1) await world.second(step);
      const where = `call ${cutAt} of ${length}: ${world.process.calls.at(-1)}`;
      expect(world.process.isOver, where).toBe(true);
      if (ending === "stop") await world.bench.stop();
      world.restart();
      expect(await settledKinds(world), where).toEqual(["mined", "refused", "reverted"]);
      expect(world.chain.effects(), where).toEqual({ "0xa1": 1 });
      expect(world.chain.mined, where).toHaveLength(2);
      expect(world.disk.open().openIntents(), where).toEqual([]);
      await world.bench.stop();
      if (ending === "stop") await Promise.allSettled(first);
    }
  });
});
