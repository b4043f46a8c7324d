import type { Assignment, RunListener, RunOutcome, Slot } from "../../ports.ts";

/** What a slot needs of its WEP. */
export interface SlotOwner {
  readonly url: string;
  execute(
    slot: WepSlot,
    what: { readonly assignment: Assignment; readonly listener: RunListener },
    signal: AbortSignal,
  ): Promise<RunOutcome>;
  acknowledge(assignment: Assignment): void;
  release(slot: WepSlot): void;
}

/** Room for one run on a WEP. */
export class WepSlot implements Slot {
  readonly #owner: SlotOwner;
  /** Of the class it is taken from. */
  readonly className: string;
  /** The WEP has acked what runs in it, so that its reports of free slots count it. */
  isKnown = false;
  /** Whose completion came, and is to be acknowledged once the holder has stored it. */
  completed: Assignment | undefined;
  #isTaken = true;

  constructor(owner: SlotOwner, className: string) {
    this.#owner = owner;
    this.className = className;
  }

  get executor(): string {
    return this.#owner.url;
  }

  run(assignment: Assignment, listener: RunListener, signal: AbortSignal): Promise<RunOutcome> {
    this.#acknowledge();
    return this.#owner.execute(this, { assignment, listener }, signal);
  }

  keepOutcome(): void {
    this.completed = undefined;
  }

  [Symbol.dispose](): void {
    if (!this.#isTaken) return;
    this.#isTaken = false;
    this.#acknowledge();
    this.#owner.release(this);
  }

  #acknowledge(): void {
    if (this.completed === undefined) return;
    this.#owner.acknowledge(this.completed);
    this.completed = undefined;
  }
}
