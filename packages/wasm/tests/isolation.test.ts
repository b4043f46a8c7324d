import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createEngine } from "../src/create-engine.ts";
import type { Program, RunRequest } from "../src/engine.ts";
import { compile, fromText, hasTool } from "./_programs.ts";

const engine = createEngine({ threads: 1 });
afterAll(() => engine[Symbol.asyncDispose]());

const decoder = new TextDecoder();

async function stdoutOf(
  program: Program,
  args: readonly string[],
  request: RunRequest = {},
): Promise<string> {
  const outcome = await engine.run(program, { abi: "command", args, ...request });
  if (outcome.kind !== "completed") throw new Error(`ended as ${outcome.kind}`);
  return decoder.decode(outcome.output);
}

describe.skipIf(!hasTool("clang-wasi"))("a program in C (needs clang with the C library of WASI)", () => {
  let program: Program;
  beforeAll(async () => {
    program = await engine.prepare(compile("clang-wasi", "isolation.c", ["-O2"]));
  });

  it("reaches no file, by no descriptor and no function, in any world", async () => {
    for (const kind of ["seeded", "live"] as const) {
      const said = await stdoutOf(program, ["files"], { world: { kind } });
      expect(said).not.toContain("GOT IT");
      // 102 descriptors: 10 ways for each of 6 paths and 5 more, but for reading stdin and writing stdout and stderr.
      expect(said.match(/refused/g)).toHaveLength(102 * 65 - 1 - 3);
    }
  });

  it("reaches no network by the descriptors that it may guess", async () => {
    const said = await stdoutOf(program, ["network"], { world: { kind: "live" } });
    expect(said).not.toContain("GOT IT");
    expect(said.match(/refused/g)).toHaveLength(102 * 4);
  });

  it("sees no variable and no argument of the process", async () => {
    process.env["ISOLATION_SECRET"] = "of the process";
    onTestFinished(() => {
      delete process.env["ISOLATION_SECRET"];
    });
    const own = createEngine({ threads: 1 });
    onTestFinished(() => own[Symbol.asyncDispose]());
    const outcome = await own.run(await own.prepare(compile("clang-wasi", "isolation.c", ["-O2"])), {
      abi: "command",
      args: ["environment"],
    });
    expect(outcome.kind === "completed" && decoder.decode(outcome.output)).toBe(
      `0 variables, 0 bytes\n2 arguments, ${"program\0environment\0".length} bytes\n`,
    );
  });

  it("sees the clocks of its world and not those of the machine", async () => {
    expect(await stdoutOf(program, ["clocks"])).toBe(
      [
        "clock 0: 0 1000",
        "clock 1: 0 2000",
        "clock 2: 0 3000",
        "clock 3: 0 4000",
        "clock 4: 28 0",
        "clock 5: 28 0\n",
      ].join("\n"),
    );
  });
});

describe.skipIf(!hasTool("rustc-wasi"))("a program in Rust (needs rustc with its library for WASI)", () => {
  let program: Program;
  let requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    response.end("reached");
  });
  beforeAll(async () => {
    program = await engine.prepare(
      compile("rustc-wasi", "command.rs", ["--edition=2021", "-O", "-Cstrip=debuginfo"]),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => {
    requests = [];
  });
  afterAll(async () => {
    server.close();
    await once(server, "close");
  });

  it("cannot connect to a server of this machine", async () => {
    const { port } = server.address() as AddressInfo;
    let connections = 0;
    server.on("connection", () => {
      connections += 1;
    });
    expect(await stdoutOf(program, ["connect", `127.0.0.1:${port}`], { world: { kind: "live" } })).toBe(
      "Err(Unsupported)\n",
    );
    expect([connections, requests]).toEqual([0, []]);
    // The server was there to be reached.
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("reached");
  });

  it("cannot read, write or list files that are there", async () => {
    for (const path of [import.meta.filename, "package.json", "/etc/passwd", "/proc/self/environ", "."]) {
      const said = await stdoutOf(program, ["open", path], { world: { kind: "live" } });
      expect([path, said.match(/Err\(/g)?.length]).toEqual([path, 3]);
    }
  });

  it("cannot start processes or threads", async () => {
    expect(await stdoutOf(program, ["spawn", "/bin/ls"])).toBe("Err(Unsupported)\n");
    expect(await stdoutOf(program, ["thread"])).toBe("Err(Unsupported)\n");
  });
});

describe("memory", () => {
  /** Writes how many bytes of its memory are not zero; then fills all of it, grown by 100 pages, with 0xAA. */
  const snoop = `(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 10)
    (global $kept (mut i32) (i32.const 0))
    (table $kept-too 1 externref)
    (func (export "_start") (local $at i32) (local $count i32)
      (drop (memory.grow (i32.const 100)))
      (loop $next
        (local.set $count (i32.add (local.get $count) (i32.ne (i32.load8_u (local.get $at)) (i32.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
      (local.set $count (i32.add (local.get $count) (global.get $kept)))
      (global.set $kept (i32.const 1000))
      (memory.fill (i32.const 0) (i32.const 0xaa) (i32.mul (memory.size) (i32.const 65536)))
      (i32.store (i32.const 100) (local.get $count))
      (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 4))
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`;

  it("of a run is all zero, whatever ran before on the same thread", async () => {
    const program = await engine.prepare(fromText(snoop));
    for (let run = 0; run < 5; run += 1) {
      const outcome = await engine.run(program, { abi: "command", input: new Uint8Array(1000).fill(0xbb) });
      expect(outcome).toMatchObject({ kind: "completed", output: Uint8Array.of(0, 0, 0, 0) });
    }
  });

  it("of another run is not to be had while both run", async () => {
    const both = createEngine({ threads: 2 });
    onTestFinished(() => both[Symbol.asyncDispose]());
    const program = await both.prepare(fromText(snoop));
    const runs = await Promise.all(Array.from({ length: 8 }, () => both.run(program, { abi: "command" })));
    for (const outcome of runs) {
      expect(outcome).toMatchObject({ kind: "completed", output: Uint8Array.of(0, 0, 0, 0) });
    }
  });

  it("of the host is not to be had by a pointer, with or without the host's help", async () => {
    const read = (code: string) => `(module
      (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func (export "_start") ${code}))`;
    for (const at of [65_536, 65_533, 0x7fff_ffff, -4, -1]) {
      const own = await engine.prepare(fromText(read(`(drop (i32.load (i32.const ${at})))`)));
      expect(await engine.run(own, { abi: "command" })).toMatchObject({
        kind: "trap",
        reason: "memory_out_of_bounds",
      });
      const asked = await engine.prepare(
        fromText(
          read(`(i32.store (i32.const 0) (i32.const ${at})) (i32.store (i32.const 4) (i32.const 4))
            (call $exit (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))`),
        ),
      );
      expect(await engine.run(asked, { abi: "command" })).toMatchObject({
        kind: "guest_error",
        code: 21,
        output: new Uint8Array(),
      });
    }
  });

  it("cannot be shared with another run, nor can a memory, a table or a global of the host be imported", async () => {
    await expect(
      engine.prepare(fromText('(module (memory (export "memory") 1 1 shared))')),
    ).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    for (const kind of ["(memory 1)", "(table 1 funcref)", "(global (mut i32))"]) {
      const program = await engine.prepare(
        fromText(`(module (import "wasi_snapshot_preview1" "fd_write" ${kind}) (func (export "_start")))`),
      );
      expect(await engine.run(program, { abi: "command" })).toMatchObject({
        kind: "refused_import",
        name: "wasi_snapshot_preview1.fd_write",
      });
    }
  });
});

describe("what a host of JavaScript has", () => {
  it("cannot be imported under any of its names", async () => {
    const names = [
      ["env", "process"],
      ["globalThis", "fetch"],
      ["node:fs", "readFileSync"],
      ["js", "eval"],
      ["wasm:js-string", "length"],
      ["wasi_snapshot_preview1", "constructor"],
      ["wasi_snapshot_preview1", "__proto__"],
      ["__proto__", "toString"],
      ["wasi", "thread-spawn"],
      ["wasi_ephemeral_nn", "load"],
      ["wasi_snapshot_preview1", "sock_open"],
      ["wasi_snapshot_preview1", "sock_connect"],
    ];
    for (const [module, name] of names) {
      for (const abi of ["command", "execute"] as const) {
        const program = await engine.prepare(
          fromText(`(module (import "${module}" "${name}" (func (param i32) (result i32)))
            (memory (export "memory") 1) (func (export "_start"))
            (func (export "execute") (param i32 i32) (result i32) (i32.const 0)))`),
        );
        expect(await engine.run(program, { abi })).toMatchObject({
          kind: "refused_import",
          name: `${module}.${name}`,
        });
      }
    }
  });
});
