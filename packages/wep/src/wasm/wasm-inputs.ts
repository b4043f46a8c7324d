import {
  type InputFile,
  type InputValue,
  isInputFile,
  type TaskErrorName,
  TerminalError,
} from "@subnet-worker/wep-sdk";

/** The named inputs of a run, read one by one. What is empty (`""`, no bytes, 0 for a number) counts as not given. */
export class WasmInputs {
  readonly #values: Readonly<Record<string, InputValue>>;
  readonly #known: ReadonlySet<string>;

  /**
   * @param known all names that there are
   * @throws {TerminalError} INVALID_INPUT naming what is unknown
   */
  constructor(values: Readonly<Record<string, InputValue>>, known: readonly string[]) {
    this.#values = values;
    this.#known = new Set(known);
    const unknown = Object.keys(values).filter((name) => !this.#known.has(name));
    if (unknown.length === 0) return;
    const shown = unknown.slice(0, 5).map((name) => JSON.stringify(name.slice(0, 100)));
    throw refused("INVALID_INPUT", `there is no input ${shown.join(", ")}; there is: ${known.join(", ")}`);
  }

  /** Bytes, or what a text stands for. */
  bytes(name: string, decode: (text: string) => Uint8Array | undefined): Uint8Array | undefined {
    const value = this.#value(name);
    if (value === undefined || value instanceof Uint8Array) return value;
    if (typeof value !== "string") return this.#no(name, value, "bytes or text");
    return decode(value) ?? this.#no(name, value, "base64");
  }

  text(name: string): string | undefined {
    const value = this.#value(name);
    return value === undefined || typeof value === "string" ? value : this.#no(name, value, "text");
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return choices.find((choice) => choice === text) ?? this.#no(name, text, choices.join(", "));
  }

  /** A whole number from 0, however wide; numbers and decimal text are taken too. */
  whole(name: string): bigint | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    const isNumber = Number.isSafeInteger(value) || (typeof value === "string" && /^\d{1,30}$/.test(value));
    const whole = typeof value === "bigint" ? value : isNumber ? BigInt(value as number | string) : -1n;
    return whole >= 0n ? whole : this.#no(name, value, "a whole number from 0");
  }

  texts(name: string): readonly string[] {
    const value = this.#value(name);
    if (value === undefined) return [];
    const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
    return isList ? value : this.#no(name, value, "a list of text");
  }

  /** `NAME=VALUE` texts, or an object of them. */
  pairs(name: string): Readonly<Record<string, string>> {
    const value = this.#value(name);
    if (value === undefined) return {};
    const entries: readonly (readonly [string, unknown])[] = Array.isArray(value)
      ? this.texts(name).map((text) => splitPair(text) ?? this.#no(name, text, "NAME=VALUE"))
      : isRecord(value)
        ? Object.entries(value)
        : this.#no(name, value, "a list of NAME=VALUE, or an object of text");
    const bad = entries.find(([key, text]) => typeof text !== "string" || key === "" || /[=\0]/.test(key));
    if (bad !== undefined) this.#no(name, bad[1] as InputValue, "names with text as their values");
    return Object.fromEntries(entries) as Readonly<Record<string, string>>;
  }

  file(name: string): InputFile | undefined {
    const value = this.#value(name);
    if (value === undefined || isInputFile(value)) return value;
    return this.#no(name, value, "an object in storage; its sender must know that it is an object key");
  }

  /** Anything: bytes as they are, text as UTF-8, everything else as JSON; and the media type of that. */
  content(name: string): { readonly bytes: Uint8Array; readonly type: string | undefined } | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (value instanceof Uint8Array) return { bytes: value, type: undefined };
    if (isInputFile(value))
      return this.#no(name, value, `a value; an object in storage goes to ${name}_object_key`);
    const encode = (text: string) => new TextEncoder().encode(text);
    return typeof value === "string"
      ? { bytes: encode(value), type: "text/plain" }
      : { bytes: encode(toJson(value)), type: "application/json" };
  }

  #value(name: string): InputValue | undefined {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    const isEmpty = value === "" || value === null || (value instanceof Uint8Array && value.byteLength === 0);
    return isEmpty ? undefined : value;
  }

  #no(name: string, value: InputValue | undefined, expected: string): never {
    throw refused("INVALID_INPUT", `input "${name}": expected ${expected}, got ${described(value)}`);
  }
}

/** A refusal of a request, for whoever made it. */
export function refused(code: TaskErrorName, problem: string): TerminalError {
  return new TerminalError(`[WASM_BAD_REQUEST] wasm.execute: ${problem}`, { code });
}

function splitPair(text: string): readonly [string, string] | undefined {
  const at = text.indexOf("=");
  return at < 1 ? undefined : [text.slice(0, at), text.slice(at + 1)];
}

function isRecord(value: InputValue): value is Readonly<Record<string, InputValue>> {
  return typeof value === "object" && value !== null && !isInputFile(value) && !(value instanceof Uint8Array);
}

function toJson(value: InputValue): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === "bigint" ? String(item) : item));
}

function described(value: InputValue | undefined): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
    return String(value);
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (isInputFile(value)) return "an object in storage";
  return Array.isArray(value) ? "a list" : value === undefined ? "nothing" : "an object";
}
