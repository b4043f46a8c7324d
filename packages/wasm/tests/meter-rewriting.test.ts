import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { FAULT } from "../src/meter/meter.ts";
import { readModule } from "../src/meter/module-reader.ts";
import type { ModuleParts } from "../src/meter/module-parts.ts";
import { Wasm, type WasmFunction, type WasmMemory, type WasmTable } from "../src/web-assembly.ts";
import { meter, type RunMeteredOptions, runMetered } from "./_run-metered.ts";
import { wat } from "./_wat.ts";

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const PLACEMENTS = ["fast", "plain", "every"] as const;

const sectionsOf = ({ sections, bytes }: ModuleParts, id: number) =>
  sections
    .filter((section) => section.id === id)
    .map(({ from, to }) => Buffer.from(bytes.subarray(from, to)).toString("hex"));

const bodyOf = ({ bytes, bodyFrom, bodyTo }: ModuleParts, own: number) =>
  Buffer.from(bytes.subarray(bodyFrom[own], bodyTo[own])).toString("hex");

describe("what is kept", () => {
  const bytes = wat(`(module (type (func (param f32))) (import "env" "f" (func $f (param i32)))
    (memory 1 4) (table 3 funcref) (tag $e) (global $own (mut i32) (i32.const 3)) (global $at i32 (i32.const 8))
    (export "run" (func $run)) (export "own" (global $own)) (export "memory" (memory 0))
    (elem (i32.const 0) $free $run) (data (i32.const 8) "abc")
    (func $free) (func $dead (unreachable)) (func $run (call $f (global.get $own))))`);
  const before = readModule(bytes);

  it("types, functions, imports and exports keep their indices; what is added comes after", () => {
    for (const counters of ["own", "imported"] as const) {
      const after = readModule(meter(bytes, { counters }).bytes);
      expect(after.types.slice(0, before.types.length)).toEqual(before.types);
      expect(after.exports.slice(0, 3).map(({ name }) => name)).toEqual(["run", "own", "memory"]);
      expect(after.imports[0]).toEqual(before.imports[0]);
      expect([after.memories, after.tables, after.tags]).toEqual([
        before.memories,
        before.tables,
        before.tags,
      ]);
      for (const id of [4, 5, 13, 11, 12]) {
        expect([id, sectionsOf(after, id)]).toEqual([id, sectionsOf(before, id)]);
      }
    }
  });

  it("functions keep their types and elements when none of them carries the stack", () => {
    const after = readModule(meter(bytes).bytes);
    expect(after.functions.slice(0, before.functions.length)).toEqual(before.functions);
    expect(sectionsOf(after, 9)).toEqual(sectionsOf(before, 9));
  });

  it("custom sections stay byte for byte, and where they were", () => {
    const custom = (name: string, ...content: number[]) => [
      0,
      content.length + name.length + 1,
      name.length,
      ...Buffer.from(name),
      ...content,
    ];
    const first = custom("first", 1, 2, 3);
    const last = custom("last", 0xff, 0);
    const wrapped = new Uint8Array([...bytes.subarray(0, 8), ...first, ...bytes.subarray(8), ...last]);
    const after = meter(wrapped).bytes;
    expect([...after.subarray(8, 8 + first.length)]).toEqual(first);
    expect([...after.subarray(-last.length)]).toEqual(last);
    expect(sectionsOf(readModule(after), 0)).toEqual(sectionsOf(readModule(wrapped), 0));
  });

  it("a body without charges stays byte for byte, with encodings that are longer than need be", () => {
    const long = [0x20, 0x80, 0x80, 0x00, 0x1a];
    const never = [0, ...long, 0x00, 0x0b];
    const types = [1, 5, 1, 0x60, 1, 0x7f, 0, 3, 2, 1, 0];
    const code = [10, never.length + 2, 1, never.length, ...never];
    const module = new Uint8Array([...HEADER, ...types, ...code]);
    // The one that is called is paid for by whoever calls it.
    const free = wat('(module (func $free) (func (export "run") (call $free)))');
    expect(bodyOf(readModule(meter(free).bytes), 0)).toBe(bodyOf(readModule(free), 0));
    expect(bodyOf(readModule(meter(module).bytes), 0)).toContain(Buffer.from(long).toString("hex"));
  });

  it("an empty module counts nothing, and has its counters", () => {
    const { bytes: metered, facts, start } = meter(new Uint8Array(HEADER));
    expect(Wasm.Module.exports(new Wasm.Module(metered)).map(({ name }) => name)).toEqual(
      ["fuel", "stack", "pages", "elements", "fault"].map((name) => `subnet:meter/${name}`),
    );
    expect(facts).toMatchObject({ functionCount: 0, bytes: 8, meteredBytes: metered.length });
    expect(start).toBeUndefined();
  });

  it("the same bytes are metered to the same bytes", () => {
    expect(meter(bytes)).toEqual(meter(bytes));
  });
});

describe("facts", () => {
  it("say what the module was before", () => {
    const { facts, start, bytes } = meter(
      wat(`(module (import "env" "f" (func $imported (param i32 f64) (result i64))) (import "env" "m" (memory 2 3))
        (import "env" "g" (global $g (mut externref))) (import "env" "t" (table 1 funcref)) (import "env" "e" (tag))
        (memory $own 4) (table 5 9 externref) (func $s) (start $s) (func $named (export "x") (param v128)))`),
    );
    expect(facts).toEqual({
      imports: [
        { module: "env", name: "f", type: { kind: "function", params: ["i32", "f64"], results: ["i64"] } },
        { module: "env", name: "m", type: { kind: "memory", min: 2, max: 3 } },
        { module: "env", name: "g", type: { kind: "global", type: "externref", isMutable: true } },
        { module: "env", name: "t", type: { kind: "table", element: "funcref", min: 1, max: undefined } },
        { module: "env", name: "e", type: { kind: "tag", params: [], results: [] } },
      ],
      exports: [{ name: "x", type: { kind: "function", params: ["v128"], results: [] } }],
      functionCount: 2,
      memoryCount: 1,
      memoryMinPages: 4,
      tableMinElements: 5,
      hasStart: true,
      functionNames: ["imported", "s", "named"],
      bytes: facts.bytes,
      meteredBytes: bytes.length,
    });
    expect(start).toBe("subnet:meter/start");
  });

  it("a name section that is malformed names nothing, and harms nothing", () => {
    const broken = [0, 8, 4, ...Buffer.from("name"), 1, 0x7f, 9];
    const { facts } = meter(new Uint8Array([...HEADER, ...broken]));
    expect(facts.functionNames).toEqual([]);
  });
});

describe("memory and tables", () => {
  const memoryText = (max: number) => `(module (memory (export "memory") 1 ${max})
    (func (export "run") (param i32) (result i32) (memory.grow (local.get 0))))`;
  const memory = wat(memoryText(10));
  const grow = (by: number, options: RunMeteredOptions) => runMetered(memory, { ...options, args: [by] });

  it("memory grows by the pages that are left, and fails as WebAssembly says beyond", () => {
    for (const placement of PLACEMENTS) {
      const first = grow(4, { placement, pages: 4 });
      expect(first.end).toEqual({ kind: "returned", value: 1 });
      expect((first.instance!.exports["memory"] as WasmMemory).buffer.byteLength).toBe(5 * 65_536);
      expect((first.instance!.exports["run"] as (by: number) => number)(1)).toBe(-1);
      expect(grow(5, { placement, pages: 4 }).end).toEqual({ kind: "returned", value: -1 });
      expect(grow(-1, { placement, pages: 4 }).end).toEqual({ kind: "returned", value: -1 });
      expect(grow(0, { placement, pages: 0 }).end).toEqual({ kind: "returned", value: 1 });
    }
  });

  it("beyond what the module allows it fails in the program, whatever is left", () => {
    expect(grow(9, { pages: 100 }).end).toEqual({ kind: "returned", value: 1 });
    expect(grow(10, { pages: 100 }).end).toEqual({ kind: "returned", value: -1 });
    expect(grow(-5, { pages: 0x7fff_ffff }).end).toEqual({ kind: "returned", value: -1 });
  });

  it("a failure that the module does not explain is the host's", () => {
    const script = `
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(require("node:fs").readFileSync(0)));
      exports["subnet:meter/fuel"].value = 100n;
      exports["subnet:meter/pages"].value = 100;
      const grow = (by) => { try { return exports.run(by); } catch (error) { return error.message; } };
      console.log(grow(5), exports["subnet:meter/fault"].value, grow(30), exports["subnet:meter/fault"].value);`;
    const input = meter(wat(memoryText(50))).bytes;
    const said = execFileSync(process.execPath, ["--wasm-max-mem-pages=20", "-e", script], { input });
    expect(said.toString().trim()).toBe(`1 0 unreachable ${FAULT.hostMemory}`);
  });

  it("tables grow by the elements that are left", () => {
    const table = wat(`(module (table $a 2 externref) (table $b 1 4 funcref)
      (func (export "a") (param i32) (result i32) (table.grow $a (ref.null extern) (local.get 0)))
      (func (export "b") (param i32) (result i32) (table.grow $b (ref.null func) (local.get 0))))`);
    const growTable = (entry: string, by: number) =>
      runMetered(table, { entry, args: [by], elements: 5 }).end;
    expect(growTable("a", 5)).toEqual({ kind: "returned", value: 2 });
    expect(growTable("a", 6)).toEqual({ kind: "returned", value: -1 });
    expect(growTable("b", 3)).toEqual({ kind: "returned", value: 1 });
    expect(growTable("b", 4)).toEqual({ kind: "returned", value: -1 });
  });
});

describe("the stack", () => {
  /** Recursion to a depth: a frame of 64 bytes and 8 for its parameter and each of 2 operands. */
  const deep = wat(`(module (func $f (export "run") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.add (call $f (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
      (else (i32.const 0)))))`);
  const FRAME_BYTES = 64 + 3 * 8;

  it("is spent by the frame, and the same in all placements", () => {
    for (const placement of PLACEMENTS) {
      for (const counters of ["own", "imported"] as const) {
        const run = (depth: number) =>
          runMetered(deep, { placement, counters, args: [depth], stackBytes: 100 * FRAME_BYTES }).end;
        expect([placement, run(99)]).toEqual([placement, { kind: "returned", value: 99 }]);
        expect([placement, run(100)]).toEqual([placement, { kind: "stack_exhausted" }]);
      }
    }
  });

  it("is passed through indirect calls, elements, ref.func and exports", () => {
    const indirect =
      wat(`(module (type $t (func (param i32) (result i32))) (table 1 funcref) (elem declare func $f)
      (func (export "run") (param i32) (result i32) (table.set (i32.const 0) (ref.func $f))
        (call_indirect (type $t) (local.get 0) (i32.const 0)))
      (func $f (type $t) (local i64 f32) (local.set 1 (i64.const 5)) (local.set 2 (f32.const 2))
        (if (result i32) (local.get 0)
          (then (i32.add (i32.wrap_i64 (local.get 1))
            (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))
          (else (i32.trunc_f32_s (local.get 2))))))`);
    for (const placement of PLACEMENTS) {
      const run = (depth: number, stackBytes: number) =>
        runMetered(indirect, { placement, args: [depth], stackBytes }).end;
      expect(run(10, 100_000)).toEqual({ kind: "returned", value: 52 });
      expect(run(1000, 100_000)).toEqual({ kind: "stack_exhausted" });
      expect(run(900, 200_000)).toEqual({ kind: "returned", value: 4502 });
    }
  });

  it("is passed through elements that are expressions, and globals of references", () => {
    const bytes =
      wat(`(module (type $t (func (param i32) (result i32))) (table $a 2 funcref) (table $b 3 funcref)
      (global $g funcref (ref.func $f)) (elem (table $a) (i32.const 0) funcref (ref.null func) (ref.func $f))
      (elem $passive funcref (ref.func $f) (ref.null func))
      (func $f (type $t) (if (result i32) (local.get 0)
        (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
      (func (export "run") (param i32) (result i32)
        (table.set $b (i32.const 0) (global.get $g))
        (table.init $b $passive (i32.const 1) (i32.const 0) (i32.const 1))
        (i32.add (call_indirect $a (type $t) (local.get 0) (i32.const 1))
          (i32.add (call_indirect $b (type $t) (local.get 0) (i32.const 0))
            (call_indirect $b (type $t) (local.get 0) (i32.const 1))))))`);
    for (const placement of PLACEMENTS) {
      expect(runMetered(bytes, { placement, args: [50] }).end).toEqual({ kind: "returned", value: 150 });
      expect(runMetered(bytes, { placement, args: [50], stackBytes: 2000 }).end.kind).toBe("stack_exhausted");
    }
  });

  it("leaves locals what they are, also those with long indices, and vectors", () => {
    const params = "(param i32)".repeat(260);
    const zeros = "(i32.const 0)".repeat(259);
    const bytes = wat(`(module (func $f ${params} (result i32) (local v128 i64 v128)
      (local.set 260 (v128.const i32x4 1 2 3 4)) (local.set 261 (i64.const 7))
      (local.set 262 (i32x4.add (local.get 260) (local.tee 260 (local.get 260))))
      (if (result i32) (local.get 0)
        (then (i32.add (i32x4.extract_lane 1 (local.get 262)) (call $f (i32.sub (local.get 0) (i32.const 1)) ${zeros})))
        (else (i32.wrap_i64 (local.get 261)))))
      (func (export "run") (param i32) (result i32) (call $f (local.get 0) ${zeros})))`);
    for (const placement of PLACEMENTS) {
      const { end } = runMetered(bytes, { placement, args: [3] });
      expect([placement, end]).toEqual([placement, { kind: "returned", value: 3 * 4 + 7 }]);
      expect(runMetered(bytes, { placement, args: [3], stackBytes: 8000 }).end.kind).toBe("stack_exhausted");
    }
  });

  it("a function that recurses through an import's table entry keeps its exported identity", () => {
    const bytes = wat(`(module (table (export "t") 1 funcref) (elem (i32.const 0) $f)
      (func $f (export "run") (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))))))`);
    const { instance } = runMetered(bytes, { args: [1] });
    expect((instance!.exports["t"] as WasmTable).get(0)).toBe(instance!.exports["run"]);
    expect((instance!.exports["run"] as WasmFunction).length).toBe(1);
  });

  it("an import that calls back goes on with the stack that is left", () => {
    const bytes = wat(`(module (import "env" "again" (func $again (param i32)))
      (func (export "run") (param i32) (if (local.get 0) (then (call $again (i32.sub (local.get 0) (i32.const 1)))))))`);
    let run: (depth: number) => void = () => undefined;
    const again = (depth: number) => run(depth);
    const options = { counters: "imported", imports: { env: { again } }, stackBytes: 8000 } as const;
    const { instance } = runMetered(bytes, { ...options, args: [0] });
    run = instance!.exports["run"] as never;
    expect(() => run(50)).not.toThrow();
    expect(() => run(500)).toThrow("unreachable");
  });
});

describe("counters that are imported", () => {
  it("own globals move, in code, exports, and what starts with them", () => {
    const bytes = wat(`(module (import "env" "base" (global $base i32)) (memory (export "m") 1)
      (global $a (mut i32) (i32.const 7)) (global $b i32 (i32.const 300)) (export "a" (global $a))
      (table 400 funcref) (elem (offset (global.get $b)) $run) (data (offset (global.get $b)) "x")
      (global $c i32 (i32.add (global.get $b) (global.get $base)))
      (func $run (export "run") (result i32) (global.set $a (i32.add (global.get $a) (global.get $base)))
        (i32.add (global.get $a) (i32.add (global.get $c) (i32.load8_u (global.get $b))))))`);
    for (const counters of ["own", "imported"] as const) {
      const { end, instance, fuel } = runMetered(bytes, { counters, imports: { env: { base: 2 } } });
      expect(end).toEqual({ kind: "returned", value: 9 + 302 + 120 });
      expect(fuel).toBe(1n + 4n + 6n);
      expect((instance!.exports["a"] as unknown as { value: number }).value).toBe(9);
    }
  });
});

describe("profiles", () => {
  it("enter and leave every function that returns, by its index", () => {
    const bytes = wat(`(module (import "env" "f" (func $imported)) (tag $e)
      (func $leaf (param i32) (result i32) (if (local.get 0) (then (return (i32.const 1)))) (i32.const 2))
      (func $tail (param i32) (result i32) (return_call $leaf (local.get 0)))
      (func $branches (param i32) (result i32 i32) (i32.const 5) (i32.const 6) (br_if 0 (local.get 0)) (br 0))
      (func (export "run") (param i32) (result i32) (call $imported)
        (drop (call $leaf (local.get 0))) (drop (call $tail (local.get 0)))
        (drop (call $branches (local.get 0)))))`);
    for (const arg of [0, 1]) {
      const events: string[] = [];
      const onProfile = (index: number, isEntry: boolean) => events.push(`${isEntry ? "+" : "-"}${index}`);
      const imports = { env: { f: () => undefined } };
      const { end, fuel } = runMetered(bytes, { profile: true, args: [arg], onProfile, imports });
      expect(end).toEqual({ kind: "returned", value: 5 });
      expect(fuel).toBe(runMetered(bytes, { args: [arg], imports }).fuel);
      expect(events.join(" ")).toBe("+4 +1 -1 +2 -2 +1 -1 +3 -3 -4");
    }
  });
});
