/** A queue of nodes by key, the lowest first. A node may be in it more than once. */
export class NodeHeap {
  readonly #keys: Float64Array;
  readonly #nodes: Uint32Array;
  #size = 0;

  /** `capacity`: how often it is pushed to at most. */
  constructor(capacity: number) {
    this.#keys = new Float64Array(capacity);
    this.#nodes = new Uint32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Key of the node that {@link pop} gives next; `Infinity` when there is none. */
  get lowestKey(): number {
    return this.#size === 0 ? Infinity : (this.#keys[0] as number);
  }

  push(key: number, node: number): void {
    let at = this.#size;
    this.#size += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.#keys[parent] as number) <= key) {
        break;
      }
      this.#move(parent, at);
      at = parent;
    }
    this.#keys[at] = key;
    this.#nodes[at] = node;
  }

  /** The node with the lowest key; the heap must not be empty. */
  pop(): number {
    const top = this.#nodes[0] as number;
    this.#size -= 1;
    const key = this.#keys[this.#size] as number;
    let at = 0;
    for (let child = 1; child < this.#size; child = 2 * at + 1) {
      if (child + 1 < this.#size && (this.#keys[child + 1] as number) < (this.#keys[child] as number)) {
        child += 1;
      }
      if ((this.#keys[child] as number) >= key) {
        break;
      }
      this.#move(child, at);
      at = child;
    }
    this.#keys[at] = key;
    this.#nodes[at] = this.#nodes[this.#size] as number;
    return top;
  }

  #move(from: number, to: number): void {
    this.#keys[to] = this.#keys[from] as number;
    this.#nodes[to] = this.#nodes[from] as number;
  }
}
