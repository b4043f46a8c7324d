import { createHash } from "node:crypto";
import type {
  Engine,
  EngineStats,
  ModuleFacts,
  Program,
  RunOutcome,
  RunRequest,
  Spent,
} from "@subnet-worker/wasm";

export const SPENT: Spent & { readonly stderr: Uint8Array } = {
  fuel: 1_234n,
  timeMs: 5.4,
  memoryBytes: 65_536,
  hostCalls: 3,
  stderr: new TextEncoder().encode("a warning\n"),
};

export function completed(text: string): RunOutcome {
  return { ...SPENT, kind: "completed", output: new TextEncoder().encode(text) };
}

function factsOf({ byteLength: bytes }: Uint8Array): ModuleFacts {
  return {
    imports: [],
    exports: [],
    functionCount: 0,
    memoryCount: 0,
    memoryMinPages: 0,
    tableMinElements: 0,
    hasStart: false,
    functionNames: [],
    bytes,
    meteredBytes: bytes,
  };
}

/** An engine that runs nothing: it remembers what it was asked, and ends runs as it is told. */
export class FakeEngine implements Engine {
  readonly prepared: Uint8Array[] = [];
  readonly runs: RunRequest[] = [];
  stats: EngineStats = {
    busyThreads: 0,
    waitingRuns: 0,
    replacedThreads: 0,
    memoryHits: 0,
    folderHits: 0,
    misses: 0,
    memoryBytes: 0,
    folderFailure: undefined,
  };
  isDisposed = false;
  #prepare: () => void = () => undefined;
  #run: (request: RunRequest) => Promise<RunOutcome> = () => Promise.resolve(completed("done"));

  /** Every module is refused so. */
  refuse(error: Error): this {
    this.#prepare = () => {
      throw error;
    };
    return this;
  }

  /** Every run ends so. */
  end(outcome: RunOutcome | ((request: RunRequest) => Promise<RunOutcome>)): this {
    this.#run = typeof outcome === "function" ? outcome : () => Promise.resolve(outcome);
    return this;
  }

  prepare(bytes: Uint8Array): Promise<Program> {
    this.prepared.push(bytes);
    return Promise.resolve().then(() => {
      this.#prepare();
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      return { sha256, abi: "execute", modules: [factsOf(bytes)], prepareMs: 20 } satisfies Program;
    });
  }

  run(_program: Program, request: RunRequest = {}): Promise<RunOutcome> {
    this.runs.push(request);
    return this.#run(request);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
    return Promise.resolve();
  }
}
