import { err, type GuestHost, ok, Resource, type Result } from "../guest-host.ts";

/** What a stream takes or gives at once, bytes. */
const CHUNK_BYTES = 64 * 1024;

/** `wasi:io/error`. */
export class IoError extends Resource {
  readonly #message: string;

  constructor(guest: GuestHost, message: string) {
    super(guest);
    this.#message = message;
  }

  toDebugString(): string {
    this.$guest.enter();
    return this.#message;
  }
}

/** When something that is waited for is there: at once, at a time of the monotonic clock, or when it says so. */
export type Readiness =
  | { readonly kind: "ready" }
  | { readonly kind: "at"; readonly atNs: bigint }
  | { readonly kind: "when"; readonly isReady: () => boolean };

/** `wasi:io/poll.pollable`. */
export class Pollable extends Resource {
  readonly $readiness: Readiness;

  constructor(guest: GuestHost, readiness: Readiness) {
    super(guest);
    this.$readiness = readiness;
  }

  ready(): boolean {
    this.$guest.enter();
    return isReady(this.$readiness, nowNs(this.$guest));
  }

  block(): void {
    this.$guest.enter();
    waitForAny(this.$guest, [this]);
  }
}

/** `wasi:io/poll.poll`: which of them are ready, waiting for the first. */
export function poll(guest: GuestHost, pollables: readonly Pollable[]): Uint32Array {
  guest.enter(pollables.length);
  if (pollables.length === 0) guest.trap("it polls nothing, which would never end");
  return Uint32Array.from(waitForAny(guest, pollables));
}

function waitForAny(guest: GuestHost, pollables: readonly Pollable[]): readonly number[] {
  for (;;) {
    const now = nowNs(guest);
    const ready = pollables.flatMap(({ $readiness: readiness }, index) =>
      isReady(readiness, now) ? [index] : [],
    );
    if (ready.length > 0) return ready;
    const first = pollables.reduce<bigint | undefined>((soonest, { $readiness: readiness }) => {
      if (readiness.kind !== "at") return soonest;
      return soonest === undefined || readiness.atNs < soonest ? readiness.atNs : soonest;
    }, undefined);
    // Nothing goes on outside while the component waits: what is not ready now waits for the component itself.
    if (first === undefined)
      guest.trap("it waits for what can never come: the end of a request that it has not finished");
    guest.ask((host) => host.sleepNs(first - now));
  }
}

function isReady(readiness: Readiness, now: bigint): boolean {
  if (readiness.kind === "at") return readiness.atNs <= now;
  return readiness.kind === "ready" || readiness.isReady();
}

function nowNs(guest: GuestHost): bigint {
  return guest.ask((host) => host.monotonicNs());
}

export type StreamError =
  | { readonly tag: "closed" }
  | { readonly tag: "last-operation-failed"; readonly val: IoError };

const CLOSED: StreamError = { tag: "closed" };

/** `wasi:io/streams.input-stream` over bytes that are all there. */
export class InputStream extends Resource {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(guest: GuestHost, bytes: Uint8Array) {
    super(guest);
    this.#bytes = bytes;
  }

  /** What it gives belongs to it alone, and counts as held until it is dropped. */
  $holding(): this {
    this.$hold(this.#bytes.length);
    return this;
  }

  read(length: bigint): Result<Uint8Array, StreamError> {
    this.$guest.enter();
    return this.$take(length);
  }

  blockingRead(length: bigint): Result<Uint8Array, StreamError> {
    return this.read(length);
  }

  skip(length: bigint): Result<bigint, StreamError> {
    const taken = this.read(length);
    return taken.tag === "ok" ? ok(BigInt(taken.val.length)) : taken;
  }

  blockingSkip(length: bigint): Result<bigint, StreamError> {
    return this.skip(length);
  }

  subscribe(): Pollable {
    this.$guest.enter();
    return new Pollable(this.$guest, { kind: "ready" });
  }

  /** The next bytes, at most a chunk; `closed` after the last. */
  $take(length: bigint): Result<Uint8Array, StreamError> {
    this.$guest.expectU64(length);
    if (this.#offset >= this.#bytes.length) return err(CLOSED);
    const wanted = length > CHUNK_BYTES ? CHUNK_BYTES : Number(length);
    const chunk = this.#bytes.slice(this.#offset, this.#offset + wanted);
    this.#offset += chunk.length;
    if (chunk.length > 0) this.$guest.ask((host) => host.charge(chunk.length));
    return ok(chunk);
  }
}

/** Where an output stream's bytes go. `false`: it takes no more. */
export type Sink = (bytes: Uint8Array) => boolean;

/** `wasi:io/streams.output-stream`. */
export class OutputStream extends Resource {
  readonly #sink: Sink;
  #isClosed = false;

  constructor(guest: GuestHost, sink: Sink) {
    super(guest);
    this.#sink = sink;
  }

  checkWrite(): Result<bigint, StreamError> {
    this.$guest.enter();
    return this.#isClosed ? err(CLOSED) : ok(BigInt(CHUNK_BYTES));
  }

  write(bytes: Uint8Array): Result<void, StreamError> {
    this.$guest.expectBytes(bytes);
    this.$guest.enter(bytes.length);
    return this.$put(bytes);
  }

  blockingWriteAndFlush(bytes: Uint8Array): Result<void, StreamError> {
    return this.write(bytes);
  }

  flush(): Result<void, StreamError> {
    this.$guest.enter();
    return this.#isClosed ? err(CLOSED) : ok(undefined);
  }

  blockingFlush(): Result<void, StreamError> {
    return this.flush();
  }

  writeZeroes(length: bigint): Result<void, StreamError> {
    this.$guest.expectU64(length);
    if (length > CHUNK_BYTES)
      this.$guest.trap("it writes more zeroes at once than a stream said that it takes");
    return this.write(new Uint8Array(Number(length)));
  }

  blockingWriteZeroesAndFlush(length: bigint): Result<void, StreamError> {
    return this.writeZeroes(length);
  }

  splice(source: InputStream, length: bigint): Result<bigint, StreamError> {
    this.$guest.enter();
    const taken = source.$take(length);
    if (taken.tag === "err") return taken;
    const put = this.$put(taken.val);
    return put.tag === "ok" ? ok(BigInt(taken.val.length)) : put;
  }

  blockingSplice(source: InputStream, length: bigint): Result<bigint, StreamError> {
    return this.splice(source, length);
  }

  subscribe(): Pollable {
    this.$guest.enter();
    return new Pollable(this.$guest, { kind: "ready" });
  }

  private $put(bytes: Uint8Array): Result<void, StreamError> {
    if (this.#isClosed) return err(CLOSED);
    if (this.#sink(bytes)) return ok(undefined);
    this.#isClosed = true;
    return err(CLOSED);
  }
}
