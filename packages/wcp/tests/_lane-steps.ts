import * as fc from "fast-check";
import type { IntentKind } from "../src/domain/intent.ts";
import type { SendOutcome, TxOrder } from "../src/chain-ports.ts";
import { EXECUTOR } from "./_fake-batch.ts";
import { foreignTx, isNoop, parseTx } from "./_fake-signer.ts";
import { request } from "./_lane-bench.ts";
import { type LaneWorld, NEVER } from "./_lane-world.ts";
import type { Ending } from "./_mortal.ts";
import { settle } from "./_until.ts";

const GWEI = 1_000_000_000n;
const KINDS: readonly IntentKind[] = [
  "claim",
  "claim",
  "heartbeat",
  "heartbeat",
  "complete",
  "fail",
  "resume",
];

/** How a node answers to what it is sent, whether it takes it or not. */
const ANSWERS = {
  well: undefined,
  "taken, no answer": { kind: "unknown", message: "timeout" },
  "taken and mined, no answer": { kind: "unknown", message: "timeout" },
  "taken, nonce too high": { kind: "nonce_too_high", message: "nonce too high" },
  lost: { kind: "unknown", message: "connection reset" },
  "no funds": { kind: "insufficient_funds", message: "insufficient funds" },
  underpriced: { kind: "underpriced", message: "transaction underpriced" },
  "replacement underpriced": { kind: "replacement_underpriced", message: "replacement underpriced" },
  "nonce too high": { kind: "nonce_too_high", message: "nonce too high" },
  "nonce too low": { kind: "nonce_too_low" },
  "in flight": { kind: "in_flight_limit", message: "in-flight transaction limit reached" },
  "never valid": { kind: "never_valid", message: "exceeds block gas limit" },
} as const satisfies Record<string, SendOutcome | undefined>;
type Answer = keyof typeof ANSWERS;

export type Step =
  | {
      readonly do: "submit";
      readonly number: number;
      readonly deadlineMs: number | undefined;
      readonly replaces: boolean;
    }
  | { readonly do: "mine"; readonly blocks: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "drop"; readonly ahead: number | "all" }
  | { readonly do: "use key elsewhere"; readonly count: number }
  /** The block with the last transaction from elsewhere was never part of the chain. */
  | { readonly do: "undo the use elsewhere" }
  | { readonly do: "slow disk"; readonly turns: number }
  | { readonly do: "hold nonce elsewhere"; readonly ahead: number; readonly gwei: number }
  | {
      readonly do: "reorg";
      readonly depth: number;
      /** Deeper than what counts as final, maybe. */
      readonly isDeep: boolean;
      readonly keep: "all" | "none" | "even";
      readonly blocks: number;
    }
  | { readonly do: "gossip"; readonly which: number }
  | { readonly do: "fall behind"; readonly reads: number; readonly blocks: number }
  | { readonly do: "announce an old head"; readonly blocks: number }
  | { readonly do: "lag with receipts"; readonly looks: number }
  | { readonly do: "answer"; readonly how: Answer; readonly times: number }
  | { readonly do: "base fee"; readonly gwei: number }
  | { readonly do: "floor"; readonly gwei: number }
  | { readonly do: "kill"; readonly cutAt: number; readonly ending: Ending }
  | { readonly do: "stop" }
  | { readonly do: "wipe the database" }
  | { readonly do: "order"; readonly action: TxOrder["action"]; readonly ahead: number }
  | { readonly do: "refuse" | "revert"; readonly number: number }
  | { readonly do: "delegate elsewhere"; readonly to: string | undefined }
  | { readonly do: "break batches"; readonly isBroken: boolean };

const just = <T extends Step["do"]>(what: T) => fc.constant(what);
const ahead = fc.nat(3);

export const theStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 16,
    arbitrary: fc.record({
      do: just("submit"),
      number: fc.nat(9),
      deadlineMs: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, 0, 2_000, 20_000),
      replaces: fc.constantFrom(true, true, false),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: just("mine"), blocks: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: just("pass"), ms: fc.constantFrom(1_000, 3_000, 7_000, 15_000, 15_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: just("drop"), ahead: fc.oneof(ahead, fc.constant("all" as const)) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: just("use key elsewhere"), count: fc.integer({ min: 1, max: 2 }) }),
  },
  { weight: 5, arbitrary: fc.record({ do: just("undo the use elsewhere") }) },
  { weight: 1, arbitrary: fc.record({ do: just("slow disk"), turns: fc.constantFrom(1, 5, 40) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: just("hold nonce elsewhere"), ahead, gwei: fc.constantFrom(5, 25, 80) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: just("reorg"),
      depth: fc.integer({ min: 1, max: 5 }),
      isDeep: fc.nat(4).map((one) => one === 4),
      keep: fc.constantFrom("all" as const, "none" as const, "even" as const),
      blocks: fc.nat(6),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: just("gossip"), which: fc.nat(50) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: just("fall behind"),
      reads: fc.integer({ min: 1, max: 40 }),
      blocks: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: just("announce an old head"), blocks: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: just("lag with receipts"), looks: fc.nat(6) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: just("answer"),
      how: fc.constantFrom(...(Object.keys(ANSWERS) as Answer[])),
      times: fc.constantFrom(1, 2, 5, NEVER),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: just("base fee"), gwei: fc.constantFrom(1, 10, 20, 45) }) },
  { weight: 1, arbitrary: fc.record({ do: just("floor"), gwei: fc.constantFrom(0, 22, 40) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: just("kill"),
      cutAt: fc.integer({ min: 1, max: 40 }),
      ending: fc.constantFrom<Ending>("before", "after", "stop"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: just("stop") }) },
  { weight: 1, arbitrary: fc.record({ do: just("wipe the database") }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: just("order"),
      action: fc.constantFrom<TxOrder["action"]>("bump", "cancel", "cancel", "rebroadcast"),
      ahead,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("refuse" as const, "revert" as const), number: fc.nat(9) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: just("delegate elsewhere"),
      to: fc.constantFrom(undefined, EXECUTOR, `0x${"dd".repeat(20)}`),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: just("break batches"), isBroken: fc.boolean() }) },
);

type Take = { readonly [K in Step["do"]]: (world: LaneWorld, step: Extract<Step, { do: K }>) => unknown };

const TAKE: Take = {
  submit: (world, { number, deadlineMs, replaces }) => {
    const kind = KINDS[number % KINDS.length]!;
    const isBeat = kind === "heartbeat";
    world.submit(
      request(nameOf(world, number), kind, {
        ...(deadlineMs === undefined ? {} : { deadlineMs: world.clock.nowMs() + deadlineMs }),
        ...(replaces && isBeat ? { replaces: "the lease" } : {}),
      }),
    );
  },
  mine: async ({ chain }, { blocks }) => {
    for (let block = 0; block < blocks; block += 1) {
      chain.mine();
      await settle(3);
    }
  },
  pass: (world, { ms }) => world.pass(ms),
  drop: ({ chain }, { ahead: offset }) =>
    offset === "all" ? chain.pool.clear() : chain.drop(chain.nonce + offset),
  "use key elsewhere": ({ chain }, { count }) => chain.useKeyElsewhere(count),
  "undo the use elsewhere": (world) => {
    const { head, mined } = world.chain.ledger;
    const last = mined.findLast(({ tx }) => tx.isForeign);
    if (last === undefined) return;
    const depth = head.number - last.receipt.blockNumber + 1;
    if (depth > shallow(world)) world.deepReorgs += 1;
    world.chain.reorg(depth, { keep: (tx) => !tx.isForeign });
  },
  "slow disk": ({ disk }, { turns }) => disk.slow(turns),
  "hold nonce elsewhere": ({ chain }, { ahead: offset, gwei }) => {
    const fees = { maxFeePerGasWei: BigInt(gwei) * GWEI, maxPriorityFeePerGasWei: GWEI };
    const nonce = chain.nonce + offset;
    chain.pool.set(nonce, foreignTx(nonce, fees));
  },
  reorg: (world, { depth: wanted, isDeep, keep, blocks }) => {
    const most = shallow(world);
    const depth = isDeep ? wanted : Math.min(wanted, most);
    if (depth <= 0) return;
    if (depth > most) world.deepReorgs += 1;
    world.chain.reorg(depth, {
      keep: (tx) => keep === "all" || (keep === "even" && tx.nonce % 2 === 0),
      blocks,
    });
  },
  gossip,
  "fall behind": ({ chain }, { reads, blocks }) => {
    chain.stale = { reads, blocks };
  },
  "announce an old head": ({ chain }, { blocks }) =>
    chain.announce(chain.ledger.blocks[Math.max(0, chain.ledger.head.number - blocks)]),
  "lag with receipts": ({ chain }, { looks }) => {
    chain.receiptLag = looks;
  },
  answer: (world, { how, times }) => {
    let left = times;
    world.answer((tx, node) => {
      if (left === 0 || (how === "never valid" && isNoop(tx))) return undefined;
      left -= 1;
      if (how.startsWith("taken")) node();
      if (how === "taken and mined, no answer") world.chain.mine();
      return ANSWERS[how];
    });
  },
  "base fee": ({ chain }, { gwei }) => {
    chain.baseFeeWei = BigInt(gwei) * GWEI;
  },
  floor: ({ chain }, { gwei }) => {
    chain.floorWei = BigInt(gwei) * GWEI;
  },
  kill: (world, { cutAt, ending }) => world.restart(cutAt, ending),
  stop: (world) => world.stopAndStart(),
  "wipe the database": (world) => world.wipe(),
  order: ({ chain, disk }, { action, ahead: offset }) => disk.order(action, chain.nonce + offset),
  refuse: (world, { number }) =>
    world.chain.refusals.set(`0x${nameOf(world, number)}`, {
      name: "Refused",
      message: "the contract says no",
    }),
  revert: (world, { number }) =>
    world.chain.reverts.set(`0x${nameOf(world, number)}`, {
      name: "Reverted",
      message: "the contract throws",
    }),
  "delegate elsewhere": ({ chain }, { to }) => chain.delegate(to),
  "break batches": ({ chain }, { isBroken }) => {
    chain.ledger.isBatchBroken = isBroken;
  },
};

/** How many blocks no depth of confirmation had made final, seen from the highest block there ever was. */
function shallow({ options, chain }: LaneWorld): number {
  return options.confirmationsBlocks - (chain.ledger.highest - chain.ledger.head.number);
}

/** A peer still has bytes of a transaction that is under way, maybe replaced since, and tells of them again. */
function gossip({ chain, bench }: LaneWorld, { which }: { readonly which: number }): void {
  const raw = chain.sent.at(-1 - (which % Math.max(1, chain.sent.length)));
  if (raw === undefined) return;
  const tx = parseTx(raw);
  const open = bench.store.openTransactions().find(({ nonce }) => nonce === tx.nonce);
  const isOurs = open?.attempts.some(({ txHash }) => txHash === tx.hash) === true;
  if (isOurs && tx.nonce >= chain.nonce) chain.pool.set(tx.nonce, tx);
}

/** What was asked for before the database was deleted is not asked for again: the task's own life is not here. */
function nameOf({ wipes }: LaneWorld, number: number): string {
  return `${(10 + wipes).toString(16)}${number.toString(16)}`;
}

export async function takeStep(world: LaneWorld, step: Step): Promise<void> {
  // One row per step: TypeScript cannot see that the row found takes the step it was found by.
  const take = TAKE[step.do] as (world: LaneWorld, step: Step) => unknown;
  await take(world, step);
  await settle(3);
}
