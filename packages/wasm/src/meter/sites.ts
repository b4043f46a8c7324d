import { NumberList } from "./bytes.ts";

/**
 * Places in a body where the metered one may differ, in the order of the code. `pos` is a byte of the module; `a` and
 * `b` mean what the kind says.
 */
export const SITE = {
  /** Node `a` begins here. */
  node: 0,
  /** Here is edge `a` alone. */
  edge: 1,
  /** `end` of an `if` without else: edge `a` is the way around it. */
  missingElse: 2,
  /** `br` along edge `a`, to the block at depth `b`. */
  branch: 3,
  /** `br_if`: edge `a` when taken, to the block at depth `b >> 1`; bit 0 of `b`: the label has values. */
  branchIf: 4,
  /** `br_table`; the outermost of its targets is the block at depth `b`. */
  branchTable: 5,
  /** `return` along edge `a`, at depth `b`. */
  return: 6,
  /** The body's last `end`, along edge `a`; -1: it is not reached. */
  finish: 7,
  /** A call of function `a`; -1: an indirect one. */
  call: 8,
  tailCall: 9,
  /** `memory.grow` or `table.grow` of `a`, to byte `b`. */
  memoryGrow: 10,
  tableGrow: 11,
  /** An operator that costs as much as the i32 on top of the stack. */
  bulk: 12,
  /** `ref.func` of function `a`, to byte `b`. */
  refFunc: 13,
  /** An operator that names global `a`, to byte `b`. */
  global: 14,
  /** An operator that names the first local that is no parameter, to byte `b`. */
  firstLocal: 15,
  /** Loop `a` begins, at depth `b`; ends. */
  loop: 16,
  loopEnd: 17,
} as const;

const STRIDE = 4;

/** The sites of all bodies of a module. */
export class Sites {
  readonly #numbers: NumberList;

  /** With room for what a module of so many bytes mostly has: growing would copy megabytes. */
  constructor(moduleBytes: number) {
    this.#numbers = new NumberList(Math.max(1024, Math.ceil(moduleBytes * 0.75)));
  }

  /** How many there are. */
  get count(): number {
    return this.#numbers.length / STRIDE;
  }

  /** Appends a site of a kind; `b` is 0. */
  add(kind: number, pos: number, a: number): void {
    const list = this.#numbers;
    list.reserve(STRIDE);
    const { values } = list;
    const at = list.length;
    values[at] = kind;
    values[at + 1] = pos;
    values[at + 2] = a;
    values[at + 3] = 0;
    list.length = at + STRIDE;
  }

  /** Says what `b` is of the site that was added last. */
  also(b: number): void {
    this.#numbers.values[this.#numbers.length - 1] = b;
  }

  kind(site: number): number {
    return this.#numbers.values[site * STRIDE] as number;
  }

  pos(site: number): number {
    return this.#numbers.values[site * STRIDE + 1] as number;
  }

  a(site: number): number {
    return this.#numbers.values[site * STRIDE + 2] as number;
  }

  b(site: number): number {
    return this.#numbers.values[site * STRIDE + 3] as number;
  }

  /** Puts another number where `a` names an edge. */
  renumberEdges(from: number, rank: Int32Array): void {
    const { values } = this.#numbers;
    for (let site = from; site < this.count; site++) {
      const kind = this.kind(site);
      const namesEdge =
        (kind >= SITE.edge && kind <= SITE.branchIf) || kind === SITE.return || kind === SITE.finish;
      if (namesEdge && this.a(site) >= 0) {
        values[site * STRIDE + 2] = rank[this.a(site)] as number;
      }
    }
  }
}
