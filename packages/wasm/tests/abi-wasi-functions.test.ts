import { describe, expect, it } from "vitest";
import { ERRNO } from "../src/abi/wasi/errno.ts";
import { type CommandCall, COMMAND_OFFERS } from "../src/abi/wasi/functions.ts";
import { GuestMemory } from "../src/abi/wasi/guest-memory.ts";
import { linkImports } from "../src/abi/wasi/link-imports.ts";
import { createArgs, createEnvironment } from "../src/abi/wasi/string-list.ts";
import { DEFAULT_LIMITS } from "../src/limits.ts";
import type { ModuleFacts } from "../src/meter/facts.ts";
import { createTestHost, createWasiGuest, factsOfImports, Stopped, type WasiGuest } from "./_host.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function text(bytes: Iterable<number>): string {
  return decoder.decode(Uint8Array.from(bytes));
}

function endOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (error instanceof Stopped) return error.end;
    throw error;
  }
  return "went on";
}

/** Puts a list of buffers at `at`. */
function setVectors(guest: WasiGuest, at: number, vectors: readonly (readonly [number, number])[]): void {
  vectors.flat().forEach((word, index) => guest.view.setUint32(at + index * 4, word, true));
}

describe("every function", () => {
  it("counts as a call of the host, and as one that may be refused", () => {
    for (const [name, { params }] of COMMAND_OFFERS) {
      const guest = createWasiGuest({ limits: { ...DEFAULT_LIMITS, hostCalls: 0 } });
      const args = params.map((type) => (type === "i64" ? 0n : 0));
      expect([name, endOf(() => guest.call(name, ...args))]).toEqual([
        name,
        { kind: "too_many_host_calls", limit: 0 },
      ]);
    }
  });

  it("is there: the 46 of preview 1", () => {
    expect(COMMAND_OFFERS.size).toBe(46);
  });
});

describe("arguments and environment", () => {
  it("are lists of pointers to strings that end with a zero byte", () => {
    const guest = createWasiGuest({ args: ["-n", "ä"], env: { B: "2", A: "1=1" } });
    expect(guest.call("args_sizes_get", 0, 4)).toBe(ERRNO.success);
    expect([guest.view.getUint32(0, true), guest.view.getUint32(4, true)]).toEqual([3, 14]);
    expect(guest.call("args_get", 16, 100)).toBe(ERRNO.success);
    expect([16, 20, 24].map((at) => guest.view.getUint32(at, true))).toEqual([100, 108, 111]);
    expect(text(guest.bytes.subarray(100, 114))).toBe("program\0-n\0ä\0");

    expect(guest.call("environ_sizes_get", 0, 4)).toBe(ERRNO.success);
    expect([guest.view.getUint32(0, true), guest.view.getUint32(4, true)]).toEqual([2, 10]);
    expect(guest.call("environ_get", 16, 200)).toBe(ERRNO.success);
    expect(text(guest.bytes.subarray(200, 210))).toBe("A=1=1\0B=2\0");
  });

  it("are charged by their bytes", () => {
    const guest = createWasiGuest({ args: ["-n"] });
    guest.call("args_get", 16, 100);
    expect(guest.host.seen.fuel).toBe(2 * 4 + 11);
  });

  it("that would not arrive as they are refused", () => {
    expect(() => createArgs(["fine", "a\0b"])).toThrow("[WASM_BAD_REQUEST] argument 1 has a zero byte");
    for (const env of [{ "": "x" }, { "A=B": "x" }, { "A\0": "x" }, { A: "x\0" }]) {
      expect(() => createEnvironment(env)).toThrow("[WASM_BAD_REQUEST] the environment variable");
    }
  });
});

describe("stdin", () => {
  it("fills buffers one after the other, and is then at its end", () => {
    const guest = createWasiGuest({ input: encoder.encode("abcdefgh") });
    setVectors(guest, 0, [
      [100, 3],
      [200, 0],
      [300, 2],
    ]);
    expect(guest.call("fd_read", 0, 0, 3, 64)).toBe(ERRNO.success);
    expect(guest.view.getUint32(64, true)).toBe(5);
    expect(text([...guest.bytes.subarray(100, 103), ...guest.bytes.subarray(300, 302)])).toBe("abcde");
    guest.call("fd_read", 0, 0, 3, 64);
    expect(guest.view.getUint32(64, true)).toBe(3);
    guest.call("fd_read", 0, 0, 3, 64);
    expect(guest.view.getUint32(64, true)).toBe(0);
  });

  it("is charged by the bytes that are read, and by the list", () => {
    const guest = createWasiGuest({ input: encoder.encode("abc") });
    setVectors(guest, 0, [[100, 50_000]]);
    guest.call("fd_read", 0, 0, 1, 64);
    expect(guest.host.seen.fuel).toBe(8 + 3);
  });

  it("cannot be written, nor stdout be read", () => {
    const guest = createWasiGuest();
    expect(guest.call("fd_write", 0, 0, 0, 64)).toBe(ERRNO.badf);
    expect(guest.call("fd_read", 1, 0, 0, 64)).toBe(ERRNO.badf);
    expect(guest.call("fd_read", -1, 0, 0, 64)).toBe(ERRNO.badf);
  });
});

describe("stdout and stderr", () => {
  it("take what buffers hold, in order", () => {
    const guest = createWasiGuest();
    guest.bytes.set(encoder.encode("hello world"), 100);
    setVectors(guest, 0, [
      [106, 5],
      [100, 5],
    ]);
    expect(guest.call("fd_write", 1, 0, 2, 64)).toBe(ERRNO.success);
    expect(guest.call("fd_write", 2, 8, 1, 68)).toBe(ERRNO.success);
    expect([guest.view.getUint32(64, true), guest.view.getUint32(68, true)]).toEqual([10, 5]);
    expect([text(guest.host.seen.stdout), text(guest.host.seen.stderr)]).toEqual(["worldhello", "hello"]);
    expect(guest.host.seen.fuel).toBe(16 + 10 + 8 + 5);
  });

  it("end the run where a list claims more than the run may write", () => {
    const guest = createWasiGuest({ limits: { ...DEFAULT_LIMITS, outputBytes: 100_000 } });
    setVectors(
      guest,
      0,
      Array.from({ length: 1000 }, () => [0, 65_536] as const),
    );
    expect(endOf(() => guest.call("fd_write", 1, 0, 1000, 64))).toEqual({
      kind: "output_too_large",
      limitBytes: 100_000,
      actualBytes: 131_072,
    });
  });

  it("take 4 GiB at most by one call, which is what its result can say", () => {
    const pages = 4;
    const guest = createWasiGuest({ limits: { ...DEFAULT_LIMITS, stderrBytes: 0 } }, pages);
    const memoryBytes = pages * 65_536;
    // All of memory is a list of buffers, each of which is all of memory: 2^33 bytes.
    for (let at = 0; at < memoryBytes; at += 8) setVectors(guest, at, [[0, memoryBytes]]);
    expect(guest.call("fd_write", 2, 0, memoryBytes / 8, 0)).toBe(ERRNO.success);
    expect(guest.view.getUint32(0, true)).toBe(2 ** 32 - memoryBytes);
  });

  it("burn fuel for what is cut from stderr as well", () => {
    const guest = createWasiGuest({ limits: { ...DEFAULT_LIMITS, stderrBytes: 2 } });
    setVectors(guest, 0, [[100, 5]]);
    expect(guest.call("fd_write", 2, 0, 1, 64)).toBe(ERRNO.success);
    expect([guest.host.seen.stderr.length, guest.host.seen.fuel]).toEqual([2, 13]);
  });
});

describe("descriptors", () => {
  it("are gone once they are closed", () => {
    const guest = createWasiGuest();
    expect(guest.call("fd_close", 1)).toBe(ERRNO.success);
    expect(guest.call("fd_close", 1)).toBe(ERRNO.badf);
    expect(guest.call("fd_write", 1, 0, 0, 64)).toBe(ERRNO.badf);
    expect(guest.call("fd_fdstat_get", 1, 64)).toBe(ERRNO.badf);
    expect(guest.call("fd_filestat_get", 1, 64)).toBe(ERRNO.badf);
  });

  it("become another one when they are renumbered", () => {
    const guest = createWasiGuest();
    setVectors(guest, 0, [[100, 1]]);
    expect(guest.call("fd_renumber", 1, 1)).toBe(ERRNO.success);
    expect(guest.call("fd_renumber", 1, 2)).toBe(ERRNO.success);
    guest.call("fd_write", 2, 0, 1, 64);
    expect([guest.host.seen.stdout.length, guest.host.seen.stderr.length]).toEqual([1, 0]);
    expect(guest.call("fd_write", 1, 0, 1, 64)).toBe(ERRNO.badf);
    expect(guest.call("fd_renumber", 0, 1)).toBe(ERRNO.badf);
    expect(guest.call("fd_renumber", 3, 0)).toBe(ERRNO.badf);
  });

  it("are pipes: no terminal, which libc would write line by line", () => {
    const guest = createWasiGuest();
    guest.bytes.fill(0xff, 0, 128);
    expect(guest.call("fd_fdstat_get", 0, 0)).toBe(ERRNO.success);
    expect([guest.bytes[0], guest.view.getUint16(2, true)]).toEqual([0, 0]);
    expect(guest.view.getBigUint64(8, true) & 0b100_0010n).toBe(0b10n);
    expect(guest.view.getBigUint64(16, true)).toBe(0n);
    guest.call("fd_fdstat_get", 1, 0);
    expect(guest.view.getBigUint64(8, true) & 0b100_0010n).toBe(0b100_0000n);
    expect(guest.call("fd_filestat_get", 1, 32)).toBe(ERRNO.success);
    expect(guest.bytes.subarray(32, 96).every((byte) => byte === 0)).toBe(true);
    expect(guest.bytes[96]).toBe(0xff);
    expect(guest.call("fd_seek", 1, 0n, 0, 0)).toBe(ERRNO.spipe);
    expect(guest.call("fd_tell", 0, 0)).toBe(ERRNO.spipe);
  });

  it("keep the flags that they are given, and refuse what is none", () => {
    const guest = createWasiGuest();
    expect(guest.call("fd_fdstat_set_flags", 1, 4)).toBe(ERRNO.success);
    guest.call("fd_fdstat_get", 1, 0);
    expect(guest.view.getUint16(2, true)).toBe(4);
    expect(guest.call("fd_fdstat_set_flags", 1, 32)).toBe(ERRNO.inval);
    expect(guest.call("fd_fdstat_set_flags", 3, 0)).toBe(ERRNO.badf);
  });
});

describe("files and sockets", () => {
  const fileFunctions = [...COMMAND_OFFERS.keys()].filter((name) => name.startsWith("path_"));

  it("are not there: no descriptor is a folder, and none can be opened", () => {
    const guest = createWasiGuest();
    expect(guest.call("fd_prestat_get", 3, 0)).toBe(ERRNO.badf);
    expect(guest.call("fd_prestat_dir_name", 3, 0, 10)).toBe(ERRNO.badf);
    expect(fileFunctions).toHaveLength(10);
    for (const name of fileFunctions) {
      for (const fd of [0, 1, 2, 3, 4, 1000, -1, -100]) {
        const args = COMMAND_OFFERS.get(name)!.params.map((type) => (type === "i64" ? 0n : fd));
        const errno = fd >= 0 && fd <= 2 ? ERRNO.notdir : ERRNO.badf;
        expect([name, fd, guest.call(name, ...args)]).toEqual([name, fd, errno]);
      }
    }
    expect(guest.call("path_symlink", 9, 9, 0, 9, 9)).toBe(ERRNO.notdir);
    expect(guest.call("fd_readdir", 0, 0, 0, 0n, 0)).toBe(ERRNO.notdir);
    for (const fd of [3, 4, 7]) expect(guest.call("fd_close", fd)).toBe(ERRNO.badf);
  });

  it("of the network are not supported, whatever the descriptor", () => {
    const guest = createWasiGuest();
    for (const fd of [0, 1, 3, -1]) {
      expect(guest.call("sock_accept", fd, 0, 0)).toBe(ERRNO.notsup);
      expect(guest.call("sock_recv", fd, 0, 0, 0, 0, 0)).toBe(ERRNO.notsup);
      expect(guest.call("sock_send", fd, 0, 0, 0, 0)).toBe(ERRNO.notsup);
      expect(guest.call("sock_shutdown", fd, 0)).toBe(ERRNO.notsup);
    }
  });
});

describe("clocks and randomness", () => {
  it("are those of the run", () => {
    const guest = createWasiGuest();
    expect(guest.call("clock_time_get", 0, 0n, 0)).toBe(ERRNO.success);
    for (const id of [1, 2, 3]) expect(guest.call("clock_time_get", id, 0n, id * 8)).toBe(ERRNO.success);
    expect([0, 8, 16, 24].map((at) => guest.view.getBigUint64(at, true))).toEqual([
      1_000_001_000n,
      2000n,
      3000n,
      4000n,
    ]);
    expect(guest.call("clock_time_get", 4, 0n, 0)).toBe(ERRNO.inval);
    expect(guest.call("clock_res_get", 0, 0)).toBe(ERRNO.success);
    expect(guest.view.getBigUint64(0, true)).toBe(1000n);
    expect(guest.call("clock_res_get", 4, 0)).toBe(ERRNO.inval);
  });

  it("fill exactly what was asked for, charged by its bytes", () => {
    const guest = createWasiGuest();
    expect(guest.call("random_get", 100, 1000)).toBe(ERRNO.success);
    expect(guest.bytes.subarray(0, 100).every((byte) => byte === 0)).toBe(true);
    expect(guest.bytes.subarray(1100).every((byte) => byte === 0)).toBe(true);
    expect(new Set(guest.bytes.subarray(100, 1100)).size).toBeGreaterThan(200);
    expect(guest.host.seen.fuel).toBe(1000);
  });
});

describe("poll_oneoff", () => {
  interface Subscription {
    readonly userData: bigint;
    readonly tag: number;
    readonly at16: number;
    readonly timeoutNs?: bigint;
    readonly flags?: number;
  }

  function subscribe(guest: WasiGuest, subscriptions: readonly Subscription[]): number {
    subscriptions.forEach(({ userData, tag, at16, timeoutNs = 0n, flags = 0 }, index) => {
      const at = index * 48;
      guest.view.setBigUint64(at, userData, true);
      guest.view.setUint8(at + 8, tag);
      guest.view.setUint32(at + 16, at16, true);
      guest.view.setBigUint64(at + 24, timeoutNs, true);
      guest.view.setUint16(at + 40, flags, true);
    });
    return guest.call("poll_oneoff", 0, 1000, subscriptions.length, 2000);
  }

  function events(guest: WasiGuest): unknown[] {
    return Array.from({ length: guest.view.getUint32(2000, true) }, (_, index) => {
      const at = 1000 + index * 32;
      return {
        userData: guest.view.getBigUint64(at, true),
        errno: guest.view.getUint16(at + 8, true),
        type: guest.view.getUint8(at + 10),
        readyBytes: guest.view.getBigUint64(at + 16, true),
        flags: guest.view.getUint16(at + 24, true),
      };
    });
  }

  const nothing = { errno: 0, readyBytes: 0n, flags: 0 };

  it("passes the time until the first of its clocks, and tells of those that are due then", () => {
    const guest = createWasiGuest();
    const errno = subscribe(guest, [
      { userData: 1n, tag: 0, at16: 1, timeoutNs: 9_000_000n },
      { userData: 2n, tag: 0, at16: 0, timeoutNs: 5_000_000n },
      { userData: 3n, tag: 0, at16: 1, timeoutNs: 5_000_000n },
    ]);
    expect(errno).toBe(ERRNO.success);
    expect(guest.host.seen.slept).toEqual([5_000_000n]);
    expect(events(guest)).toEqual([
      { ...nothing, userData: 2n, type: 0 },
      { ...nothing, userData: 3n, type: 0 },
    ]);
  });

  it("counts a moment from now, or from where its clock begins", () => {
    const guest = createWasiGuest();
    expect(subscribe(guest, [{ userData: 1n, tag: 0, at16: 1, timeoutNs: 51_000n, flags: 1 }])).toBe(0);
    expect(guest.host.seen.slept).toEqual([50_000n]);
    guest.host.seen.slept = [];
    const past = [5n, 6n].map((timeoutNs) => ({ userData: 1n, tag: 0, at16: 0, timeoutNs, flags: 1 }));
    expect(subscribe(guest, past)).toBe(0);
    expect(guest.host.seen.slept).toEqual([]);
    expect(events(guest)).toHaveLength(2);
  });

  it("never waits for descriptors, as they are always ready", () => {
    const guest = createWasiGuest({ input: encoder.encode("abc") });
    const errno = subscribe(guest, [
      { userData: 1n, tag: 1, at16: 0 },
      { userData: 2n, tag: 2, at16: 1 },
      { userData: 3n, tag: 2, at16: 7 },
      { userData: 4n, tag: 1, at16: 1 },
      { userData: 5n, tag: 0, at16: 1, timeoutNs: 1n },
      { userData: 6n, tag: 0, at16: 9, timeoutNs: 1n },
    ]);
    expect(errno).toBe(ERRNO.success);
    expect(guest.host.seen.slept).toEqual([]);
    expect(events(guest)).toEqual([
      { ...nothing, userData: 1n, type: 1, readyBytes: 3n },
      { ...nothing, userData: 2n, type: 2 },
      { ...nothing, userData: 3n, type: 2, errno: ERRNO.badf },
      { ...nothing, userData: 4n, type: 1, errno: ERRNO.badf },
      { ...nothing, userData: 6n, type: 0, errno: ERRNO.inval },
    ]);
    setVectors(guest, 0, [[300, 3]]);
    guest.call("fd_read", 0, 0, 1, 64);
    subscribe(guest, [{ userData: 1n, tag: 1, at16: 0 }]);
    expect(events(guest)).toEqual([{ ...nothing, userData: 1n, type: 1, flags: 1 }]);
  });

  it("refuses an empty list and kinds that there are not, and charges for lists", () => {
    const guest = createWasiGuest();
    expect(subscribe(guest, [])).toBe(ERRNO.inval);
    expect(subscribe(guest, [{ userData: 1n, tag: 3, at16: 0 }])).toBe(ERRNO.inval);
    expect(guest.host.seen.fuel).toBe(80);
  });
});

describe("exit", () => {
  it("ends the run with the code without sign", () => {
    const guest = createWasiGuest();
    expect(endOf(() => guest.call("proc_exit", 3))).toMatchObject({ code: 3 });
    expect(endOf(() => guest.call("proc_exit", -1))).toMatchObject({ code: 4_294_967_295 });
  });
});

describe("linking", () => {
  function link(facts: ModuleFacts): unknown {
    const host = createTestHost();
    const call = { host, memory: new GuestMemory() } as unknown as CommandCall;
    return linkImports(facts, COMMAND_OFFERS, { abiName: "a command", call });
  }

  const fdClose = { params: ["i32"], results: ["i32"] } as const;

  it("refuses names that preview 1 does not have, those of every object included", () => {
    for (const name of ["fd_fork", "__proto__", "constructor", "toString", "hasOwnProperty"]) {
      expect(link(factsOfImports(Object.fromEntries([[name, fdClose]])))).toMatchObject({
        kind: "refused_import",
        name: `wasi_snapshot_preview1.${name}`,
      });
    }
  });

  it("refuses other modules, and what is no function", () => {
    const facts = factsOfImports({ fd_close: fdClose });
    const other = facts.imports.map((fact) => ({ ...fact, module: "env" }));
    expect(link({ ...facts, imports: other })).toEqual({
      kind: "refused_import",
      name: "env.fd_close",
      message:
        "a command may import only the functions of wasi_snapshot_preview1; build the module without it",
    });
    const type = { kind: "memory", min: 1, max: undefined } as const;
    const memory = facts.imports.map((fact) => ({ ...fact, type }));
    expect(link({ ...facts, imports: memory })).toMatchObject({ name: "wasi_snapshot_preview1.fd_close" });
  });

  it("refuses functions of another type, which JavaScript would link", () => {
    for (const type of [
      { params: ["i64"], results: ["i32"] },
      { params: ["i32"], results: [] },
      { params: ["i32"], results: ["i32", "i32"] },
      { params: [], results: ["i32"] },
      { params: ["externref"], results: ["i32"] },
    ] as const) {
      expect(link(factsOfImports({ fd_close: type }))).toMatchObject({
        kind: "refused_import",
        name: "wasi_snapshot_preview1.fd_close",
        message: expect.stringContaining("and is (i32) -> (i32)"),
      });
    }
  });
});
