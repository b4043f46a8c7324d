import type { IntentOutcome } from "../src/chain-ports.ts";
import { callsIn } from "./_fake-batch.ts";
import type { FakeMined } from "./_fake-ledger.ts";
import type { LaneWorld } from "./_lane-world.ts";

/** Everything that is wrong about a world in which nothing is under way any more. */
export function violationsOf(world: LaneWorld): string[] {
  return [
    ...world.violations,
    ...doubleEffects(world),
    ...[...world.requests.keys()].flatMap((key) => wrongEnding(world, key)),
    ...wrongWords(world),
    ...strangeNonces(world),
  ];
}

function doubleEffects({ chain, deepReorgs }: LaneWorld): string[] {
  // A batch that had thrown as a whole for good may be put into another block by such a reorg, and succeed.
  const inBatches = new Set(
    chain.ledger.mined.flatMap(({ tx, effects }) =>
      callsIn(tx.data, "execute") === undefined ? [] : effects,
    ),
  );
  return Object.entries(chain.effects())
    .filter(([data, count]) => count > 1 && !(deepReorgs > 0 && inBatches.has(data)))
    .map(([data, count]) => `${data} took effect ${count} times`);
}

/** What the store says of an intent has to be what the chain has. */
function wrongEnding(world: LaneWorld, key: string): string[] {
  if (world.forgotten.has(key)) return [];
  const state = world.bench.store.intentByKey(key)?.state;
  if (state === undefined || state.kind === "queued" || state.kind === "signed") {
    return [`${key} never ended: ${state?.kind ?? "not stored"}`];
  }
  if (world.deepReorgs > 0 && isFinal(state)) return lostToReorg(world, key, state);
  return [
    ...wrongEffects(world, key, state),
    ...wrongReceipt(world, key, state),
    ...wrongReason(world, key, state),
  ];
}

function wrongEffects({ chain, requests }: LaneWorld, key: string, state: IntentOutcome): string[] {
  const effects = chain.effects()[requests.get(key)?.data ?? ""] ?? 0;
  const wanted = state.kind === "mined" ? 1 : 0;
  return effects === wanted ? [] : [`${key} is ${describe(state)} and took effect ${effects} times`];
}

function isFinal(state: IntentOutcome): boolean {
  return !("isConfirmed" in state) || state.isConfirmed;
}

/**
 * No lane watches what is final. When a reorg deeper than that took it back, the same transaction is sent
 * again, and may come to something else; or somebody else's got the nonce. But it is not just gone.
 */
function lostToReorg({ chain }: LaneWorld, key: string, state: IntentOutcome): string[] {
  if (!("nonce" in state)) return [];
  return chain.mined.some(({ nonce }) => nonce === state.nonce)
    ? []
    : [`${key} was undone by a reorg and is not sent again`];
}

function wrongReceipt({ chain }: LaneWorld, key: string, state: IntentOutcome): string[] {
  if (state.kind !== "mined" && state.kind !== "reverted") return [];
  const { txHash, blockHash } = state.receipt;
  const mined: FakeMined | undefined = chain.ledger.mined.find(({ tx }) => tx.hash === txHash);
  if (mined === undefined) return [`${key} is ${state.kind} by a transaction that is not on the chain`];
  return mined.receipt.blockHash === blockHash ? [] : [`${key} names a block that is not on the chain`];
}

/** An intent is given up only for the reason that it says. */
function wrongReason(world: LaneWorld, key: string, state: IntentOutcome): string[] {
  if (state.kind !== "dropped") return [];
  const request = world.requests.get(key);
  if (state.reason === "expired" && (request?.deadlineMs ?? Infinity) > world.clock.nowMs()) {
    return [`${key} expired before its deadline`];
  }
  return state.reason === "superseded" && request?.replaces === undefined
    ? [`${key} was superseded, and nothing can replace it`]
    : [];
}

/** A final ending stays, unless a reorg went deeper than what counts as final. */
function wrongWords(world: LaneWorld): string[] {
  if (world.deepReorgs > 0) return [];
  return world.confirmed.flatMap(({ key, outcome }) => {
    if (world.forgotten.has(key)) return [];
    const state = world.bench.store.intentByKey(key)?.state;
    const isSame = state?.kind === outcome.kind && receiptOf(state) === receiptOf(outcome);
    return isSame ? [] : [`${key} was final as ${describe(outcome)} and is ${state?.kind ?? "gone"}`];
  });
}

/** Two intents with one nonce are the two of one batch. */
function strangeNonces({ bench, requests, forgotten }: LaneWorld): string[] {
  return [...requests.keys()].flatMap((key) => {
    const intent = forgotten.has(key) ? undefined : bench.store.intentByKey(key);
    if (intent === undefined || !("nonce" in intent.state)) return [];
    const transaction = bench.store.transactionAt(intent.state.nonce);
    return transaction?.intentIds.includes(intent.id) === true
      ? []
      : [`${key} names nonce ${intent.state.nonce}, whose transaction does not carry it`];
  });
}

function describe(state: IntentOutcome): string {
  return state.kind === "dropped" ? `dropped (${state.reason})` : state.kind;
}

function receiptOf(state: IntentOutcome | { readonly kind: string }): string {
  return "receipt" in state ? `${state.receipt.txHash} in ${state.receipt.blockHash}` : "";
}
