import { isUint8Array } from "node:util/types";
import type { RunEnd } from "../outcome.ts";
import type { RunHost } from "../thread/protocol.ts";

/** Resources that a component may hold at once: streams, pollables, fields. Real ones hold dozens. */
const MOST_RESOURCES = 10_000;
/** What the host may hold for a component outside of its memory: headers and bodies of HTTP, bytes. */
const MOST_HELD_BYTES = 64 * 1024 * 1024;

/** What WASI's functions have of a run. Whatever ends the run from inside of one is kept, and thrown again. */
export class GuestHost {
  readonly run: RunHost["run"];
  /** Called whenever a call of the component has arrived. */
  onEnter: () => void = () => undefined;
  readonly #host: RunHost;
  #thrown: { readonly error: unknown } | undefined;
  #resources = 0;
  #heldBytes = 0;

  constructor(host: RunHost) {
    this.#host = host;
    this.run = host.run;
  }

  /** What ended the run; `undefined` while nothing has. */
  get thrown(): { readonly error: unknown } | undefined {
    return this.#thrown;
  }

  /** To be called first in whatever a component can call. `costBytes` are those that pass, and burn fuel. */
  enter(costBytes = 0): void {
    this.onEnter();
    this.expect(costBytes >= 0, "a list or text was expected");
    this.ask((host) => {
      host.enter();
      if (costBytes > 0) host.charge(costBytes);
    });
  }

  /** Asks the run's host, and keeps what it throws: the glue of jco takes some errors for errors of WASI. */
  ask<T>(question: (host: RunHost) => T): T {
    if (this.#thrown !== undefined) throw this.#thrown.error;
    try {
      return question(this.#host);
    } catch (error) {
      this.#thrown = { error };
      throw error;
    }
  }

  stop(end: RunEnd): never {
    return this.ask((host) => host.stop(end));
  }

  /** Ends the run for what the component model calls a trap, or what no program needs. */
  trap(message: string): never {
    return this.stop({ kind: "trap", reason: "other", message });
  }

  /**
   * What a component passes has the types that it says its imports have, which nobody compares with those of WASI. So
   * whatever is counted, kept or given on is looked at here; else it ends the run.
   */
  expect(isRight: boolean, what: string): void {
    if (!isRight) this.trap(`it imports a function with other types than it has: ${what}`);
  }

  /** {@link expect} for a string. */
  expectText(value: unknown): void {
    this.expect(typeof value === "string", "text was expected");
  }

  /** {@link expect} for a list of u8. */
  expectBytes(value: unknown): void {
    this.expect(isUint8Array(value), "bytes were expected");
  }

  /** {@link expect} for a u64. */
  expectU64(value: unknown): void {
    this.expect(typeof value === "bigint" && value >= 0n, "a number of 64 bits was expected");
  }

  /** Counts a resource in, or with -1 out. */
  countResource(change: 1 | -1): void {
    this.#resources += change;
    if (this.#resources > MOST_RESOURCES) this.trap(`more than ${MOST_RESOURCES} resources at once`);
  }

  /** Counts bytes in that the host holds for the component, or out. */
  holdBytes(change: number): void {
    this.#heldBytes += change;
    if (this.#heldBytes > MOST_HELD_BYTES)
      this.trap(`more than ${MOST_HELD_BYTES} bytes of requests at once`);
  }
}

export type Ok<T> = { readonly tag: "ok"; readonly val: T };
export type Err<E> = { readonly tag: "err"; readonly val: E };
/** What functions of WASI that can fail return. Never thrown: so nothing else can be taken for it. */
export type Result<T, E> = Ok<T> | Err<E>;

export function ok<T>(val: T): Ok<T> {
  return { tag: "ok", val };
}

export function err<E>(val: E): Err<E> {
  return { tag: "err", val };
}

/**
 * Something of the host's that a component holds by a handle.
 *
 * A component may import a method of any name, and jco calls it by that name. Names of WIT have no `$`: so those of
 * methods and properties that are the host's alone begin with one.
 */
export abstract class Resource {
  readonly #guest: GuestHost;
  #isOpen = true;
  #heldBytes = 0;

  constructor(guest: GuestHost) {
    this.#guest = guest;
    guest.countResource(1);
  }

  /** The run it belongs to. For a handle that a component has not, jco makes up an object that is none of these. */
  protected get $guest(): GuestHost {
    if (!(#guest in this)) throw new TypeError("it uses a handle that it does not have");
    return this.#guest;
  }

  /** Bytes that the host holds for it. */
  protected $hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.$guest.holdBytes(bytes);
  }

  /** Gives back what it holds: it was dropped, or passed on. */
  $release(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.$guest.countResource(-1);
    this.$guest.holdBytes(-this.#heldBytes);
  }

  /** The component drops its handle. */
  [Symbol.dispose](): void {
    this.$guest.enter();
    this.$release();
  }
}

/**
 * Takes from a class what all classes and objects have: as the static method `constructor` of any class, a component
 * would have that of all functions, which makes code of text.
 */
export function withoutInherited<T extends abstract new (...rest: never[]) => object>(Class: T): T {
  Object.setPrototypeOf(Class, null);
  Object.setPrototypeOf(Class.prototype as object, null);
  return Class;
}

withoutInherited(Resource);
