import type { GuestHost } from "../guest-host.ts";
import { Pollable } from "./io.ts";

/** What a clock tells apart: a seeded one advances by it at each reading. */
const RESOLUTION_NS = 1_000n;
const NS_PER_S = 1_000_000_000n;

interface Datetime {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

/** The interfaces of `wasi:clocks`, in the world of the run. */
export function clockInterfaces(guest: GuestHost): Readonly<Record<string, object>> {
  const subscribe = (atNs: bigint) => {
    guest.expectU64(atNs);
    return new Pollable(guest, { kind: "at", atNs });
  };
  const now = () => {
    guest.enter();
    return guest.ask((host) => host.monotonicNs());
  };
  return {
    "wasi:clocks/monotonic-clock": {
      now,
      resolution: () => {
        guest.enter();
        return RESOLUTION_NS;
      },
      subscribeInstant: (atNs: bigint) => {
        guest.enter();
        return subscribe(atNs);
      },
      subscribeDuration: (durationNs: bigint) => {
        guest.expectU64(durationNs);
        return subscribe(now() + durationNs);
      },
    },
    "wasi:clocks/wall-clock": {
      now: () => {
        guest.enter();
        return datetime(guest.ask((host) => host.wallClockNs()));
      },
      resolution: () => {
        guest.enter();
        return datetime(RESOLUTION_NS);
      },
    },
  };
}

function datetime(ns: bigint): Datetime {
  return { seconds: ns / NS_PER_S, nanoseconds: Number(ns % NS_PER_S) };
}

/** The interfaces of `wasi:random`. All three draw from the same: a seeded run repeats, whichever it uses. */
export function randomInterfaces(guest: GuestHost): Readonly<Record<string, object>> {
  const bytes = (length: bigint) => {
    guest.expectU64(length);
    const most = guest.run.limits.memoryBytes;
    if (length > BigInt(most)) guest.trap(`it asks for ${length} random bytes, and its memory holds ${most}`);
    guest.enter(Number(length));
    return guest.ask((host) => host.randomBytes(Number(length)));
  };
  const u64 = () => {
    const drawn = bytes(8n);
    return new DataView(drawn.buffer, drawn.byteOffset, 8).getBigUint64(0, true);
  };
  return {
    "wasi:random/random": { getRandomBytes: bytes, getRandomU64: u64 },
    "wasi:random/insecure": { getInsecureRandomBytes: bytes, getInsecureRandomU64: u64 },
    "wasi:random/insecure-seed": { insecureSeed: () => [u64(), u64()] },
  };
}
