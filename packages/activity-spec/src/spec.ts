/** A workflow file, validated and with all defaults filled in. Deeply frozen. */
export interface WorkflowSpec {
  /** Name and version as the chain and the queues have it: `audio/1.0.0`. */
  readonly workflow: string;
  /** For people. Default: the name in `workflow`. */
  readonly name: string;
  /** Semantic version: `1.0.0`. */
  readonly version: string;
  /** For people. Default empty. */
  readonly description: string;
  /** In the order they run; at least one. */
  readonly activities: readonly ActivitySpec[];
}

/** One step of a workflow. */
export interface ActivitySpec {
  /** Unique in the workflow: `audio_preprocess`. */
  readonly id: string;
  /** For people. Default: `id`. */
  readonly name: string;
  /** For people. Default empty. */
  readonly description: string;
  /** The handler that runs it: `audio.preprocess`. Default: `id`. */
  readonly kind: string;
  /** The handler's semantic version: the workflow's. */
  readonly version: string;
  /** The kind of worker that may claim it: `processing`. */
  readonly workerClass: string;
  /** Where it is enqueued: `audio/1.0.0/processing`. */
  readonly queue: string;
  /** What `inputData` decodes to: the previous step's outputs, or the workflow's input. */
  readonly inputs: readonly Param[];
  /** What `resultData` is encoded from. */
  readonly outputs: readonly Param[];
  /** How many workers run it. Default 1. */
  readonly numWorkers: number;
  /** How many of them must agree; at most `numWorkers`. Default 1. */
  readonly quorum: number;
  /** Skipped when the previous step succeeded. Default false. */
  readonly skipOnPrevSuccess: boolean;
  /** Default false. */
  readonly requireGpu: boolean;
  /** The result is kept as an object in storage. Default false. */
  readonly uploadToStorage: boolean;
  /** Whose slots its runs take. Default `gpu` with `requireGpu`, else `cpu`. */
  readonly resourceClass: "cpu" | "gpu" | "io";
  /** What one run of it may take. */
  readonly limits: RunLimits;
  /** After this long in its queue nobody wants its result any more. `undefined`: no such time. */
  readonly deadlineMs?: number;
  /** How often and when a run that failed is tried again; what is left out is as the node has it. */
  readonly retry: RetryLimits;
  /** How the result travels from worker to node: as large results need it (`auto`), or always so. Default `auto`. */
  readonly result: "auto" | "inline" | "reference";
}

/** Bounds of one run; what is left out is as the worker has it. */
export interface RunLimits {
  /** From its start. */
  readonly timeoutMs?: number;
  /** Heap and buffers together, in MiB. */
  readonly memoryMb?: number;
}

/** What an activity says of its retries. */
export interface RetryLimits {
  /** Runs of one activity, the first among them. */
  readonly maxAttempts?: number;
  /** Before the second run; doubles with each further one. */
  readonly initialMs?: number;
  /** Longest wait between runs. */
  readonly maxMs?: number;
}

/** One input or output of an activity. */
export interface Param {
  /** Unique among the inputs, or the outputs, of its activity. */
  readonly name: string;
  /** Solidity ABI type in its normal form: `(bool,uint256)[]`. */
  readonly type: string;
  /** For people. Default empty. */
  readonly description: string;
  /** The value is the key of an object in storage. */
  readonly isObjectKey: boolean;
  /** Of the object, or of the value itself: `audio/wav`. */
  readonly mediaType?: string;
  /** Largest object, where the value is a key of one. `undefined`: no limit. */
  readonly maxBytes?: number;
}
