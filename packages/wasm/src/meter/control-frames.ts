/** Kinds of open blocks. */
export const FRAME = { function: 0, block: 1, loop: 2, if: 3, else: 4, try: 5, catch: 6 } as const;

/** What is known of an open block, by its place in a row of {@link ControlFrames}. */
export const FIELD = {
  kind: 0,
  label: 1,
  /** Height of the stack below its parameters. */
  base: 2,
  params: 3,
  results: 4,
  /** 1: it can be reached. */
  isLive: 5,
  /** 1: something branches to its end. */
  isBranchedTo: 6,
  /** 1: a `br_table` does. */
  isLanding: 7,
  /** `if`: label of what happens when it is not taken; `loop`: its number; `try`: the node before it. */
  extra: 8,
  /** `if`: edge of the way not taken. */
  elseEdge: 9,
  /** Byte of the last `br_table` that names it. */
  stamp: 10,
} as const;

const STRIDE = 11;

/** The open blocks of a body; flat, since a hostile module nests millions. */
export class ControlFrames {
  #values: Int32Array<ArrayBuffer> = new Int32Array(64 * STRIDE);
  /** How many are open. The function itself is number 0. */
  depth = 0;

  /** Opens one; all other fields are 0. */
  push(kind: number): number {
    const at = this.depth * STRIDE;
    if (at + STRIDE > this.#values.length) {
      const larger = new Int32Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    const values = this.#values;
    values[at] = kind;
    // A call of `fill` takes longer than the few numbers.
    for (let field = at + 1; field < at + STRIDE; field++) {
      values[field] = 0;
    }
    return this.depth++;
  }

  get(frame: number, field: number): number {
    return this.#values[frame * STRIDE + field] as number;
  }

  set(frame: number, field: number, value: number): void {
    this.#values[frame * STRIDE + field] = value;
  }
}
