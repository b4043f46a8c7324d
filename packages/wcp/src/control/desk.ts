import type { QueueView } from "../domain/scheduler/queue-policy.ts";
import type { ExecutorDesk } from "../ports.ts";

/** What an operator does with the queues. */
export interface QueueDesk {
  queues(): readonly QueueView[];
  /** Claims nothing more of it, or again; false when the node watches no such queue. */
  pauseQueue(name: string, isPaused: boolean): Promise<boolean>;
}

/** What the control socket gives access to. */
export interface ControlDesk {
  readonly weps: ExecutorDesk;
  readonly queues: QueueDesk;
}
