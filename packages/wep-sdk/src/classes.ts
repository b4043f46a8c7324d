/** A kind of machine that work needs; each has slots of its own. */
export const WORK_CLASSES = ["cpu", "gpu", "io"] as const;

/** Whose slots a run takes, and which thread: see `Handler.class`. */
export type WorkClass = (typeof WORK_CLASSES)[number];

/** The slots of one class of work. */
export interface ClassOptions {
  /** Runs of this class at the same time; whole, at least 1. */
  readonly slots: number;
  /** What the machine behind it has, for tasks that ask for it. Default none. */
  readonly tags?: readonly string[];
}

/** One class of slots, resolved. */
export interface SlotClass {
  readonly name: WorkClass;
  readonly slots: number;
  readonly tags: readonly string[];
}
