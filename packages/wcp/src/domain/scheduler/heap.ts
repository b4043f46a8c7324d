/** Where a value is in its heap; kept by who pushed it, to take the value out again or move it. */
export interface HeapNode<T> {
  readonly value: T;
  /** Position in the heap; -1 when it is in none. */
  at: number;
}

/** A binary heap whose values can be removed, and moved when their order changes. Every change is O(log n). */
export class Heap<T> {
  readonly #isBefore: (a: T, b: T) => boolean;
  readonly #nodes: HeapNode<T>[] = [];

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** The first; `undefined` when there is none. */
  peek(): T | undefined {
    return this.#nodes[0]?.value;
  }

  push(value: T): HeapNode<T> {
    const node = { value, at: this.#nodes.length };
    this.#nodes.push(node);
    this.#rise(node);
    return node;
  }

  /** Takes a value out; harmless when it is out already. */
  remove(node: HeapNode<T>): void {
    const { at } = node;
    if (at === -1) return;
    node.at = -1;
    const last = this.#nodes.pop();
    if (last === undefined || last === node) return;
    this.#put(last, at);
    this.update(last);
  }

  /** To be called when the order of a value has changed. */
  update(node: HeapNode<T>): void {
    this.#rise(node);
    this.#sink(node);
  }

  #put(node: HeapNode<T>, at: number): void {
    this.#nodes[at] = node;
    node.at = at;
  }

  #rise(node: HeapNode<T>): void {
    let { at } = node;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#nodes[above];
      if (parent === undefined || !this.#isBefore(node.value, parent.value)) break;
      this.#put(parent, at);
      at = above;
    }
    this.#put(node, at);
  }

  #sink(node: HeapNode<T>): void {
    let { at } = node;
    for (let child = this.#earlierChild(at); child !== undefined; child = this.#earlierChild(at)) {
      if (!this.#isBefore(child.value, node.value)) break;
      const below = child.at;
      this.#put(child, at);
      at = below;
    }
    this.#put(node, at);
  }

  #earlierChild(at: number): HeapNode<T> | undefined {
    const left = this.#nodes[2 * at + 1];
    const right = this.#nodes[2 * at + 2];
    if (left === undefined || right === undefined) return left;
    return this.#isBefore(right.value, left.value) ? right : left;
  }
}
