import type { Abi } from "./abi/abi.ts";
import type { RunRequest } from "./engine.ts";
import { WasmError } from "./errors.ts";

const ABIS: ReadonlySet<unknown> = new Set<Abi>(["execute", "command", "cli", "handler"]);
const WORLDS: ReadonlySet<unknown> = new Set(["seeded", "live"]);

interface Rule {
  readonly holds: (value: unknown) => boolean;
  readonly wanted: string;
}

const CALLBACK: Rule = { holds: (value) => typeof value === "function", wanted: "a function" };

/** Of what may be left out, and is looked at nowhere else. */
const RULES: Readonly<Partial<Record<keyof RunRequest, Rule>>> = {
  input: { holds: (value) => value instanceof Uint8Array, wanted: "a Uint8Array" },
  inputType: { holds: (value) => typeof value === "string", wanted: "a media type" },
  abi: { holds: (value) => ABIS.has(value), wanted: [...ABIS].join(", ") },
  args: { holds: isStrings, wanted: "an array of strings" },
  env: { holds: isRecordOfStrings, wanted: "an object of strings" },
  world: { holds: isWorld, wanted: 'an object with the kind "seeded" or "live"' },
  signal: { holds: (value) => value instanceof AbortSignal, wanted: "an AbortSignal" },
  send: CALLBACK,
  onProgress: CALLBACK,
  onLog: CALLBACK,
};

/**
 * Looks at what the types say of a request. Callers without types get here too, and what a thread cannot be sent must
 * not be found out when the thread is about to begin.
 *
 * @throws {WasmError} `BAD_REQUEST` with the first thing that is wrong
 */
export function checkRequest(request: RunRequest): void {
  for (const [name, { holds, wanted }] of Object.entries(RULES)) {
    const value = request[name as keyof RunRequest];
    if (value !== undefined && !holds(value)) {
      throw new WasmError("BAD_REQUEST", `${name} of the request is not what it must be; give ${wanted}`);
    }
  }
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isRecordOfStrings(value: unknown): boolean {
  return typeof value === "object" && value !== null && isStrings(Object.values(value));
}

function isWorld(value: unknown): boolean {
  return typeof value === "object" && value !== null && "kind" in value && WORLDS.has(value.kind);
}
