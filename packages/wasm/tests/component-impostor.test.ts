import { afterAll, describe, expect, it } from "vitest";
import { createEngine } from "../src/create-engine.ts";
import type { RunRequest } from "../src/engine.ts";
import { componentOfText } from "./_components.ts";

const engine = createEngine({ threads: 1 });
afterAll(() => engine[Symbol.asyncDispose]());

interface Impostor {
  /** Imports, in the text of components. */
  readonly imports: string;
  /** Functions that are lowered for the core, by their names there. */
  readonly lowered: Readonly<Record<string, { readonly of: string; readonly type: string }>>;
  readonly run: string;
}

/** A command that imports functions of WASI by names and with types that they do not have. */
function impostor({ imports, lowered, run }: Impostor): Promise<Uint8Array> {
  const names = Object.keys(lowered);
  const lower = names.map(
    (name) =>
      `(core func $${name} (canon lower (func ${lowered[name]?.of}) (memory $mem) (realloc $realloc)))`,
  );
  const taken = names.map((name) => `(import "w" "${name}" (func $${name} ${lowered[name]?.type}))`);
  const given = names.map((name) => `(export "${name}" (func $${name}))`);
  return componentOfText(`(component ${imports}
    (core module $memory (memory (export "memory") 4)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 131072)))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "memory" (core memory $mem))
    (alias core export $memory "realloc" (core func $realloc))
    ${lower.join("\n")}
    (core module $main (import "w" "memory" (memory 1)) ${taken.join("\n")}
      (data (i32.const 0) "constructor")
      (func (export "run") (result i32) (local $f i32) ${run} (i32.const 0)))
    (core instance $main (instantiate $main (with "w" (instance
      (export "memory" (memory $mem)) ${given.join("\n")}))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance $cli (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $cli)))`);
}

async function outcomeOf(text: Impostor, request: RunRequest = {}) {
  const program = await engine.prepare(await impostor(text));
  return engine.run(program, { limits: { fuel: 1_000_000n }, ...request });
}

const POLLABLE = `
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[static]pollable.constructor" (func (param "code" string) (result string)))
    (export "[method]pollable.hold" (func (param "self" (borrow $pollable)) (param "bytes" f64)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p)) (export "pollable" (type (eq $p)))
    (export "subscribe-duration" (func (param "when" s64) (result (own $p))))))`;
const SUBSCRIBE = { of: '$clock "subscribe-duration"', type: "(param i64) (result i32)" };

describe("a component that imports what WASI does not have", () => {
  it("gets no code made of text: classes have no `constructor` to call", async () => {
    const outcome = await outcomeOf({
      imports: POLLABLE,
      lowered: { make: { of: '$poll "[static]pollable.constructor"', type: "(param i32 i32 i32)" } },
      run: "(call $make (i32.const 0) (i32.const 11) (i32.const 1024))",
    });
    expect(outcome).toMatchObject({
      kind: "bad_output",
      message: expect.stringContaining("is not a function") as string,
    });
  });

  it("cannot call what is the host's alone", async () => {
    const outcome = await outcomeOf({
      imports: POLLABLE,
      lowered: {
        subscribe: SUBSCRIBE,
        hold: { of: '$poll "[method]pollable.hold"', type: "(param i32 f64)" },
      },
      run: "(call $hold (call $subscribe (i64.const 1)) (f64.const -1e15))",
    });
    expect(outcome).toMatchObject({
      kind: "bad_output",
      message: expect.stringContaining("hold is not a function") as string,
    });
  });

  it("cannot pass a number that its type has not", async () => {
    const outcome = await outcomeOf({
      imports: POLLABLE,
      lowered: { subscribe: SUBSCRIBE },
      run: "(drop (call $subscribe (i64.const -1)))",
    });
    expect(outcome).toMatchObject({ kind: "trap", message: expect.stringContaining("64 bits") as string });
  });

  it("gets no fuel back for bytes whose number is below zero", async () => {
    for (const method of ["fill", "put", "append"]) {
      const outcome = await outcomeOf(
        {
          imports: `(import "wasi:http/types@0.2.0" (instance $http
            (export "fields" (type $fields (sub resource)))
            (type $record (record (field "length" f64)))
            (export "size" (type $size (eq $record)))
            (export "[constructor]fields" (func (result (own $fields))))
            (export "[method]fields.${method}"
              (func (param "self" (borrow $fields)) (param "name" $size) (param "value" $size)))))`,
          lowered: {
            make: { of: '$http "[constructor]fields"', type: "(result i32)" },
            call: { of: `$http "[method]fields.${method}"`, type: "(param i32 f64 f64)" },
          },
          run: `(call $call (call $make) (f64.const -1e7) (f64.const 0))
            (local.set $f (i32.const 1000000))
            (loop $again (br_if $again (local.tee $f (i32.sub (local.get $f) (i32.const 1)))))`,
        },
        { send: () => Promise.reject(new Error("nothing is sent here")) },
      );
      expect(outcome.kind).toMatch(/^(trap|bad_output)$/);
      expect(outcome.fuel).toBeGreaterThan(0n);
    }
  });

  it("reports to the engine in no other words than those there are", async () => {
    const heard: unknown[] = [];
    const onProgress = (...said: unknown[]) => heard.push(said);
    for (const [level, message] of [
      ["string", "string"],
      ["(list u8)", "(list u8)"],
    ]) {
      for (const of of ["log", "progress"]) {
        const outcome = await outcomeOf(
          {
            imports: `(import "subnet:worker/host@0.1.0" (instance $host
              (export "log" (func (param "level" ${level}) (param "message" ${message})))
              (export "progress" (func (param "fraction" ${level}) (param "message" ${message})))))`,
            lowered: { say: { of: `$host "${of}"`, type: "(param i32 i32 i32 i32)" } },
            run: "(call $say (i32.const 0) (i32.const 11) (i32.const 0) (i32.const 11))",
          },
          { onProgress, onLog: onProgress },
        );
        expect(outcome).toMatchObject({
          kind: "trap",
          message: expect.stringContaining("other types") as string,
        });
      }
    }
    expect(heard).toEqual([]);
  });

  it("ends with no other code than there is", async () => {
    const outcome = await outcomeOf({
      imports:
        '(import "wasi:cli/exit@0.2.0" (instance $exit (export "exit-with-code" (func (param "c" f64)))))',
      lowered: { exit: { of: '$exit "exit-with-code"', type: "(param f64)" } },
      run: "(call $exit (f64.const 1e300))",
    });
    expect(outcome).toMatchObject({ kind: "trap", message: expect.stringContaining("8 bits") as string });
  });

  it("cannot take the machine's memory by a list of texts that all are the same", async () => {
    const outcome = await outcomeOf(
      {
        imports: `(import "wasi:io/poll@0.2.0" (instance $poll
          (export "poll" (func (param "in" (list string)) (result (list u32))))))`,
        lowered: { poll: { of: '$poll "poll"', type: "(param i32 i32 i32)" } },
        run: `
          (loop $fill
            (i32.store (i32.mul (local.get $f) (i32.const 8)) (i32.const 0))
            (i32.store offset=4 (i32.mul (local.get $f) (i32.const 8)) (i32.const 262144))
            (br_if $fill
              (i32.lt_u (local.tee $f (i32.add (local.get $f) (i32.const 1))) (i32.const 5000))))
          (call $poll (i32.const 0) (i32.const 5000) (i32.const 131072))`,
      },
      { limits: { memoryBytes: 1024 * 1024 } },
    );
    expect(outcome).toMatchObject({
      kind: "trap",
      message: expect.stringContaining("than its memory") as string,
    });
  });
});
