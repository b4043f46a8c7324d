// The lane against a simulated chain, through any sequence of troubles. A run that fails is printed with its
// seed and path; LANE_SEED and LANE_PATH replay it.
import { env } from "node:process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Step } from "./_lane-steps.ts";
import { takeStep, theStep } from "./_lane-steps.ts";
import { violationsOf } from "./_lane-verdict.ts";
import { LaneWorld, memoryDisk, NEVER, sqliteDisk, type WorldOptions } from "./_lane-world.ts";
import { settle } from "./_until.ts";

const DEEP_RUNS = Number(env["DEEP_RUNS"] ?? 0);
const RUNS = DEEP_RUNS > 0 ? DEEP_RUNS : 500;
/** The files of a database are slow: one run in so many. */
const RUNS_PER_SQLITE_RUN = 25;
const MOST_TURNS = 400;

/** What a lane can do, and what can become of an intent and of a transaction. */
const EVERYTHING = [
  ["bumped", "resent", "given_up", "displaced", "reorged", "gap_filled", "batch_reverted"],
  ["mined", "reverted", "refused", "expired", "superseded", "cancelled", "purged"],
  ["single", "batch", "noop", "delegation"],
].flat();

const setting = fc.record({
  confirmationsBlocks: fc.constantFrom(0, 1, 3),
  maxPending: fc.constantFrom(1, 2, 64),
  isBatching: fc.boolean(),
  isCapped: fc.boolean(),
});
// Long ones as often as short ones.
const steps = fc.noBias(fc.array(theStep, { minLength: 3, maxLength: 30, size: "max" }));

/** Nothing goes wrong any more, and everybody who asked asks again. */
async function quieten(world: LaneWorld): Promise<void> {
  const { chain } = world;
  world.answer(() => undefined);
  world.disk.slow(1);
  chain.stale = { reads: 0, blocks: 0 };
  chain.receiptLag = 0;
  chain.baseFeeWei = 1_000_000_000n;
  chain.floorWei = 0n;
  chain.balance = 10n ** 20n;
  chain.refusesGaps = false;
  for (const { nonce, isForeign } of chain.pool.values()) if (isForeign) chain.drop(nonce);
  chain.announce();
  await world.restart(NEVER, "before");
  world.askAll();
}

function isQuiet({ bench, chain, requests, forgotten }: LaneWorld): boolean {
  const { store } = bench;
  // What a process sent whose database is gone may wait for a nonce that nobody needs.
  const isDrained = [...chain.pool.values()].every(
    ({ nonce, hash }) => !bench.attemptsAt(nonce).some(({ txHash }) => txHash === hash),
  );
  const isKnown = [...requests.keys()].every(
    (key) => forgotten.has(key) || store.intentByKey(key) !== undefined,
  );
  const hasEnded = store.openIntents().length === 0 && store.openTransactions().length === 0;
  return isDrained && isKnown && hasEnded && (store.highestNonce() ?? -1) < chain.nonce;
}

async function runThrough(
  options: WorldOptions,
  sequence: readonly Step[],
  seen: Set<string>,
): Promise<void> {
  await using world = new LaneWorld(options);
  await settle(3);
  for (const step of sequence) {
    await takeStep(world, step);
    await world.disk.written();
  }
  await quieten(world);
  for (let turns = 0; turns < MOST_TURNS && !isQuiet(world); turns += 1) await turn(world);
  expect(isQuiet(world), `not quiet after ${MOST_TURNS} turns: ${stuck(world)}`).toBe(true);
  // Whatever comes too late comes now.
  for (let turns = 0; turns < 4; turns += 1) await turn(world);
  expect(violationsOf(world)).toEqual([]);
  for (const what of world.seen) seen.add(what);
}

async function turn(world: LaneWorld): Promise<void> {
  await world.pass(1_000);
  world.chain.mine();
  await settle(4);
  await world.disk.written();
}

function stuck({ bench, chain }: LaneWorld): string {
  return JSON.stringify({
    intents: bench.store.openIntents().map(({ key, state }) => [key, state.kind]),
    transactions: bench.store.openTransactions().map(({ nonce, kind, state }) => [nonce, kind, state.kind]),
    highest: bench.store.highestNonce(),
    mined: chain.nonce,
    pool: [...chain.pool.keys()],
    says: bench.lane.notReady(),
  });
}

/** Resolves with everything that happened in at least one run. */
async function check(runs: number, createDisk: WorldOptions["createDisk"]): Promise<Set<string>> {
  const { LANE_SEED: seed, LANE_PATH: path } = env;
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(setting, steps, (options, sequence) =>
      runThrough({ ...options, createDisk }, sequence, seen),
    ),
    {
      numRuns: runs,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(path === undefined ? {} : { path }),
    },
  );
  return seen;
}

describe("a lane through any sequence of troubles", () => {
  it("does every intent once or says why not, leaves no nonce behind, and was right in all it said", async () => {
    const seen = await check(RUNS, memoryDisk);
    // Troubles that never come to pass would prove nothing.
    if (env["LANE_PATH"] === undefined) expect([...seen].toSorted()).toEqual(EVERYTHING.toSorted());
  }, 3_600_000);

  it("does so with its database in a file", async () => {
    await check(Math.ceil(RUNS / RUNS_PER_SQLITE_RUN), sqliteDisk);
  }, 3_600_000);
});
