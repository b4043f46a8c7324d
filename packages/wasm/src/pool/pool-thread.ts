import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { CELL } from "../thread/protocol.ts";
import { KeptPrograms } from "./kept-programs.ts";

/** What a thread is started with. */
export interface ThreadOptions {
  /** First module of the thread; it says `{ kind: "ready" }` on its port when it can work. */
  readonly main: URL;
  readonly name: string;
  /** V8's stack, MiB; `undefined`: Node's. */
  readonly stackMb: number | undefined;
  /** What its JavaScript may hold, MiB. Memories of guests are not among it. */
  readonly heapMb: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a thread tells its pool. */
export interface ThreadEvents {
  onMessage(message: { readonly kind: string }): void;
  /** It is gone: it was ended, or died by itself. */
  onExit(reason: string): void;
}

/**
 * V8 ends the whole process when a thread comes to its limit with a large allocation. So its limit is so far above ours
 * that nothing gets there at once, and the pool looks at how much a thread holds.
 */
const HEAP_RESERVE_MB = 2048;

/** A thread of the engine. It has no environment, no arguments, and nothing to read from. */
export class PoolThread {
  readonly cells: BigInt64Array<SharedArrayBuffer> = new BigInt64Array(
    new SharedArrayBuffer(CELL.count * BigInt64Array.BYTES_PER_ELEMENT),
  );
  /** What it was sent once and keeps. */
  readonly kept: KeptPrograms = new KeptPrograms();
  readonly exited: Promise<void>;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #events: ThreadEvents;
  #reason = "it ended by itself";

  constructor(options: ThreadOptions, events: ThreadEvents) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#events = events;
    this.#worker = new Worker(options.main, {
      name: options.name,
      workerData: { ...options.data, port: port2, cells: this.cells },
      transferList: [port2],
      env: {},
      argv: [],
      execArgv: [],
      stdin: false,
      resourceLimits: {
        maxOldGenerationSizeMb: options.heapMb + HEAP_RESERVE_MB,
        ...(options.stackMb === undefined ? {} : { stackSizeMb: options.stackMb }),
      },
    });
    port1.on("message", (message: { readonly kind: string }) => events.onMessage(message));
    port1.unref();
    this.#worker.unref();
    this.#worker.on("error", (error: Error) => {
      this.#reason = error.message;
    });
    this.exited = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.drain();
        port1.close();
        resolve();
        events.onExit(this.#reason);
      });
    });
  }

  post(message: unknown, transfer: readonly ArrayBuffer[]): void {
    this.#port.postMessage(message, transfer);
  }

  /** Hears what the thread has said and the event loop has not brought yet. */
  drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#events.onMessage(received.message as { readonly kind: string });
    }
  }

  /** Bytes of its JavaScript; V8 says them also while the thread is busy. `undefined` when it is gone. */
  async heapBytes(): Promise<number | undefined> {
    try {
      return (await this.#worker.getHeapStatistics()).used_heap_size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ERR_WORKER_NOT_RUNNING") return undefined;
      throw error;
    }
  }

  /** Whether it keeps the process alive. */
  hold(isHeld: boolean): void {
    if (isHeld) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Ends it; {@link exited} says when it is gone. */
  end(): void {
    void this.#worker.terminate();
  }
}
