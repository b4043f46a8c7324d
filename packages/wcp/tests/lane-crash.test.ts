import { FakeClock } from "@subnet-worker/testkit";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IntentOutcome } from "../src/ports.ts";
import { FakeChain, FakeSigner, parseTx } from "./_fake-chain.ts";
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
            "minedCount",
            "pendingCount",
            "estimateGas",
            "marketFees",
            "send",
            "receipt",
            "call",
          ]),
          signer: process.guard<FakeSigner>(signer, ["sign"]),
          store: process.guard(disk.open(), ["addIntent", "saveIntent"]),
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
        "minedCount",
        "pendingCount",
        "estimateGas",
        "marketFees",
        "sign",
        "send",
        "receipt",
        "call",
        "addIntent",
        "saveIntent",
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
      for (let step = 0; step < 60 && !world.process.isOver; step += 1) await world.second(step);
      const where = `call ${cutAt} of ${length}: ${world.process.calls.at(-1)}`;
      expect(world.process.isOver, where).toBe(true);
      if (ending === "stop") await world.bench.stop();
      world.restart();
      expect(await settledKinds(world), where).toEqual(["mined", "refused", "reverted"]);
      expect(world.chain.effects(), where).toEqual({ "0xa1": 1, "0xc3": 1 });
      expect(world.chain.mined, where).toHaveLength(2);
      expect(world.disk.open().openIntents(), where).toEqual([]);
      await world.bench.stop();
      if (ending === "stop") await Promise.allSettled(first);
    }
  });
});

type Step =
  | { readonly do: "submit"; readonly name: string }
  | { readonly do: "mine" }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "drop the pool" }
  | { readonly do: "crash"; readonly cutAt: number; readonly ending: Ending }
  | { readonly do: "base fee"; readonly gwei: bigint }
  /** What the node does with the next transactions, and whether it says so. */
  | { readonly do: "answer"; readonly how: "taken in silence" | "lost" | "no funds" | "well" };

const NAMES = ["a1", "a2", "a3", "a4"];
const just = <T extends string>(what: T) => fc.constant({ do: what } as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("submit" as const), name: fc.constantFrom(...NAMES) }),
  },
  { weight: 4, arbitrary: just("mine") },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(500, 3_000, 12_000) }),
  },
  { weight: 2, arbitrary: just("drop the pool") },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      cutAt: fc.integer({ min: 1, max: 12 }),
      ending: fc.constantFrom<Ending>("before", "after"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("base fee" as const), gwei: fc.constantFrom(2n, 40n) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("answer" as const),
      how: fc.constantFrom(
        "taken in silence" as const,
        "lost" as const,
        "no funds" as const,
        "well" as const,
      ),
    }),
  },
);

async function take(world: World, next: Step): Promise<void> {
  switch (next.do) {
    case "submit":
      void world.bench.submit(next.name);
      break;
    case "mine":
      world.chain.mine();
      break;
    case "pass":
      await world.bench.pass(next.ms);
      break;
    case "drop the pool":
      world.chain.pool.clear();
      break;
    case "crash":
      world.restart(next.cutAt, next.ending);
      for (const { key } of world.disk.open().openIntents()) void world.bench.submit(key);
      break;
    case "base fee":
      world.chain.baseFeeWei = next.gwei * GWEI;
      break;
    case "answer":
      world.watchSends((_tx, node) => {
        if (next.how === "well") return undefined;
        if (next.how === "no funds") return { kind: "insufficient_funds", message: "insufficient funds" };
        if (next.how === "taken in silence") node();
        return { kind: "unknown", message: "no answer" };
      });
      break;
  }
  await settle(3);
}

describe("a lane through any sequence of troubles", () => {
  it("has every intent happen exactly once in the end, with no nonce left over", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const world = new World();
        for (const next of steps) await take(world, next);
        // Everything is well again, and every caller asks again.
        world.watchSends(() => undefined);
        world.chain.baseFeeWei = GWEI;
        world.restart();
        const outcomes = NAMES.map((name) => world.bench.submit(name));
        const ended = await turnUntilSettled(
          Promise.all(outcomes),
          async () => {
            await world.bench.pass(1_000);
            world.chain.mine();
          },
          200,
        );
        expect(ended.map(({ kind }) => kind)).toEqual(NAMES.map(() => "mined"));
        expect(world.chain.effects()).toEqual(Object.fromEntries(NAMES.map((name) => [`0x${name}`, 1])));
        expect(world.chain.mined).toHaveLength(NAMES.length);
        expect(world.chain.pool.size).toBe(0);
        await world.bench.stop();
      }),
      { numRuns: 100 },
    );
  });

  it("gives back every nonce that somebody else used, and still does each intent once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ submitted: fc.nat(2), stolen: fc.nat(2), ms: fc.constantFrom(500, 15_000) }), {
          maxLength: 6,
        }),
        async (rounds) => {
          const chain = new FakeChain();
          const bench = await LaneBench.start({}, { chain });
          const outcomes: Promise<IntentOutcome>[] = [];
          for (const { submitted, stolen, ms } of rounds) {
            for (let more = 0; more < submitted; more += 1)
              outcomes.push(bench.submit(`d${outcomes.length}`));
            await settle();
            chain.useKeyElsewhere(stolen);
            await bench.pass(ms);
          }
          await turnUntilSettled(
            Promise.all(outcomes),
            async () => {
              await bench.pass(1_000);
              chain.mine();
            },
            100,
          );
          expect(Object.values(chain.effects())).toEqual(outcomes.map(() => 1));
          expect(new Set(chain.sent.map((raw) => parseTx(raw).hash)).size).toBeGreaterThanOrEqual(
            outcomes.length,
          );
          await bench.stop();
        },
      ),
      { numRuns: 25 },
    );
  });
});
