import type { Random } from "./_random.ts";
import { FAIR, type SendPhase, type Weather } from "./_rpc-faults.ts";

/** When the process is killed, counted from its start. */
export type Moment =
  | { readonly kind: "after"; readonly ms: number }
  /** Right after its nth line of log. */
  | { readonly kind: "line"; readonly nth: number }
  /** While its nth transaction is on the way. */
  | { readonly kind: "send"; readonly phase: SendPhase; readonly nth: number };

export interface Reorg {
  /** After the process was started. */
  readonly afterMs: number;
  /** Blocks that are replaced. */
  readonly depth: number;
  /** Share of their transactions that the new blocks have; the others are lost. */
  readonly keptShare: number;
}

/** One life of the process. */
export interface Round {
  readonly enqueue: readonly number[];
  readonly moment: Moment;
  readonly reorg: Reorg | undefined;
  /** Whether its database is deleted once it is dead. */
  readonly deletesDb: boolean;
}

export interface ChaosSize {
  readonly activities: number;
  readonly kills: number;
  readonly dbDeletions: number;
  readonly reorgs: number;
  readonly confirmations: number;
}

/** Everything that is decided beforehand. */
export interface ChaosPlan {
  readonly rounds: readonly Round[];
  /** How long each activity's handler takes, by number. */
  readonly durationsMs: readonly number[];
}

/** The same seed gives the same plan. */
export function planChaos(size: ChaosSize, random: Random): ChaosPlan {
  const { activities, kills, confirmations } = size;
  const durationsMs = Array.from({ length: activities }, () => drawDuration(random));
  const deletions = spread(size.dbDeletions, kills, random);
  const reorgs = spread(size.reorgs, kills, random);
  const share = (round: number) => Math.round((activities * round) / kills);
  const rounds = Array.from({ length: kills }, (_, round): Round => {
    const enqueue = durationsMs.map((_ms, number) => number).slice(share(round), share(round + 1));
    const reorg = reorgs.has(round) ? drawReorg(confirmations, random) : undefined;
    return { enqueue, moment: drawMoment(random), reorg, deletesDb: deletions.has(round) };
  });
  return { rounds, durationsMs };
}

/** One of each of `count` equal parts of `rounds`, and never the first: by then there is something to lose. */
function spread(count: number, rounds: number, random: Random): ReadonlySet<number> {
  const part = (index: number) => 1 + Math.floor(((rounds - 1) * index) / count);
  return new Set(
    Array.from({ length: count }, (_, index) => random.between(part(index), part(index + 1) - 1)),
  );
}

function drawDuration(random: Random): number {
  const share = random.next();
  if (share < 0.6) return random.between(0, 500);
  return share < 0.9 ? random.between(500, 3_000) : random.between(3_000, 10_000);
}

function drawReorg(confirmations: number, random: Random): Reorg {
  return {
    afterMs: random.between(500, 4_000),
    depth: random.between(Math.min(2, confirmations), confirmations),
    keptShare: random.pick([0, 0.5]),
  };
}

function drawMoment(random: Random): Moment {
  const share = random.next();
  if (share < 0.4) return { kind: "after", ms: random.between(0, 7_000) };
  if (share < 0.7) return { kind: "line", nth: random.between(1, 60) };
  const phase = random.pick<SendPhase>(["arrived", "accepted", "answered"]);
  return { kind: "send", phase, nth: random.between(1, 8) };
}

/** What an endpoint does for the next seconds. */
export interface Spell {
  readonly weather: Weather;
  readonly ms: number;
}

export function drawSpell(random: Random): Spell {
  const share = random.next();
  const ms = random.between(500, 3_000);
  if (share < 0.45) return { ms, weather: { ...FAIR, faultShare: 0.03 } };
  if (share < 0.6) return { ms, weather: { ...FAIR, faultShare: 0.5 } };
  if (share < 0.7) return { ms, weather: { ...FAIR, staleNonceBlocks: random.between(1, 10) } };
  if (share < 0.8) return { ms, weather: { ...FAIR, emptyLogs: true } };
  if (share < 0.95) return { ms, weather: { ...FAIR, lagBlocks: random.between(1, 4) } };
  return { ms: Math.min(ms, 1_500), weather: { ...FAIR, isDown: true } };
}
