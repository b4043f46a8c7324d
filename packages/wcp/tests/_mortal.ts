import { StoppedError } from "../src/ports.ts";

/**
 * How a process ends at one of its calls to the outside: just before the call has
 * its effect, just after (and the answer is lost), or by being asked to stop.
 */
export type Ending = "before" | "after" | "stop";

/** What a process that stops may still do. */
const STORE_WRITES: ReadonlySet<string> = new Set([
  "addIntent",
  "saveIntents",
  "saveTransaction",
  "answerOrder",
]);

/** One process that is cut off at its n-th call to the outside. After that nothing it does has any effect. */
export class Mortal {
  /** What it called, in order. */
  readonly calls: string[] = [];
  readonly #cutAt: number;
  readonly #ending: Ending;
  readonly #onStop: () => void;
  #isOver = false;
  #isKilled = false;

  constructor(cutAt: number, ending: Ending, onStop: () => void) {
    this.#cutAt = cutAt;
    this.#ending = ending;
    this.#onStop = onStop;
  }

  /** Whether it was cut off. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends it here and now, however it was to end. */
  kill(): void {
    this.#isOver = true;
    this.#isKilled = true;
  }

  /** The port as this process reaches it: calls of `methods` are counted, and one of them is the last. */
  guard<T extends object>(port: T, methods: readonly (keyof T & string)[]): T {
    return new Proxy(port, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        const isCounted = methods.includes(name as keyof T & string);
        return isCounted ? (...args: unknown[]) => this.#call(String(name), () => method(...args)) : method;
      },
    });
  }

  async #call(name: string, call: () => unknown): Promise<unknown> {
    if (this.#isOver) return this.#beyond(name, call);
    this.calls.push(name);
    const isLast = this.calls.length === this.#cutAt;
    if (isLast && this.#ending !== "after") {
      this.#isOver = true;
      if (this.#ending === "stop") this.#onStop();
      return this.#beyond(name, call);
    }
    const value = call();
    if (isLast) this.#isOver = true;
    const result = await value;
    return this.#isOver && (this.#isKilled || this.#ending !== "stop") ? never() : result;
  }

  /** A dead process reaches nothing. One that stops still has its disk, and its requests are aborted. */
  #beyond(name: string, call: () => unknown): unknown {
    if (this.#isKilled || this.#ending !== "stop") return never();
    if (STORE_WRITES.has(name)) return call();
    return Promise.reject(new StoppedError());
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
