import { err, ok, Resource, type GuestHost, type Result } from "../guest-host.ts";
import type { Fields } from "./http-fields.ts";
import { OutputStream } from "./io.ts";

export type Method =
  | { readonly tag: "get" | "head" | "post" | "put" | "delete" | "connect" | "options" | "trace" | "patch" }
  | { readonly tag: "other"; readonly val: string };
export type Scheme = { readonly tag: "HTTP" | "HTTPS" } | { readonly tag: "other"; readonly val: string };

/** The cases of `error-code` that this host gives. */
export type ErrorCode =
  | {
      readonly tag:
        | "HTTP-request-denied"
        | "HTTP-request-method-invalid"
        | "HTTP-request-URI-invalid"
        | "HTTP-protocol-error";
    }
  | { readonly tag: "HTTP-request-trailer-section-size"; readonly val: undefined }
  | { readonly tag: "internal-error"; readonly val: string };

const METHOD = /^[A-Za-z]{1,32}$/;
const AUTHORITY = /^[A-Za-z0-9.:[\]_-]{1,260}$/;
const PATH = /^[\x21-\x7e]{0,16384}$/;

/** `wasi:http/types.outgoing-body`: gathered whole, since requests are sent whole. */
export class OutgoingBody extends Resource {
  readonly #chunks: Uint8Array[] = [];
  #isWritten = false;
  #state: "open" | "finished" | "dropped" = "open";

  get $state(): "open" | "finished" | "dropped" {
    return this.#state;
  }

  write(): Result<OutputStream, void> {
    this.$guest.enter();
    if (this.#isWritten) return err(undefined);
    this.#isWritten = true;
    return ok(new OutputStream(this.$guest, (bytes) => this.#take(bytes)));
  }

  static finish(body: OutgoingBody, trailers: Fields | undefined): Result<void, ErrorCode> {
    body.$guest.enter();
    body.#state = "finished";
    if (trailers === undefined) return ok(undefined);
    trailers.$release();
    return err({ tag: "HTTP-request-trailer-section-size", val: undefined });
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    if (this.#state === "open") this.$discard();
  }

  /** Nobody will send it, or it was sent. */
  $discard(): void {
    this.$release();
    this.#chunks.length = 0;
    if (this.#state === "open") this.#state = "dropped";
  }

  $bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#chunks));
  }

  #take(bytes: Uint8Array): boolean {
    if (this.#state !== "open") return false;
    this.$hold(bytes.length);
    this.#chunks.push(bytes);
    return true;
  }
}

/** `wasi:http/types.outgoing-request`. */
export class OutgoingRequest extends Resource {
  readonly #headers: Fields;
  #body: OutgoingBody | undefined;
  #method: Method = { tag: "get" };
  #path: string | undefined;
  #scheme: Scheme | undefined;
  #authority: string | undefined;

  constructor(guest: GuestHost, headers: Fields) {
    super(guest);
    this.#headers = headers.$freeze();
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.$discard();
  }

  /** Gives back what was passed to it, or came of it. */
  $discard(): void {
    this.#headers.$release();
    this.#body?.$discard();
  }

  body(): Result<OutgoingBody, void> {
    this.$guest.enter();
    if (this.#body !== undefined) return err(undefined);
    this.#body = new OutgoingBody(this.$guest);
    return ok(this.#body);
  }

  method(): Method {
    this.$guest.enter();
    return this.#method;
  }

  setMethod(method: Method): Result<void, void> {
    this.$guest.enter();
    this.$guest.expectText(method.tag === "other" ? method.val : method.tag);
    if (method.tag === "other" && !METHOD.test(method.val)) return err(undefined);
    this.#method = method;
    return ok(undefined);
  }

  pathWithQuery(): string | undefined {
    this.$guest.enter();
    return this.#path;
  }

  setPathWithQuery(path: string | undefined): Result<void, void> {
    if (path !== undefined) this.$guest.expectText(path);
    this.$guest.enter(path?.length);
    if (path !== undefined && !PATH.test(path)) return err(undefined);
    this.#path = path;
    return ok(undefined);
  }

  scheme(): Scheme | undefined {
    this.$guest.enter();
    return this.#scheme;
  }

  setScheme(scheme: Scheme | undefined): Result<void, void> {
    this.$guest.enter();
    if (scheme?.tag === "other") return err(undefined);
    this.#scheme = scheme;
    return ok(undefined);
  }

  authority(): string | undefined {
    this.$guest.enter();
    return this.#authority;
  }

  setAuthority(authority: string | undefined): Result<void, void> {
    this.$guest.enter();
    if (authority !== undefined) this.$guest.expectText(authority);
    if (authority !== undefined && !AUTHORITY.test(authority)) return err(undefined);
    this.#authority = authority;
    return ok(undefined);
  }

  headers(): Fields {
    this.$guest.enter();
    return this.#headers.clone().$freeze();
  }

  /** What `SendRequest` gets of it, without the body; an error where it makes no request. */
  $head(): Result<RequestHead, ErrorCode> {
    if (this.#authority === undefined) return err({ tag: "HTTP-request-URI-invalid" });
    const scheme = this.#scheme?.tag === "HTTP" ? "http" : "https";
    const path = this.#path ?? "/";
    if (!path.startsWith("/") && !path.startsWith("?")) return err({ tag: "HTTP-request-URI-invalid" });
    const url = `${scheme}://${this.#authority}${path}`;
    if (!URL.canParse(url)) return err({ tag: "HTTP-request-URI-invalid" });
    const method = this.#method.tag === "other" ? this.#method.val : this.#method.tag.toUpperCase();
    return ok({
      method,
      url,
      headers: this.#headers.$text(),
      body: this.#body,
      discard: () => this.$discard(),
    });
  }
}

export interface RequestHead {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `undefined`: none was asked for. */
  readonly body: OutgoingBody | undefined;
  /** To be called when it is not needed any more. */
  readonly discard: () => void;
}

/** `wasi:http/types.request-options`. Kept and not used: the worker's limits of time hold for all requests. */
export class RequestOptions extends Resource {
  readonly #ns = { connect: undefined, firstByte: undefined, betweenBytes: undefined } as Record<
    "connect" | "firstByte" | "betweenBytes",
    bigint | undefined
  >;

  connectTimeout(): bigint | undefined {
    return this.#get("connect");
  }

  setConnectTimeout(ns: bigint | undefined): Result<void, void> {
    return this.#set("connect", ns);
  }

  firstByteTimeout(): bigint | undefined {
    return this.#get("firstByte");
  }

  setFirstByteTimeout(ns: bigint | undefined): Result<void, void> {
    return this.#set("firstByte", ns);
  }

  betweenBytesTimeout(): bigint | undefined {
    return this.#get("betweenBytes");
  }

  setBetweenBytesTimeout(ns: bigint | undefined): Result<void, void> {
    return this.#set("betweenBytes", ns);
  }

  #get(which: "connect" | "firstByte" | "betweenBytes"): bigint | undefined {
    this.$guest.enter();
    return this.#ns[which];
  }

  #set(which: "connect" | "firstByte" | "betweenBytes", ns: bigint | undefined): Result<void, void> {
    this.$guest.enter();
    this.#ns[which] = ns;
    return ok(undefined);
  }
}
