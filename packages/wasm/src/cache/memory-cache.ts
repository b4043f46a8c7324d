/** What is in a {@link MemoryCache}. */
interface Entry<T> {
  readonly value: T;
  readonly sizeBytes: number;
}

/** How to make a value, and how large it is. */
export interface Recipe<T> {
  /** The signal comes when nobody wants it any more, and after it was made. */
  readonly make: (ended: AbortSignal) => Promise<T>;
  /** Bytes of a value; one that is larger than the cache is given out and not kept. */
  readonly sizeOf: (value: T) => number;
}

interface Making<T> {
  readonly value: Promise<T>;
  readonly ended: AbortController;
  /** How many wait for it. */
  waiting: number;
}

/** The most recently used values, by the bytes that they take; and what is being made is made once. */
export class MemoryCache<T> {
  readonly #maxBytes: number;
  /** The longest unused first. */
  readonly #entries = new Map<string, Entry<T>>();
  readonly #making = new Map<string, Making<T>>();
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
   * What is being made for that key, or made now. All who ask in the meantime share it; a failure is not kept. When the
   * last of those who wait gives up, the making is given up too.
   *
   * @throws what `make` throws; the reason of the own signal when that comes first
   */
  async make(key: string, recipe: Recipe<T>, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    const making = this.#making.get(key) ?? this.#begin(key, recipe);
    making.waiting += 1;
    try {
      return await unlessAborted(making.value, signal);
    } finally {
      making.waiting -= 1;
      if (making.waiting === 0) this.#giveUp(key, making);
    }
  }

  #begin(key: string, { make, sizeOf }: Recipe<T>): Making<T> {
    const ended = new AbortController();
    const value = make(ended.signal).then((made) => {
      this.#put(key, { value: made, sizeBytes: sizeOf(made) });
      return made;
    });
    // Those who gave up do not hear how it went.
    value.catch(() => undefined);
    const making = { value, ended, waiting: 0 };
    this.#making.set(key, making);
    return making;
  }

  /** Changes nothing when it was made. */
  #giveUp(key: string, making: Making<T>): void {
    if (this.#making.get(key) === making) this.#making.delete(key);
    making.ended.abort();
  }

  #put(key: string, entry: Entry<T>): void {
    if (entry.sizeBytes > this.#maxBytes) return;
    this.#sizeBytes -= this.#entries.get(key)?.sizeBytes ?? 0;
    this.#entries.set(key, entry);
    this.#sizeBytes += entry.sizeBytes;
    for (const [oldest, { sizeBytes }] of this.#entries) {
      if (this.#sizeBytes <= this.#maxBytes) return;
      this.#entries.delete(oldest);
      this.#sizeBytes -= sizeBytes;
    }
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
