import { afterAll, describe, expect, it } from "vitest";
import { createEngine } from "../src/create-engine.ts";
import type { RunRequest } from "../src/engine.ts";
import { componentOfText } from "./_components.ts";

const engine = createEngine({ threads: 1 });
afterAll(() => engine[Symbol.asyncDispose]());

const IO = `
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p)) (export "pollable" (type (eq $p)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (import "wasi:http/types@0.2.0" (instance $http
    (export "fields" (type $fields (sub resource)))
    (type $immutable (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $error (eq $immutable)))
    (export "[static]fields.from-list"
      (func (param "entries" (list (tuple string (list u8)))) (result (result (own $fields) (error $error)))))))`;

/** A command whose core module does what is given, with functions of WASI under short names. */
function hostile(body: string, fields = ""): Promise<Uint8Array> {
  return componentOfText(`(component ${IO}
    (core module $memory (memory (export "memory") 64) (global $at (mut i32) (i32.const 65536))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "memory" (core memory $mem))
    (alias core export $memory "realloc" (core func $realloc))
    (core func $ready (canon lower (func $poll "[method]pollable.ready")))
    (core func $block (canon lower (func $poll "[method]pollable.block")))
    (core func $pollAll (canon lower (func $poll "poll") (memory $mem) (realloc $realloc)))
    (core func $drop (canon resource.drop $pollable))
    (core func $subscribe (canon lower (func $clock "subscribe-duration")))
    (core func $bytes (canon lower (func $random "get-random-bytes") (memory $mem) (realloc $realloc)))
    (core func $fromList (canon lower (func $http "[static]fields.from-list") (memory $mem) (realloc $realloc)))
    (core module $main
      (import "w" "memory" (memory 1))
      (import "w" "ready" (func $ready (param i32) (result i32)))
      (import "w" "block" (func $block (param i32)))
      (import "w" "poll" (func $poll (param i32 i32 i32)))
      (import "w" "drop" (func $drop (param i32)))
      (import "w" "subscribe" (func $subscribe (param i64) (result i32)))
      (import "w" "bytes" (func $bytes (param i64 i32)))
      (import "w" "from-list" (func $fromList (param i32 i32 i32)))
      ${fields}
      (func (export "run") (result i32) (local $i i32) ${body} (i32.const 0)))
    (core instance $main (instantiate $main (with "w" (instance
      (export "memory" (memory $mem)) (export "ready" (func $ready)) (export "block" (func $block))
      (export "poll" (func $pollAll)) (export "drop" (func $drop)) (export "subscribe" (func $subscribe))
      (export "bytes" (func $bytes)) (export "from-list" (func $fromList))))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance $cli (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $cli)))`);
}

async function run(body: string, request: RunRequest = {}) {
  const program = await engine.prepare(await hostile(body));
  const send = () => Promise.reject(new Error("nothing is sent here"));
  const outcome = await engine.run(program, { send, ...request });
  // Whatever it did, the next run is right.
  const next = await engine.run(await engine.prepare(await hostile("")), { send });
  expect(next).toMatchObject({ kind: "completed" });
  return outcome;
}

/** Fills the memory from 0 with a word, `count` times. */
const fill = (word: string, count: number) => `
  (local.set $i (i32.const 0))
  (loop $fill (i32.store (i32.mul (local.get $i) (i32.const 4)) ${word})
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $fill (i32.lt_u (local.get $i) (i32.const ${count}))))`;

const forever = (body: string) => `(loop $again ${body} (br $again))`;

describe("a component cannot take the machine's memory by", () => {
  it("a list of 200,100 borrowed handles", async () => {
    const body = `${fill("(call $subscribe (i64.const 0))", 1)}
      (i32.store (i32.const 4) (i32.load (i32.const 0)))
      (memory.copy (i32.const 4) (i32.const 0) (i32.const 4))
      ${fill("(i32.load (i32.const 0))", 200_100)}
      (call $poll (i32.const 0) (i32.const 200100) (i32.const 65536))`;
    expect(await run(body)).toMatchObject({
      kind: "trap",
      message: expect.stringContaining("too long") as string,
    });
  });

  it("a list whose entries all are the same megabyte", async () => {
    // Entries of 16 bytes: name at 0, 1 byte; value from 0, a mebibyte.
    const body = `(local.set $i (i32.const 0))
      (loop $fill
        (i32.store (i32.mul (local.get $i) (i32.const 16)) (i32.const 0))
        (i32.store offset=4 (i32.mul (local.get $i) (i32.const 16)) (i32.const 1))
        (i32.store offset=8 (i32.mul (local.get $i) (i32.const 16)) (i32.const 0))
        (i32.store offset=12 (i32.mul (local.get $i) (i32.const 16)) (i32.const 1048576))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $fill (i32.lt_u (local.get $i) (i32.const 10000))))
      (call $fromList (i32.const 0) (i32.const 10000) (i32.const 262144))`;
    expect(await run(body)).toMatchObject({
      kind: "trap",
      message: expect.stringContaining("than its memory") as string,
    });
  });

  it("a list that is longer than any memory", async () => {
    expect((await run("(call $poll (i32.const 0) (i32.const 0x3fffffff) (i32.const 0))")).kind).toMatch(
      /trap|bad_output/,
    );
    expect((await run("(call $fromList (i32.const 0) (i32.const 0x0fffffff) (i32.const 0))")).kind).toMatch(
      /trap|bad_output/,
    );
  });

  it("more random bytes than it could hold", async () => {
    expect(await run("(call $bytes (i64.const 0x10000000000) (i32.const 0))")).toMatchObject({
      kind: "trap",
      message: expect.stringContaining("random bytes") as string,
    });
  });

  it("resources that it never drops", async () => {
    expect(await run(forever("(drop (call $subscribe (i64.const 0)))"))).toMatchObject({
      kind: "trap",
      message: expect.stringContaining("resources") as string,
    });
  });

  it("calls without end", async () => {
    const body = `(local.set $i (call $subscribe (i64.const 0))) ${forever("(drop (call $ready (local.get $i)))")}`;
    expect(await run(body, { limits: { hostCalls: 50_000 } })).toMatchObject({
      kind: "too_many_host_calls",
      hostCalls: 50_000,
    });
  });
});

describe("resources", () => {
  it("that are dropped are given back, each drop a call", async () => {
    const body = `(local.set $i (i32.const 20000))
      (loop $again (call $drop (call $subscribe (i64.const 0)))
        (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))`;
    const outcome = await run(body);
    expect(outcome).toMatchObject({ kind: "completed", hostCalls: 2 * 20_000 });
  });

  it("that a component has not cannot be used", async () => {
    for (const handle of ["0", "999", "-1"]) {
      for (const call of [
        `(drop (call $ready (i32.const ${handle})))`,
        `(call $block (i32.const ${handle}))`,
      ]) {
        expect(await run(call)).toMatchObject({
          kind: "bad_output",
          message: expect.stringContaining("a handle that it does not have") as string,
        });
      }
    }
  });

  it("that a component has not may be dropped, as far as jco goes, which reaches nobody else", async () => {
    for (const handle of ["0", "999", "-1", "0x40000000"]) {
      const body = `(call $drop (i32.const ${handle})) (drop (call $ready (call $subscribe (i64.const 0))))`;
      expect((await run(body)).kind).toMatch(/^(completed|trap|bad_output)$/);
    }
  });

  it("that are dropped twice are an error", async () => {
    const body =
      "(local.set $i (call $subscribe (i64.const 0))) (call $drop (local.get $i)) (call $drop (local.get $i))";
    expect((await run(body)).kind).toBe("trap");
  });
});

describe("waiting", () => {
  it("passes the time of a seeded world at once, and that of a live one only within the limit", async () => {
    const body = "(call $block (call $subscribe (i64.const 3600000000000)))";
    expect((await run(body)).kind).toBe("completed");
    const live = await run(body, { world: { kind: "live" }, limits: { timeMs: 200 } });
    expect(live.kind).toBe("timed_out");
  });

  it("for nothing is stopped", async () => {
    expect(await run("(call $poll (i32.const 0) (i32.const 0) (i32.const 0))")).toMatchObject({
      kind: "trap",
      message: expect.stringContaining("polls nothing") as string,
    });
  });
});
