import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERRNO } from "../src/abi/wasi/errno.ts";
import { COMMAND_OFFERS } from "../src/abi/wasi/functions.ts";
import { DEFAULT_LIMITS } from "../src/limits.ts";
import { createWasiGuest, Stopped, type WasiGuest } from "./_host.ts";

const PAGE_BYTES = 65_536;
const NAMES = [...COMMAND_OFFERS.keys()];

const EDGES = [0, 1, 2, 3, 8, PAGE_BYTES - 8, PAGE_BYTES - 4, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1];
const FAR_EDGES = [2 ** 29, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 8, 2 ** 32 - 1];

/** Numbers that are often wrong: at the ends of memory, of signs and of i32, and small ones that are often right. */
const u32 = fc.oneof(
  fc.constantFrom(...EDGES, ...FAR_EDGES),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.integer({ min: 0, max: PAGE_BYTES }),
  fc.integer({ min: 0, max: 64 }),
);
const u64 = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);

/** What of a call is up to the guest: its arguments, and what is in memory where they point. */
const hostileCall = fc.constantFrom(...NAMES).chain((name) =>
  fc.record({
    name: fc.constant(name),
    args: fc.tuple(...COMMAND_OFFERS.get(name)!.params.map((type) => (type === "i64" ? u64 : u32))),
    words: fc.array(u32, { maxLength: 64 }),
    wordsAt: fc.integer({ min: 0, max: (PAGE_BYTES - 256) / 4 }),
  }),
);

function guestForHostility(): WasiGuest {
  return createWasiGuest({
    input: new TextEncoder().encode("some input"),
    args: ["one", "two"],
    env: { NAME: "value" },
    limits: { ...DEFAULT_LIMITS, fuel: 5_000_000n, outputBytes: 100_000, stderrBytes: 1000 },
  });
}

/** Errno, or how the run was ended. */
function callAll(guest: WasiGuest, name: string, args: readonly (number | bigint)[]): number | string {
  try {
    return guest.call(name, ...args);
  } catch (error) {
    if (error instanceof Stopped) return error.end.kind;
    throw error;
  }
}

describe("pointers and lengths of a guest", () => {
  it("never do more to the host than to get an errno or to end the run", () => {
    fc.assert(
      fc.property(fc.array(hostileCall, { minLength: 1, maxLength: 8 }), (calls) => {
        const guest = guestForHostility();
        for (const { name, args, words, wordsAt } of calls) {
          words.forEach((word, index) => guest.view.setUint32((wordsAt + index) * 4, word, true));
          const ended = callAll(guest, name, args);
          if (typeof ended === "string") {
            expect(["out_of_fuel", "output_too_large", "guest_error"]).toContain(ended);
          } else expect(Object.values(ERRNO)).toContain(ended);
        }
        expect(guest.bytes.length).toBe(PAGE_BYTES);
        expect(guest.host.seen.stdout.length).toBeLessThanOrEqual(100_000);
        expect(guest.host.seen.stderr.length).toBeLessThanOrEqual(1000);
      }),
      { numRuns: 5000 },
    );
  });

  it("that fault change nothing of memory, of the streams and of the clocks", () => {
    fc.assert(
      fc.property(hostileCall, ({ name, args, words, wordsAt }) => {
        const guest = guestForHostility();
        words.forEach((word, index) => guest.view.setUint32((wordsAt + index) * 4, word, true));
        const before = guest.bytes.slice();
        if (callAll(guest, name, args) !== ERRNO.fault) return;
        // Reading over its own list of buffers is all that a guest can do to be stopped halfway.
        if (name !== "fd_read") expect(Buffer.compare(guest.bytes, before)).toBe(0);
        expect(guest.host.seen).toMatchObject({ stdout: [], stderr: [], nowNs: 0n, slept: [] });
      }),
      { numRuns: 5000 },
    );
  });

  it("fault in each function that has pointers, at each of them, one byte outside", () => {
    for (const { name, args, pointers } of WELL_FORMED) {
      for (const { at, sizeBytes } of pointers) {
        const inside = guestForWellFormed();
        const last = args.with(at, PAGE_BYTES - sizeBytes);
        expect([name, at, callAll(inside, name, last)]).toEqual([name, at, ERRNO.success]);
        const outside = guestForWellFormed();
        const first = args.with(at, PAGE_BYTES - sizeBytes + 1);
        const before = outside.bytes.slice();
        expect([name, at, callAll(outside, name, first)]).toEqual([name, at, ERRNO.fault]);
        expect([name, at, Buffer.compare(outside.bytes, before)]).toEqual([name, at, 0]);
        expect(outside.host.seen).toMatchObject({ stdout: [], stderr: [], nowNs: 0n, slept: [] });
      }
    }
  });

  it("fault before anything is read or written when one buffer of a list is outside", () => {
    for (const [name, fd] of [
      ["fd_read", 0],
      ["fd_write", 1],
      ["fd_write", 2],
    ] as const) {
      const guest = guestForWellFormed();
      guest.view.setUint32(64 + 12, PAGE_BYTES, true);
      const before = guest.bytes.slice();
      expect(guest.call(name, fd, 64, 2, 5000)).toBe(ERRNO.fault);
      expect(Buffer.compare(guest.bytes, before)).toBe(0);
      expect(guest.host.seen).toMatchObject({ stdout: [], stderr: [] });
    }
  });

  it("decide where a call writes, and nothing else is written", () => {
    for (const { name, args, pointers } of WELL_FORMED) {
      const guest = guestForWellFormed();
      guest.bytes.subarray(4096).fill(0xa5);
      const before = guest.bytes.slice();
      expect([name, callAll(guest, name, args)]).toEqual([name, ERRNO.success]);
      const allowed = pointers.map(({ at, sizeBytes }) => [Number(args[at]), sizeBytes] as const);
      if (name === "fd_read") allowed.push([6000, 4], [6100, 3]);
      for (const [begin, sizeBytes] of allowed) {
        guest.bytes.fill(0, begin, begin + sizeBytes);
        before.fill(0, begin, begin + sizeBytes);
      }
      expect([name, Buffer.compare(guest.bytes, before)]).toEqual([name, 0]);
    }
  });
});

/** Two buffers at 64: 4 bytes at 6000, 3 at 6100. A subscription to a clock, 1 ns from now, at 128. */
function guestForWellFormed(): WasiGuest {
  const guest = guestForHostility();
  [6000, 4, 6100, 3].forEach((word, index) => guest.view.setUint32(64 + index * 4, word, true));
  guest.view.setBigUint64(128, 7n, true);
  guest.view.setUint32(128 + 16, 1, true);
  guest.view.setBigUint64(128 + 24, 1n, true);
  return guest;
}

interface WellFormed {
  readonly name: string;
  readonly args: readonly (number | bigint)[];
  readonly pointers: readonly { readonly at: number; readonly sizeBytes: number }[];
}

const WELL_FORMED: readonly WellFormed[] = [
  { name: "args_get", args: [5000, 5100], pointers: [size(0, 12), size(1, 16)] },
  { name: "args_sizes_get", args: [5000, 5100], pointers: [size(0, 4), size(1, 4)] },
  { name: "environ_get", args: [5000, 5100], pointers: [size(0, 4), size(1, 11)] },
  { name: "environ_sizes_get", args: [5000, 5100], pointers: [size(0, 4), size(1, 4)] },
  { name: "clock_res_get", args: [0, 5000], pointers: [size(1, 8)] },
  { name: "clock_time_get", args: [1, 0n, 5000], pointers: [size(2, 8)] },
  { name: "random_get", args: [5000, 77], pointers: [size(0, 77)] },
  { name: "fd_read", args: [0, 64, 2, 5000], pointers: [size(3, 4)] },
  { name: "fd_write", args: [1, 64, 2, 5000], pointers: [size(1, 16), size(3, 4)] },
  { name: "fd_write", args: [2, 64, 2, 5000], pointers: [size(3, 4)] },
  { name: "fd_fdstat_get", args: [1, 5000], pointers: [size(1, 24)] },
  { name: "fd_filestat_get", args: [1, 5000], pointers: [size(1, 64)] },
  { name: "poll_oneoff", args: [128, 5000, 1, 5100], pointers: [size(0, 48), size(1, 32), size(3, 4)] },
];

function size(at: number, sizeBytes: number): WellFormed["pointers"][number] {
  return { at, sizeBytes };
}
