import { availableParallelism } from "node:os";
import { PROTOCOL_RANGE, type VersionRange } from "@subnet-worker/protocol";
import { WepError } from "./errors.ts";
import { DEFAULT_TRANSFER, type TransferSettings } from "./transfer-retry.ts";

/** Every duration and bound of a server, resolved. */
export interface Settings {
  readonly maxConcurrency: number;
  readonly tags: readonly string[];
  readonly protocol: VersionRange;
  /** 0: no limit. */
  readonly handlerTimeoutMs: number;
  readonly shutdownGraceMs: number;
  readonly completionRetentionMs: number;
  readonly maxKeptCompletions: number;
  readonly abortGraceMs: number;
  readonly helloTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly silenceMs: number;
  readonly grantTimeoutMs: number;
  readonly ackWaitMs: number;
  readonly progressIntervalMs: number;
  readonly outboxLength: number;
  readonly transfer: TransferSettings;
}

/** What of {@link Settings} a caller may set. */
export interface SettingsOptions {
  /** Runs at the same time. Default `"auto"`: one per core. */
  readonly maxConcurrency?: number | "auto";
  /** Told to worker clients, to route by. Default none. */
  readonly tags?: readonly string[];
  /** Versions of the stream to speak. Default: all this build knows. */
  readonly protocol?: VersionRange;
  /** A run is stopped after this long. 0: never. Default 600_000. */
  readonly handlerTimeoutMs?: number;
  /** How long `drain()` lets runs go on. Default 15_000. */
  readonly shutdownGraceMs?: number;
  /** How long a completion that no worker client has acknowledged is kept. Default 600_000. */
  readonly completionRetentionMs?: number;
  /** Above this many the oldest is dropped. Default 1_000. */
  readonly maxKeptCompletions?: number;
  /** How long a stopped handler may take to return before its run is settled without it. Default 5_000. */
  readonly abortGraceMs?: number;
  /** For tests and unusual networks; the rest of {@link Settings}. */
  readonly tuning?: Partial<Tuning>;
}

export type Tuning = Pick<
  Settings,
  | "helloTimeoutMs"
  | "pingIntervalMs"
  | "silenceMs"
  | "grantTimeoutMs"
  | "ackWaitMs"
  | "progressIntervalMs"
  | "outboxLength"
  | "transfer"
>;

const TUNING: Tuning = {
  helloTimeoutMs: 10_000,
  pingIntervalMs: 5_000,
  silenceMs: 15_000,
  grantTimeoutMs: 15_000,
  ackWaitMs: 2_000,
  progressIntervalMs: 500,
  outboxLength: 1_024,
  transfer: DEFAULT_TRANSFER,
};

/** Fills in defaults. @throws {WepError} INVALID_OPTION */
export function resolveSettings(options: SettingsOptions): Settings {
  const { maxConcurrency = "auto" } = options;
  return {
    ...TUNING,
    ...options.tuning,
    maxConcurrency:
      maxConcurrency === "auto" ? availableParallelism() : whole("maxConcurrency", maxConcurrency, 1),
    tags: options.tags ?? [],
    protocol: options.protocol ?? PROTOCOL_RANGE,
    handlerTimeoutMs: whole("handlerTimeoutMs", options.handlerTimeoutMs ?? 600_000, 0),
    shutdownGraceMs: whole("shutdownGraceMs", options.shutdownGraceMs ?? 15_000, 0),
    completionRetentionMs: whole("completionRetentionMs", options.completionRetentionMs ?? 600_000, 0),
    maxKeptCompletions: whole("maxKeptCompletions", options.maxKeptCompletions ?? 1_000, 1),
    abortGraceMs: whole("abortGraceMs", options.abortGraceMs ?? 5_000, 0),
  };
}

function whole(name: string, value: number, min: number): number {
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new WepError("INVALID_OPTION", `${name} is ${value}; it must be a whole number of at least ${min}`);
}
