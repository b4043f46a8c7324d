import { createCipheriv, randomFillSync } from "node:crypto";
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
      Atomics.wait(cell, 0, 0, Number(durationNs) / Number(NS_PER_MS));
    },
    randomBytes: (length) => randomFillSync(new Uint8Array(length)),
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
  let randomBytes = (length: number): Uint8Array => {
    const key = new Uint8Array(32);
    new DataView(key.buffer).setBigUint64(0, BigInt.asUintN(64, seeded.seed), true);
    const cipher = createCipheriv("aes-256-ctr", key, new Uint8Array(16));
    randomBytes = (more) => cipher.update(new Uint8Array(more));
    return randomBytes(length);
  };
  return {
    wallClockNs: () => startNs + readNs(),
    monotonicNs: readNs,
    sleepNs(durationNs) {
      passedNs += durationNs;
    },
    randomBytes: (length) => randomBytes(length),
  };
}
