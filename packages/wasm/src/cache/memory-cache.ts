/** What is in a {@link MemoryCache}. */
interface Entry<T> {
  readonly value: T;
  readonly sizeBytes: number;
}

/** The most recently used values, by the bytes that they take; and what is being made is made once. */
export class MemoryCache<T> {
  readonly #maxBytes: number;
  /** The longest unused first. */
  readonly #entries = new Map<string, Entry<T>>();
  readonly #making = new Map<string, Promise<T>>();
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /**
   * What is being made for that key, or made now. All who ask in the meantime share it; a failure is not kept.
   *
   * @param sizeOf bytes of a value; one that is larger than the cache is given out and not kept
   */
  make(key: string, make: () => Promise<T>, sizeOf: (value: T) => number): Promise<T> {
    const running = this.#making.get(key);
    if (running !== undefined) return running;
    const made = this.#make(key, make, sizeOf);
    this.#making.set(key, made);
    return made;
  }

  async #make(key: string, make: () => Promise<T>, sizeOf: (value: T) => number): Promise<T> {
    try {
      const value = await make();
      this.#put(key, { value, sizeBytes: sizeOf(value) });
      return value;
    } finally {
      this.#making.delete(key);
    }
  }

  #put(key: string, entry: Entry<T>): void {
    if (entry.sizeBytes > this.#maxBytes) return;
    this.#entries.set(key, entry);
    this.#sizeBytes += entry.sizeBytes;
    for (const [oldest, { sizeBytes }] of this.#entries) {
      if (this.#sizeBytes <= this.#maxBytes) return;
      this.#entries.delete(oldest);
      this.#sizeBytes -= sizeBytes;
    }
  }
}
