import { availableParallelism } from "node:os";
import type { Tracer } from "@subnet-worker/kit/tracing";
import { PROTOCOL_RANGE, type VersionRange } from "@subnet-worker/protocol";
import { type ClassOptions, type SlotClass, WORK_CLASSES, type WorkClass } from "./classes.ts";
import { WepError } from "./errors.ts";
import { DEFAULT_TRANSFER, type TransferSettings } from "./transfer-retry.ts";

/** Every duration and bound of a server, resolved. */
export interface Settings {
  readonly maxConcurrency: number;
  readonly tags: readonly string[];
  /** Empty: one class without a name, of `maxConcurrency` slots. */
  readonly classes: readonly SlotClass[];
  readonly maxMessageBytes: number;
  readonly protocol: VersionRange;
  /** 0: no limit. */
  readonly handlerTimeoutMs: number;
  readonly shutdownGraceMs: number;
  readonly completionRetentionMs: number;
  readonly maxKeptCompletions: number;
  readonly maxKeptBytes: number;
  readonly abortGraceMs: number;
  readonly helloTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly silenceMs: number;
  readonly grantTimeoutMs: number;
  /** How long a drain waits for streams that are open and acknowledge nothing. */
  readonly ackWaitMs: number;
  /** How long in all it waits for nodes that are known by name and away. */
  readonly returnWaitMs: number;
  readonly progressIntervalMs: number;
  readonly outboxLength: number;
  readonly outboxBytes: number;
  readonly maxBatch: number;
  readonly batchBytes: number;
  readonly transfer: TransferSettings;
  /** `undefined`: nothing is traced. */
  readonly tracer: Tracer | undefined;
}

/** Bounds and durations of a server. */
export interface SettingsOptions {
  /** Runs at the same time. Default `"auto"`: one per core. */
  readonly maxConcurrency?: number | "auto";
  /** Told to worker clients, to route by. Default none. */
  readonly tags?: readonly string[];
  /**
   * Slots by class of work: a number, or slots and tags. A handler runs in the slots
   * of its class. Default none: every handler takes one of `maxConcurrency`; with
   * classes, `maxConcurrency` is their sum and may be left out.
   */
  readonly classes?: Readonly<Partial<Record<WorkClass, number | ClassOptions>>>;
  /**
   * Largest message in bytes, either way. A larger result fails its run with the
   * advice to upload it; a larger assignment ends the stream. Default 16 MiB.
   */
  readonly maxMessageBytes?: number;
  /** Versions of the stream to speak. Default: all this build knows. */
  readonly protocol?: VersionRange;
  /** A run is stopped after this long. 0: never. Default 600_000. */
  readonly handlerTimeoutMs?: number;
  /** How long `drain()` lets runs go on. Default 15_000. */
  readonly shutdownGraceMs?: number;
  /** How long a completion that no worker client has acknowledged is kept. Default 600_000. */
  readonly completionRetentionMs?: number;
  /** Above this many the oldest is dropped. Default 10_000. */
  readonly maxKeptCompletions?: number;
  /** Above this many bytes of results the oldest is dropped. Default 256 MiB. */
  readonly maxKeptBytes?: number;
  /** How long a stopped handler may take to return before its run is settled without it. Default 5_000. */
  readonly abortGraceMs?: number;
  /**
   * Makes a span for every run, as part of the trace that its assignment names; `startTracing` of
   * `@subnet-worker/kit/tracing` gives one. `ctx.metadata` names the span to go on from. Default none.
   */
  readonly tracer?: Tracer;
  /** For tests and unusual networks. */
  readonly tuning?: Partial<Tuning>;
}

/** What few need to change: how long the other side may take, and how much waits for it. */
export type Tuning = Pick<
  Settings,
  | "helloTimeoutMs"
  | "pingIntervalMs"
  | "silenceMs"
  | "grantTimeoutMs"
  | "ackWaitMs"
  | "returnWaitMs"
  | "progressIntervalMs"
  | "outboxLength"
  | "outboxBytes"
  | "maxBatch"
  | "batchBytes"
> & { readonly transfer: Partial<TransferSettings> };

const MIB = 1_024 * 1_024;
/** More than a completion takes around its result. */
const ENVELOPE_BYTES = 1_024;

const TUNING: Omit<Tuning, "transfer"> = {
  helloTimeoutMs: 10_000,
  pingIntervalMs: 2_000,
  // With the interval: a peer that fell silent is found within 10 s.
  silenceMs: 7_000,
  grantTimeoutMs: 15_000,
  ackWaitMs: 2_000,
  // A worker client connects again after 5 s at most, and then takes what is kept for it.
  returnWaitMs: 6_000,
  progressIntervalMs: 500,
  outboxLength: 1_024,
  outboxBytes: 32 * MIB,
  maxBatch: 256,
  batchBytes: MIB,
};

/** Fills in defaults. @throws {WepError} INVALID_OPTION */
export function resolveSettings(options: SettingsOptions): Settings {
  const classes = resolveClasses(options);
  return {
    ...TUNING,
    ...options.tuning,
    transfer: resolveTransfer(options),
    maxConcurrency: resolveConcurrency(options, classes),
    tags: options.tags ?? [],
    classes,
    maxMessageBytes: whole("maxMessageBytes", options.maxMessageBytes ?? 16 * MIB, 1_024),
    protocol: options.protocol ?? PROTOCOL_RANGE,
    handlerTimeoutMs: whole("handlerTimeoutMs", options.handlerTimeoutMs ?? 600_000, 0),
    shutdownGraceMs: whole("shutdownGraceMs", options.shutdownGraceMs ?? 15_000, 0),
    completionRetentionMs: whole("completionRetentionMs", options.completionRetentionMs ?? 600_000, 0),
    maxKeptCompletions: whole("maxKeptCompletions", options.maxKeptCompletions ?? 10_000, 1),
    maxKeptBytes: whole("maxKeptBytes", options.maxKeptBytes ?? 256 * MIB, 1),
    abortGraceMs: whole("abortGraceMs", options.abortGraceMs ?? 5_000, 0),
    tracer: options.tracer,
  };
}

/** What does not fit into a message travels by reference, as far as it can. */
function resolveTransfer({ tuning, maxMessageBytes = Infinity }: SettingsOptions): TransferSettings {
  const transfer = { ...DEFAULT_TRANSFER, ...tuning?.transfer };
  const fitting = Math.min(transfer.maxInlineResultBytes, Math.max(0, maxMessageBytes - ENVELOPE_BYTES));
  return { ...transfer, maxInlineResultBytes: fitting };
}

function whole(name: string, value: number, min: number): number {
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new WepError("INVALID_OPTION", `${name} is ${value}; it must be a whole number of at least ${min}`);
}

function resolveConcurrency({ maxConcurrency }: SettingsOptions, classes: readonly SlotClass[]): number {
  const sum = classes.reduce((total, { slots }) => total + slots, 0);
  if (maxConcurrency === undefined || maxConcurrency === "auto") return sum || availableParallelism();
  if (sum === 0 || maxConcurrency === sum) return whole("maxConcurrency", maxConcurrency, 1);
  throw new WepError(
    "INVALID_OPTION",
    `maxConcurrency is ${maxConcurrency} and the classes have ${sum} slots together; leave maxConcurrency out`,
  );
}

function resolveClasses({ classes = {} }: SettingsOptions): readonly SlotClass[] {
  const unknown = Object.keys(classes).filter((name) => !(WORK_CLASSES as readonly string[]).includes(name));
  if (unknown.length > 0) {
    throw new WepError(
      "INVALID_OPTION",
      `classes.${unknown[0]} is no class; there are ${WORK_CLASSES.join(", ")}`,
    );
  }
  return WORK_CLASSES.flatMap((name) => {
    const given = classes[name];
    if (given === undefined) return [];
    const { slots, tags = [] }: ClassOptions = typeof given === "number" ? { slots: given } : given;
    return [{ name, slots: whole(`classes.${name}`, slots, 1), tags }];
  });
}
