import type { ExecutorDesk } from "../ports.ts";

/** One queue as the operator sees it. */
export interface QueueView {
  readonly name: string;
  readonly isPaused: boolean;
  readonly weight: number;
  readonly priority: number;
  /** Activities offered and not claimed. */
  readonly waiting: number;
  /** Activities claimed and not settling. */
  readonly inflight: number;
  /** Most at once; `undefined`: no limit of its own. */
  readonly maxInflight?: number | undefined;
  /** Most claims per second; `undefined`: no limit. */
  readonly ratePerS?: number | undefined;
}

/** What an operator does with the queues. */
export interface QueueDesk {
  queues(): readonly QueueView[];
  /** Claims nothing more of it, or again; false when the node watches no such queue. */
  pauseQueue(name: string, isPaused: boolean): boolean;
}

/** What the control socket gives access to. */
export interface ControlDesk {
  readonly weps: ExecutorDesk;
  readonly queues: QueueDesk;
}
