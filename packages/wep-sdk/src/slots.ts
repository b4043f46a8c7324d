import type { SlotClass, WorkClass } from "./classes.ts";
import { WepError } from "./errors.ts";
import type { Handler } from "./handler.ts";
import { handlerName } from "./handler-registry.ts";
import type { Settings } from "./settings.ts";

/** The slots of one class; of all classes, where there are none. */
export class SlotPool {
  /** Empty where there are no classes. */
  readonly name: WorkClass | "";
  readonly slots: number;
  readonly tags: readonly string[];
  #busy = 0;

  constructor({ name, slots, tags }: Omit<SlotClass, "name"> & { readonly name: WorkClass | "" }) {
    this.name = name;
    this.slots = slots;
    this.tags = tags;
  }

  get busy(): number {
    return this.#busy;
  }

  get free(): number {
    return Math.max(0, this.slots - this.#busy);
  }

  take(): void {
    this.#busy += 1;
  }

  giveBack(): void {
    this.#busy -= 1;
  }
}

/** The slots of a server. Counts only; who may take one is decided elsewhere. */
export class Slots {
  readonly pools: readonly SlotPool[];

  constructor({ classes, maxConcurrency, tags }: Pick<Settings, "classes" | "maxConcurrency" | "tags">) {
    this.pools =
      classes.length === 0
        ? [new SlotPool({ name: "", slots: maxConcurrency, tags })]
        : classes.map((each) => new SlotPool(each));
  }

  get busy(): number {
    let busy = 0;
    for (const pool of this.pools) busy += pool.busy;
    return busy;
  }

  get free(): number {
    let free = 0;
    for (const pool of this.pools) free += pool.free;
    return free;
  }

  /** The slots that runs of a handler take. @throws {WepError} INVALID_OPTION when its class has none */
  poolOf(handler: Handler): SlotPool {
    const pool = this.pools.find(({ name }) => name === "" || name === handler.class);
    if (pool !== undefined) return pool;
    const classes = this.pools.map(({ name }) => name).join(", ");
    throw new WepError(
      "INVALID_OPTION",
      `handler ${handlerName(handler)} is of class ${handler.class}, which has no slots here (there are: ${classes}); ` +
        `set classes.${handler.class}, or change the class of the handler`,
    );
  }
}
