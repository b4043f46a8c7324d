import { err, type GuestHost, ok, Resource, type Result } from "../guest-host.ts";

export type HeaderError = { readonly tag: "invalid-syntax" | "forbidden" | "immutable" };
export type FieldEntry = readonly [name: string, value: Uint8Array];

/** Names of headers are tokens of HTTP. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** What belongs to the connection and its framing, which is the worker's. */
const FORBIDDEN = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** `wasi:http/types.fields`: headers, in the order they were given. */
export class Fields extends Resource {
  #entries: FieldEntry[] = [];
  #isImmutable = false;

  get(name: string): readonly Uint8Array[] {
    this.$guest.enter();
    this.$guest.expectText(name);
    return this.#entries.filter((entry) => isSame(entry[0], name)).map(([, value]) => value);
  }

  has(name: string): boolean {
    this.$guest.enter();
    this.$guest.expectText(name);
    return this.#entries.some((entry) => isSame(entry[0], name));
  }

  set(name: string, values: readonly Uint8Array[]): Result<void, HeaderError> {
    this.$guest.enter();
    const wrong = this.#refusal(name, values);
    if (wrong !== undefined) return err(wrong);
    this.#entries = this.#entries.filter((entry) => !isSame(entry[0], name));
    for (const value of values) this.#add(name, value);
    return ok(undefined);
  }

  delete(name: string): Result<void, HeaderError> {
    return this.set(name, []);
  }

  append(name: string, value: Uint8Array): Result<void, HeaderError> {
    this.$guest.enter();
    return this.$put(name, value);
  }

  entries(): readonly FieldEntry[] {
    this.$guest.enter();
    return this.#entries;
  }

  clone(): Fields {
    this.$guest.enter();
    // Made by whatever class the component knows as this one.
    const copy = new (this.constructor as new (guest: GuestHost) => Fields)(this.$guest);
    copy.$fill(this.#entries);
    return copy;
  }

  /** Puts in what the worker gives; not asked whether a component may. */
  $fill(entries: readonly FieldEntry[]): void {
    for (const [name, value] of entries) this.#add(name, value);
  }

  /** Nothing changes it from now on. */
  $freeze(): this {
    this.#isImmutable = true;
    return this;
  }

  /** The entries as text, byte by byte. */
  $text(): readonly (readonly [name: string, value: string])[] {
    return this.#entries.map(([name, value]) => [name, Buffer.from(value).toString("latin1")]);
  }

  /** Appends without counting a call. */
  $put(name: string, value: Uint8Array): Result<void, HeaderError> {
    const wrong = this.#refusal(name, [value]);
    if (wrong !== undefined) return err(wrong);
    this.#add(name, value);
    return ok(undefined);
  }

  #add(name: string, value: Uint8Array): void {
    const bytes = name.length + value.length;
    this.$guest.ask((host) => host.charge(bytes));
    this.$hold(bytes);
    this.#entries.push([name, value]);
  }

  #refusal(name: string, values: readonly Uint8Array[]): HeaderError | undefined {
    this.$guest.expectText(name);
    for (const value of values) this.$guest.expectBytes(value);
    if (this.#isImmutable) return { tag: "immutable" };
    if (!TOKEN.test(name) || values.some((value) => !isFieldValue(value))) return { tag: "invalid-syntax" };
    return FORBIDDEN.has(name.toLowerCase()) ? { tag: "forbidden" } : undefined;
  }
}

/** The class that one run's component knows as `fields`: it makes them itself. */
export function fieldsClass(guest: GuestHost): (new () => Fields) & { readonly fromList: unknown } {
  return class RunFields extends Fields {
    constructor() {
      super(guest);
    }

    static fromList(entries: readonly FieldEntry[]): Result<Fields, HeaderError> {
      guest.enter();
      const fields = new RunFields();
      for (const [name, value] of entries) {
        const put = fields.$put(name, value);
        if (put.tag === "err") return put;
      }
      return ok(fields);
    }
  };
}

function isSame(name: string, other: string): boolean {
  return name.toLowerCase() === other.toLowerCase();
}

function isFieldValue(value: Uint8Array): boolean {
  return value.every((byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f));
}
