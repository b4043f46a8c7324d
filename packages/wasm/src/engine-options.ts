import { availableParallelism } from "node:os";
import type { EngineOptions } from "./engine.ts";
import { WasmError } from "./errors.ts";
import { DEFAULT_LIMITS, DEFAULT_MODULE_LIMITS, type Limits, type ModuleLimits } from "./limits.ts";

const MIB = 1024 * 1024;

/** V8's stack is a multiple of the limit, and a gigabyte is as much as a thread should be given. */
const MOST_STACK_BYTES = 16 * MIB;

/** Threads take tens of MiB each; more of them than this can only be a mistake. */
const MOST_THREADS = 1024;

/** {@link EngineOptions} with everything said. */
export interface ResolvedOptions {
  readonly threads: number;
  readonly limits: Limits;
  readonly moduleLimits: ModuleLimits;
  readonly memoryCacheBytes: number;
  readonly folder: { readonly folder: string; readonly maxBytes: number } | undefined;
}

/** @throws {WasmError} `BAD_REQUEST` for a number that is none, or out of its range */
export function resolveOptions(options: EngineOptions): ResolvedOptions {
  const { cache = {} } = options;
  const threads = checkThreads(options.threads ?? availableParallelism());
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  checkLimits(limits);
  if (limits.stackBytes > MOST_STACK_BYTES) {
    throw bad("limits.stackBytes", limits.stackBytes, `at most ${MOST_STACK_BYTES}`);
  }
  const moduleLimits = { ...DEFAULT_MODULE_LIMITS, ...options.moduleLimits };
  checkNames("moduleLimits", moduleLimits, DEFAULT_MODULE_LIMITS);
  for (const [name, value] of Object.entries(moduleLimits)) checkNumber(`moduleLimits.${name}`, value);
  const memoryCacheBytes = cache.memoryBytes ?? 256 * MIB;
  const maxBytes = cache.folderBytes ?? 1024 * MIB;
  checkNumber("cache.memoryBytes", memoryCacheBytes);
  checkNumber("cache.folderBytes", maxBytes);
  const folder = cache.folder === undefined ? undefined : { folder: checkFolder(cache.folder), maxBytes };
  return { threads, limits, moduleLimits, memoryCacheBytes, folder };
}

function checkThreads(threads: number): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return threads;
  throw bad("threads", threads, `a whole number from 1 to ${MOST_THREADS}`);
}

function checkFolder(folder: unknown): string {
  if (typeof folder === "string" && folder !== "") return folder;
  throw bad("cache.folder", folder, "the path of a folder");
}

/**
 * What a run may use: what it asks for, capped by the engine's limits.
 *
 * @throws {WasmError} `BAD_REQUEST`
 */
export function capLimits(asked: Partial<Limits> | undefined, most: Limits): Limits {
  if (asked === undefined) return most;
  const wanted = { ...most, ...asked };
  checkLimits(wanted);
  return {
    fuel: wanted.fuel < most.fuel ? wanted.fuel : most.fuel,
    memoryBytes: Math.min(wanted.memoryBytes, most.memoryBytes),
    tableElements: Math.min(wanted.tableElements, most.tableElements),
    stackBytes: Math.min(wanted.stackBytes, most.stackBytes),
    timeMs: Math.min(wanted.timeMs, most.timeMs),
    outputBytes: Math.min(wanted.outputBytes, most.outputBytes),
    stderrBytes: Math.min(wanted.stderrBytes, most.stderrBytes),
    hostCalls: Math.min(wanted.hostCalls, most.hostCalls),
  };
}

/** Fuel is an i64 that also goes below zero. */
const MOST_FUEL = 2n ** 62n;

function checkLimits(limits: Limits): void {
  checkNames("limits", limits, DEFAULT_LIMITS);
  for (const [name, value] of Object.entries(limits)) {
    if (name !== "fuel") checkNumber(`limits.${name}`, value as number);
  }
  const { fuel, timeMs, hostCalls } = limits;
  if (typeof fuel !== "bigint" || fuel < 0n || fuel > MOST_FUEL) {
    throw bad("limits.fuel", fuel, `a bigint from 0 to ${MOST_FUEL}`);
  }
  if (!Number.isInteger(hostCalls)) throw bad("limits.hostCalls", hostCalls, "a whole number");
  if (timeMs === 0) throw bad("limits.timeMs", timeMs, "above 0");
}

/** A limit whose name is misspelt would hold for nothing. */
function checkNames(group: string, given: object, known: object): void {
  const other = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (other !== undefined) throw bad(`${group}.${other}`, "unknown", Object.keys(known).join(", "));
}

function checkNumber(name: string, value: number): void {
  if (typeof value !== "number" || !(value >= 0) || value > Number.MAX_SAFE_INTEGER) {
    throw bad(name, value, "a number from 0 on");
  }
}

function bad(name: string, value: unknown, wanted: string): WasmError {
  return new WasmError("BAD_REQUEST", `${name} is ${String(value)}; give ${wanted}`);
}
