/** What one run may use. All are hard. */
export interface Limits {
  /** Operators, by the cost model of the meter. Default 10,000,000,000. */
  readonly fuel: bigint;
  /** All linear memories together, bytes; rounded down to pages of 64 KiB. Default 128 MiB. */
  readonly memoryBytes: number;
  /** All tables together, elements. Default 1,000,000. */
  readonly tableElements: number;
  /**
   * What the frames of open calls may weigh, bytes, as the meter counts them: the same on every machine,
   * whatever its compiler makes of a frame. Default 1 MiB.
   */
  readonly stackBytes: number;
  /** From the moment that a thread begins with the run, milliseconds. Default 60,000. */
  readonly timeMs: number;
  /** What a run may give back: the result, or what a command writes to stdout, bytes. Default 16 MiB. */
  readonly outputBytes: number;
  /** What a command may write to stderr, bytes; what is more is cut, which is no failure. Default 1 MiB. */
  readonly stderrBytes: number;
  /** Calls out of the sandbox. Default 1,000,000. */
  readonly hostCalls: number;
}

/** What a module may be. All are hard. */
export interface ModuleLimits {
  /** Bytes of the module or component. Default 64 MiB. */
  readonly moduleBytes: number;
  /** Bytes of one function's body. Default 4 MiB. */
  readonly functionBytes: number;
  /** Functions of one module. Default 100,000. */
  readonly functions: number;
  /** Reading, metering and compiling together, milliseconds. Default 30,000. */
  readonly compileMs: number;
}

/** What a run may use where nobody says otherwise. */
export const DEFAULT_LIMITS: Limits = {
  fuel: 10_000_000_000n,
  memoryBytes: 128 * 1024 * 1024,
  tableElements: 1_000_000,
  stackBytes: 1024 * 1024,
  timeMs: 60_000,
  outputBytes: 16 * 1024 * 1024,
  stderrBytes: 1024 * 1024,
  hostCalls: 1_000_000,
};

/** What a module may be where nobody says otherwise. */
export const DEFAULT_MODULE_LIMITS: ModuleLimits = {
  moduleBytes: 64 * 1024 * 1024,
  functionBytes: 4 * 1024 * 1024,
  functions: 100_000,
  compileMs: 30_000,
};
