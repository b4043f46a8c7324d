import { type Cipheriv, createCipheriv, randomFillSync } from "node:crypto";
import type { ThreadRun } from "./protocol.ts";

/** Where clocks and randomness of one run come from. */
export interface World {
  /** Nanoseconds since 1970. */
  wallClockNs(): bigint;
  /** Nanoseconds since the run began. */
  monotonicNs(): bigint;
  /** Passes that much time. */
  sleepNs(durationNs: bigint): void;
  randomBytes(length: number): Uint8Array;
}

const NS_PER_MS = 1_000_000n;
/** What each reading of a seeded clock advances it by. */
const TICK_NS = 1000n;
/** V8 adds what it waits to the time of day in nanoseconds, and would not wait at all for what overflows; 34 years. */
const LONGEST_SLEEP_MS = 2 ** 40;
/** Randomness is made in pieces of this size: asking for it costs far more than the bytes. */
const RANDOM_BYTES = 1024;

/** Makes the world that a run asks for. */
export function createWorld(world: ThreadRun["world"]): World {
  return world.kind === "live" ? createLiveWorld() : createSeededWorld(world);
}

function createLiveWorld(): World {
  const beganNs = process.hrtime.bigint();
  return {
    wallClockNs: () => BigInt(Date.now()) * NS_PER_MS,
    monotonicNs: () => process.hrtime.bigint() - beganNs,
    sleepNs(durationNs) {
      // Nothing wakes it but the end of the thread, or of the run's time.
      const cell = new Int32Array(new SharedArrayBuffer(4));
      Atomics.wait(cell, 0, 0, Math.min(Number(durationNs) / Number(NS_PER_MS), LONGEST_SLEEP_MS));
    },
    randomBytes: inPieces((length) => randomFillSync(new Uint8Array(length))),
  };
}

/**
 * The same on every machine: both clocks advance by a microsecond each time that one is read. Randomness is the
 * keystream of AES-256 in counter mode, the key being the seed (8 bytes, least first, then zeros), the counter 0.
 */
function createSeededWorld(seeded: { readonly seed: bigint; readonly startMs: number }): World {
  const startNs = BigInt(Math.trunc(seeded.startMs)) * NS_PER_MS;
  let passedNs = 0n;
  const readNs = (): bigint => {
    passedNs += TICK_NS;
    return passedNs;
  };
  let cipher: Cipheriv | undefined;
  const keystream = (length: number): Uint8Array => {
    cipher ??= createKeystream(seeded.seed);
    return cipher.update(new Uint8Array(length));
  };
  return {
    wallClockNs: () => startNs + readNs(),
    monotonicNs: readNs,
    sleepNs(durationNs) {
      passedNs += durationNs;
    },
    randomBytes: inPieces(keystream),
  };
}

function createKeystream(seed: bigint): Cipheriv {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setBigUint64(0, BigInt.asUintN(64, seed), true);
  return createCipheriv("aes-256-ctr", key, new Uint8Array(16));
}

/** The same bytes in the same order as `make` gives, asked of it in pieces that are worth the call. */
function inPieces(make: (length: number) => Uint8Array): (length: number) => Uint8Array {
  let piece: Uint8Array = new Uint8Array(0);
  let used = 0;
  return (length) => {
    const left = piece.length - used;
    if (length > left) {
      const bytes = new Uint8Array(length);
      bytes.set(piece.subarray(used));
      // What is more than a piece is made at once, and whatever follows begins a new one.
      const missing = length - left;
      piece = make(Math.max(missing, RANDOM_BYTES));
      bytes.set(piece.subarray(0, missing), left);
      used = missing;
      return bytes;
    }
    const bytes = piece.slice(used, used + length);
    used += length;
    return bytes;
  };
}
