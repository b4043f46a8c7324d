import type { Abi, Limits, RunRequest } from "@subnet-worker/wasm";
import type { InputFile, InputValue } from "@subnet-worker/wep-sdk";
import { limitsOf, type ModuleSourceKind, type WasmConfig } from "./wasm-config.ts";
import { refused, WasmInputs } from "./wasm-inputs.ts";

/** Where the module of a run is. */
export type ModuleSource = { readonly sha256: string | undefined } & (
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | { readonly kind: "object"; readonly file: InputFile }
  | { readonly kind: "url"; readonly url: string; readonly sha256: string }
);

/** What a run of `wasm.execute` is asked to do, within what the node allows. */
export interface WasmTask {
  readonly module: ModuleSource;
  /** Bytes, or the object that has them. */
  readonly input: Uint8Array | InputFile;
  readonly request: Pick<RunRequest, "abi" | "args" | "env" | "inputType" | "limits" | "world">;
  /** Whether a program that says that it failed fails the run; else its code is part of the result. */
  readonly failsWithGuest: boolean;
}

const ABIS: readonly Abi[] = ["execute", "command", "cli", "handler"];

/** Inputs that ask for a limit, what one unit of it is, and the setting that caps it. */
const LIMITS = {
  max_fuel: { limit: "fuel", unit: 1, setting: "fuel" },
  max_memory_mb: { limit: "memoryBytes", unit: 1_048_576, setting: "memory_mb" },
  max_stack_kb: { limit: "stackBytes", unit: 1_024, setting: "stack_kb" },
  max_time_s: { limit: "timeMs", unit: 1_000, setting: "time_s" },
  max_output_mb: { limit: "outputBytes", unit: 1_048_576, setting: "output_mb" },
  max_host_calls: { limit: "hostCalls", unit: 1, setting: "host_calls" },
} as const satisfies Record<
  string,
  { readonly limit: keyof Limits; readonly unit: number; readonly setting: keyof WasmConfig["limits"] }
>;

/** Every input of `wasm.execute`. */
export const WASM_INPUTS: readonly string[] = [
  "module",
  "module_object_key",
  "module_url",
  "module_sha256",
  "abi",
  "input",
  "input_base64",
  "input_object_key",
  "input_type",
  "args",
  "env",
  ...Object.keys(LIMITS),
  "world",
  "seed",
  "start_ms",
  "on_guest_error",
];

/**
 * Reads the inputs of a run, and holds them against what the node allows.
 *
 * @throws {TerminalError} INVALID_INPUT or MISSING_REQUIRED_FIELD for what makes no sense, PERMISSION_DENIED and
 *   QUOTA_EXCEEDED for what the node does not allow
 */
export function parseTask(values: Readonly<Record<string, InputValue>>, config: WasmConfig): WasmTask {
  const inputs = new WasmInputs(values, WASM_INPUTS);
  const abi = inputs.oneOf("abi", ABIS);
  const { input, type } = inputOf(inputs);
  const inputType = inputs.text("input_type") ?? type;
  return {
    module: moduleOf(inputs, config),
    input,
    request: {
      ...(abi === undefined ? {} : { abi }),
      ...(inputType === undefined ? {} : { inputType }),
      args: inputs.texts("args"),
      env: inputs.pairs("env"),
      limits: limitsIn(inputs, config),
      world: worldOf(inputs, config),
    },
    failsWithGuest: inputs.oneOf("on_guest_error", ["fail", "return"]) !== "return",
  };
}

function moduleOf(inputs: WasmInputs, { sources }: WasmConfig): ModuleSource {
  const sha256 = sha256Of(inputs);
  const bytes = inputs.bytes("module", fromBase64);
  const file = inputs.file("module_object_key");
  const url = inputs.text("module_url");
  const found: ModuleSource[] = [];
  if (bytes !== undefined) found.push({ kind: "inline", bytes, sha256 });
  if (file !== undefined) found.push({ kind: "object", file, sha256 });
  if (url !== undefined) found.push({ kind: "url", ...checkUrl(url, sha256) });
  const [source, another] = found;
  if (source === undefined) {
    throw refused("MISSING_REQUIRED_FIELD", "no module; give one of module, module_object_key, module_url");
  }
  if (another !== undefined) {
    throw refused("INVALID_INPUT", `two modules, as ${source.kind} and as ${another.kind}; give one of them`);
  }
  const allowed: readonly string[] = sources;
  if (allowed.includes(source.kind satisfies ModuleSourceKind)) return source;
  throw refused(
    "PERMISSION_DENIED",
    `this node takes no modules of source ${source.kind}, only ${allowed.join(", ") || "none"}; send it otherwise, or have its operator add it to wasm.sources`,
  );
}

function checkUrl(
  url: string,
  sha256: string | undefined,
): { readonly url: string; readonly sha256: string } {
  if (!URL.canParse(url) || new URL(url).protocol !== "https:") {
    throw refused("INVALID_INPUT", `input "module_url": expected a URL that begins with https://`);
  }
  if (sha256 !== undefined) return { url, sha256 };
  throw refused(
    "MISSING_REQUIRED_FIELD",
    "module_url without module_sha256; give the SHA-256 of the module, so that nobody else decides what runs",
  );
}

/** 64 hex digits, or 32 bytes; 32 zeros are none, as a chain has no other way to leave a value out. */
function sha256Of(inputs: WasmInputs): string | undefined {
  const bytes = inputs.bytes("module_sha256", (text) => {
    const hex = text.replace(/^0x/, "");
    return /^[0-9a-fA-F]{64}$/.test(hex) ? Buffer.from(hex, "hex") : new Uint8Array(1);
  });
  if (bytes === undefined || (bytes.byteLength === 32 && bytes.every((byte) => byte === 0))) return undefined;
  if (bytes.byteLength === 32) return Buffer.from(bytes).toString("hex");
  throw refused("INVALID_INPUT", `input "module_sha256": expected 64 hex digits or 32 bytes`);
}

/** The input, and its media type where that is seen from how it came. */
function inputOf(inputs: WasmInputs): Pick<WasmTask, "input"> & { readonly type: string | undefined } {
  const content = inputs.content("input");
  const file = inputs.file("input_object_key");
  const given = [content?.bytes, inputs.bytes("input_base64", fromBase64), file].filter(
    (each) => each !== undefined,
  );
  // A file of which nobody said what it is has an empty one.
  const ofFile = file?.mediaType === "" ? undefined : file?.mediaType;
  const type = content?.type ?? ofFile;
  if (given.length < 2) return { input: given[0] ?? new Uint8Array(), type };
  throw refused("INVALID_INPUT", "two inputs; give one of input, input_base64, input_object_key");
}

/** Refused, and not cut: a run that gets less than it asked for would end differently from node to node. */
function limitsIn(inputs: WasmInputs, config: WasmConfig): Partial<Limits> {
  const caps = limitsOf(config);
  const asked = Object.entries(LIMITS).flatMap(([name, { limit, unit, setting }]) => {
    const count = inputs.whole(name) ?? 0n;
    if (count === 0n) return [];
    const amount = count * BigInt(unit);
    if (amount > BigInt(caps[limit])) {
      throw refused(
        "QUOTA_EXCEEDED",
        `input "${name}": ${count} is more than the ${config.limits[setting]} of this node; ask for less, or have its operator raise wasm.limits.${setting}`,
      );
    }
    return [[limit, limit === "fuel" ? amount : Number(amount)] as const];
  });
  return Object.fromEntries(asked);
}

function worldOf(inputs: WasmInputs, config: WasmConfig): NonNullable<RunRequest["world"]> {
  const kind = inputs.oneOf("world", ["seeded", "live"]) ?? "seeded";
  const seed = inputs.whole("seed") ?? 0n;
  const startMs = inputs.whole("start_ms") ?? 0n;
  if (seed >= 1n << 64n) throw refused("INVALID_INPUT", `input "seed": expected a number below 2^64`);
  if (startMs > 9_000_000_000_000n) {
    throw refused("INVALID_INPUT", `input "start_ms": expected milliseconds since 1970, below the year 2255`);
  }
  if (kind === "seeded") return { kind, seed, startMs: Number(startMs) };
  if (config.allow_live_world) return { kind };
  throw refused(
    "PERMISSION_DENIED",
    "this node gives no run real clocks or randomness; leave world out, or have its operator set wasm.allow_live_world",
  );
}

function fromBase64(text: string): Uint8Array | undefined {
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
}
