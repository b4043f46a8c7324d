/** What a thread may keep of the programs that it was sent. */
export interface KeepLimits {
  readonly programs: number;
  /** By what the cache in memory counts of a program. One that is larger is kept until the next comes. */
  readonly bytes: number;
}

/** Programs that a thread was sent once and keeps. What it keeps, no cache lets go of. */
export class KeptPrograms {
  /** Bytes by id, the longest unused first. */
  readonly #bytes = new Map<number, number>();
  #sum = 0;

  has(id: number): boolean {
    return this.#bytes.has(id);
  }

  /** A program is used now; the answer is what the thread must forget for it, the longest unused first. */
  use(id: number, bytes: number, most: KeepLimits): readonly number[] {
    this.#drop(id);
    const forgotten: number[] = [];
    for (const oldest of this.#bytes.keys()) {
      if (this.#bytes.size < most.programs && this.#sum + bytes <= most.bytes) break;
      this.#drop(oldest);
      forgotten.push(oldest);
    }
    this.#bytes.set(id, bytes);
    this.#sum += bytes;
    return forgotten;
  }

  #drop(id: number): void {
    this.#sum -= this.#bytes.get(id) ?? 0;
    this.#bytes.delete(id);
  }
}
