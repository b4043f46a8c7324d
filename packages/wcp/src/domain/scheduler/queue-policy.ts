/** What the operator decides about a queue. */
export interface QueuePolicy {
  readonly name: string;
  /** Share of what is started, beside the weights of the queues of the same priority. */
  readonly weight: number;
  /** Higher goes first, whatever the weights. */
  readonly priority: number;
  /** Most in flight at once; `undefined` for no limit of its own. */
  readonly maxInflight: number | undefined;
  /** Most started per second, and at once after a pause; `undefined` for no limit. */
  readonly rate: { readonly perS: number; readonly burst: number } | undefined;
  readonly isPaused: boolean;
}

/** What a queue is about which nothing was decided. */
export function plainQueue(name: string): QueuePolicy {
  return { name, weight: 1, priority: 0, maxInflight: undefined, rate: undefined, isPaused: false };
}

/** The queues as the operator left them: `pauses` are what was paused, or went on, at run time. */
export function withPauses(
  queues: readonly QueuePolicy[],
  pauses: Iterable<readonly [name: string, isPaused: boolean]>,
): readonly QueuePolicy[] {
  const all = new Map(queues.map((queue) => [queue.name, queue]));
  for (const [name, isPaused] of pauses) all.set(name, { ...(all.get(name) ?? plainQueue(name)), isPaused });
  return [...all.values()];
}

/** A queue as the operator sees it. */
export interface QueueView {
  readonly name: string;
  readonly isPaused: boolean;
  readonly weight: number;
  readonly priority: number;
  /** Offered and not claimed. */
  readonly waiting: number;
  /** Claimed, or being claimed, and not settling yet. */
  readonly inflight: number;
  /** `undefined` for no limit of its own. */
  readonly maxInflight?: number | undefined;
  /** Most claims per second; `undefined` for no limit. */
  readonly ratePerS?: number | undefined;
  /** How many the rate lets be claimed at once; `undefined` for no limit. */
  readonly tokens?: number | undefined;
}
