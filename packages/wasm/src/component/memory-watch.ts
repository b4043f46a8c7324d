import type { GuestHost } from "./guest-host.ts";

/**
 * Looks that a component may have at its memory in one call out. jco reads lists element by element, as long as the
 * component says that they are, and each element may point at the same bytes: a list within a small memory could fill
 * the machine's. Real calls look some dozens of times, and once for each element of a list.
 */
const MOST_LOOKS = 200_000;

interface Memory {
  readonly buffer: ArrayBuffer;
}

/**
 * Stands between jco's glue and the memories of a component: the glue gets memories that count how often it looks at
 * them, and how much it copies out, for each call of the host; cores get the real ones.
 */
export class MemoryWatch {
  readonly #guest: GuestHost;
  readonly #real = new WeakMap<object, Memory>();
  readonly #mostBytes: number;
  #looks = 0;
  #bytes = 0;

  constructor(guest: GuestHost) {
    this.#guest = guest;
    this.#mostBytes = guest.run.limits.memoryBytes;
    guest.onEnter = () => {
      this.#looks = 0;
      this.#bytes = 0;
    };
  }

  /** Exports of a core as the glue gets them. */
  watched(exports: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const watched = Object.assign(Object.create(null) as Record<string, unknown>, exports);
    for (const [name, value] of Object.entries(exports)) {
      if (isMemory(value)) watched[name] = this.#watch(value);
    }
    return watched;
  }

  /** Imports of a core as it gets them. */
  unwatched(
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    const real = ([name, value]: readonly [string, unknown]) =>
      [name, this.#real.get(value as object) ?? value] as const;
    return Object.fromEntries(
      Object.entries(imports).map(([module, items]) => [
        module,
        Object.fromEntries(Object.entries(items).map(real)),
      ]),
    );
  }

  /** To be called before bytes are copied out of a memory. Those of a call may all be the same. */
  copies(sizeBytes: number): void {
    this.#bytes += sizeBytes;
    if (this.#bytes > this.#mostBytes)
      this.#guest.trap("it passes more to one call than its memory can hold");
  }

  #watch(memory: Memory): Memory {
    const look = (): ArrayBuffer => {
      this.#looks += 1;
      if (this.#looks > MOST_LOOKS) this.#guest.trap("it passes a list that is too long to one call");
      const { buffer } = memory;
      if (!Object.hasOwn(buffer, "slice")) this.#watchCopies(buffer);
      return buffer;
    };
    const watched = Object.freeze(Object.defineProperty({}, "buffer", { get: look })) as Memory;
    this.#real.set(watched, memory);
    return watched;
  }

  // The glue copies lists of bytes by `slice`. A memory that grows has a new buffer.
  #watchCopies(buffer: ArrayBuffer): void {
    const slice = (begin: number, end: number) => {
      if (end > buffer.byteLength) this.#guest.trap("it passes a list that ends outside of its memory");
      this.copies(end - begin);
      return ArrayBuffer.prototype.slice.call(buffer, begin, end);
    };
    Object.defineProperty(buffer, "slice", { value: slice });
  }
}

function isMemory(value: unknown): value is Memory {
  return Object.prototype.toString.call(value) === "[object WebAssembly.Memory]";
}
