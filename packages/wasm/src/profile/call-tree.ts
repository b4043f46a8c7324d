// Fuel by call path, in bounded memory whatever the program does.
//
// 1. Every unit of fuel that is burned belongs to exactly one node, so the sum over all is what was burned.
// 2. At most 2 * MOST_PATHS nodes are made, and at most MOST_FRAMES calls are remembered.

/** Depth beyond which calls count to one node, "(deeper)". */
export const MOST_DEPTH = 256;

/** Paths that are told apart; what comes after them counts to "(more paths)" below where it was called. */
export const MOST_PATHS = 20_000;

/** Open calls that are remembered. The meter's limit of the stack ends a run before, unless it is set very high. */
const MOST_FRAMES = 1 << 20;

/** What {@link CallTree.stacks} writes at most, UTF-16 units: the paths with most fuel, the others as "(rest)". */
const MOST_TEXT = 8 * 1024 * 1024;

/** In place of functions; the functions of programs come after them. */
const DEEPER = 0;
const MORE_PATHS = 1;
export const FIRST_FUNCTION = 2;
const PLACEHOLDERS = ["(deeper)", "(more paths)"] as const;

/** Above every function id, so that parent and function make one key. */
const KEY_FACTOR = 2 ** 26;

/** Who burned fuel, by call path. Told of every call by the hooks of a metered module. */
export class CallTree {
  readonly #children = new Map<number, number>();
  /** By node; node 0 is the root, where no function is open. */
  readonly #parents: number[] = [0];
  readonly #functions: number[] = [-1];
  readonly #depths: number[] = [0];
  readonly #burned: number[] = [0];
  /** Open calls, outermost first: their functions and their nodes. */
  readonly #openFunctions: number[] = [];
  readonly #openNodes: number[] = [];
  /** Open calls that are not remembered. */
  #forgotten = 0;
  #node = 0;
  #left: number;

  /** @param left fuel at the beginning */
  constructor(left: number) {
    this.#left = left;
  }

  /** Nodes made so far. */
  get size(): number {
    return this.#functions.length;
  }

  /**
   * A function begins.
   *
   * @param id from {@link FIRST_FUNCTION} on
   * @param left fuel that is left
   */
  enter(id: number, left: number): void {
    this.settle(left);
    if (this.#openNodes.length >= MOST_FRAMES) {
      this.#forgotten += 1;
      return;
    }
    this.#node = this.#child(this.#node, id);
    this.#openFunctions.push(id);
    this.#openNodes.push(this.#node);
  }

  /** A function returns. Calls inside of it that are still open were left by an exception. */
  leave(id: number, left: number): void {
    this.settle(left);
    if (this.#forgotten > 0) {
      this.#forgotten -= 1;
      return;
    }
    const index = this.#openFunctions.lastIndexOf(id);
    if (index < 0) return;
    this.#openFunctions.length = index;
    this.#openNodes.length = index;
    this.#node = this.#openNodes[index - 1] ?? 0;
  }

  /** Counts what was burned since to whoever is open. */
  settle(left: number): void {
    const burned = this.#left - left;
    this.#left = left;
    if (burned > 0) this.#burned[this.#node] = (this.#burned[this.#node] ?? 0) + burned;
  }

  /**
   * Folded stacks, those with most fuel first; see {@link RunProfile}.
   *
   * @param nameOf of a function that has been entered
   */
  stacks(nameOf: (id: number) => string): string {
    const nodes = [...this.#burned.keys()].filter((node) => this.#fuelOf(node) > 0);
    nodes.sort((a, b) => this.#fuelOf(b) - this.#fuelOf(a));
    const names = new Map<number, string>();
    const named = (id: number) => {
      const known = names.get(id) ?? PLACEHOLDERS[id] ?? foldable(nameOf(id));
      names.set(id, known);
      return known;
    };
    const lines: string[] = [];
    let room = MOST_TEXT;
    let rest = 0;
    for (const node of nodes) {
      const line = room > 0 ? `${this.#path(node, named)} ${this.#fuelOf(node)}` : "";
      room -= line.length;
      if (room >= 0) lines.push(line);
      else rest += this.#fuelOf(node);
    }
    if (rest > 0) lines.push(`(rest) ${rest}`);
    return lines.map((line) => `${line}\n`).join("");
  }

  #child(parent: number, id: number): number {
    const parentFunction = this.#functions[parent];
    if (parentFunction === DEEPER || parentFunction === MORE_PATHS) return parent;
    const isDeep = (this.#depths[parent] ?? 0) >= MOST_DEPTH;
    return this.#find(parent, isDeep ? DEEPER : id) ?? this.#make(parent, isDeep ? DEEPER : id);
  }

  #make(parent: number, id: number): number {
    const isFull = this.size >= MOST_PATHS;
    const known = isFull ? this.#find(parent, MORE_PATHS) : undefined;
    if (known !== undefined) return known;
    const made = isFull ? MORE_PATHS : id;
    const node = this.size;
    this.#children.set(parent * KEY_FACTOR + made, node);
    this.#parents.push(parent);
    this.#functions.push(made);
    this.#depths.push((this.#depths[parent] ?? 0) + 1);
    this.#burned.push(0);
    return node;
  }

  #find(parent: number, id: number): number | undefined {
    return this.#children.get(parent * KEY_FACTOR + id);
  }

  #fuelOf(node: number): number {
    return this.#burned[node] ?? 0;
  }

  #path(node: number, named: (id: number) => string): string {
    const names: string[] = [];
    for (let at = node; at !== 0; at = this.#parents[at] ?? 0) names.push(named(this.#functions[at] ?? 0));
    return names.length === 0 ? "(outside)" : names.toReversed().join(";");
  }
}

const LONGEST_NAME = 200;

/** A name as folded stacks can hold it: no separator, no line break. */
function foldable(name: string): string {
  const text = name
    .replaceAll(";", ":")
    .replaceAll(/\p{Cc}/gu, " ")
    .trim();
  const short = text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME)}...` : text;
  return short === "" ? "?" : short.toWellFormed();
}
