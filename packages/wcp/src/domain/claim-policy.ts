/** How many claims may be under way at once, and which lost races have been counted. */
export interface ClaimWindow {
  readonly size: number;
  /** Goes up with every narrowing: claims that began before it belong to races that were counted. */
  readonly epoch: number;
}

export type ClaimResult = "won" | "lost";

/** Where to begin: with few, since rivals are known only when they have claimed something. */
export function firstWindow(most: number): ClaimWindow {
  return { size: Math.min(most, Math.max(2, most >> 3)), epoch: 0 };
}

/**
 * Fewer claims at once where races are lost, more where they are won: half as many after a lost one, down
 * to one, and one more with every one that is won, up to `most`; twice as many as long as none was lost.
 * Claims that were under way together are one race: several lost at once narrow the window once.
 */
export function nextWindow(
  window: ClaimWindow,
  result: ClaimResult,
  { most, startedIn }: { readonly most: number; readonly startedIn: number },
): ClaimWindow {
  if (result === "won") {
    const size = window.epoch === 0 ? window.size * 2 : window.size + 1;
    return { ...window, size: Math.min(most, size) };
  }
  if (startedIn < window.epoch) return window;
  return { size: Math.max(1, window.size >> 1), epoch: window.epoch + 1 };
}

/** A number that stands for a text, to be mixed with others: 32 bits, the same on every machine. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return avalanche(hash);
}

/**
 * Where an activity stands in a worker's order of claims, in [0, 1); lower goes first.
 *
 * Every worker orders by a hash of itself and the activity, so that they do not all race for the same one.
 * Where rivals are known, each takes first those that no rival has nearer to its own front, and of the
 * others those that the rival will come to last: until one of them runs out of its own, no two of them want
 * the same.
 */
export function claimRank(activitySeed: number, selfSeed: number, rivalSeeds: Iterable<number>): number {
  const own = mix(selfSeed, activitySeed);
  let nearest = 1;
  for (const seed of rivalSeeds) nearest = Math.min(nearest, mix(seed, activitySeed));
  return own < nearest ? own / 2 : 1 - nearest / 2;
}

/** Whether a rival is nearer to it: from this rank on. */
export function isContested(rank: number): boolean {
  return rank >= 0.5;
}

/**
 * How many claims at once may go for what a rival is nearer to: none of what rivals that are at work claim
 * next, `left` in all, and of the rest no more than a quarter of what is open. So when little is left, all
 * of it is left to those who are nearer.
 */
export function mostContested(waiting: {
  readonly open: number;
  readonly contested: number;
  readonly left: number;
}): number {
  const { open, contested, left } = waiting;
  return Math.max(0, Math.min(contested - left, Math.max(1, open >> 2)));
}

/** Uniform in [0, 1). */
function mix(a: number, b: number): number {
  return (avalanche(a ^ Math.imul(b, 0x9e3779b1)) >>> 0) / 2 ** 32;
}

/** The finalizer of MurmurHash3: every bit of the result depends on every bit of the value. */
function avalanche(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
