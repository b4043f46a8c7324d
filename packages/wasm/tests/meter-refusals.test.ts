import { describe, expect, it } from "vitest";
import { WasmError } from "../src/errors.ts";
import { meterModule } from "../src/meter/meter-module.ts";
import { Wasm } from "../src/web-assembly.ts";
import { meter } from "./_run-metered.ts";
import { wat } from "./_wat.ts";

function errorOf(action: () => unknown): WasmError {
  try {
    action();
  } catch (error) {
    if (error instanceof WasmError) {
      return error;
    }
    throw error;
  }
  throw new Error("it was accepted");
}

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const bytesOf = (...sections: readonly (readonly number[])[]) =>
  new Uint8Array([...HEADER, ...sections.flat()]);

/** One function of no values with this code. */
const functionOf = (...code: readonly number[]) =>
  bytesOf([1, 4, 1, 0x60, 0, 0], [3, 2, 1, 0], [10, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b]);

describe("what is not metered is refused by name", () => {
  const valid = {
    "a shared memory (threads)": wat("(module (memory 1 1 shared))"),
    "atomics (threads)": wat("(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))"),
    "a memory with 64-bit addresses": wat("(module (memory i64 1))"),
    "a table with 64-bit addresses": bytesOf([4, 4, 1, 0x70, 4, 1]),
    "types of garbage collection": bytesOf([1, 3, 1, 0x5f, 0]),
    "typed function references": bytesOf([1, 4, 1, 0x60, 0, 0], [4, 5, 1, 0x63, 0, 0, 1]),
    "types of garbage collection (0x6e)": bytesOf([4, 4, 1, 0x6e, 0, 1]),
    "garbage collection": functionOf(0x41, 0, 0xfb, 0x1c, 0x1a),
    "references to exceptions (exnref)": bytesOf([1, 5, 1, 0x60, 1, 0x69, 0]),
    "exceptions with references (try_table, throw_ref)": functionOf(0x1f, 0x40, 0, 0x0b),
    "relaxed SIMD": wat(`(module (func (param v128) (result v128)
      (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))`),
    "an export with the name subnet:meter/fuel, which the meter's own begin with": wat(
      '(module (func (export "subnet:meter/fuel")))',
    ),
    "an import of subnet:meter, which is the meter's own": wat(
      '(module (import "subnet:meter" "fuel" (func)))',
    ),
  };
  for (const [what, bytes] of Object.entries(valid)) {
    it(what, () => {
      expect([what, Wasm.validate(bytes)]).toEqual([what, true]);
      const { code, details, message } = errorOf(() => meter(bytes));
      expect({ code, what: details["what"] }).toEqual({ code: "UNSUPPORTED", what });
      expect(message).toMatch(/^\[WASM_UNSUPPORTED\] the module uses .*; compile it without/);
    });
  }
});

describe("what is larger than it may be", () => {
  const limits = { functions: 3, functionBytes: 20 };
  const options = { counters: "own", placement: "fast", limits } as const;

  it("functions are counted", () => {
    const module = (count: number) => wat(`(module ${"(func)".repeat(count)})`);
    expect(meterModule(module(3), options).facts.functionCount).toBe(3);
    const { code, details } = errorOf(() => meterModule(module(4), options));
    expect({ code, details }).toEqual({
      code: "MODULE_TOO_LARGE",
      details: { what: "functions", limit: 3, actual: 4 },
    });
  });

  it("so are the bytes of a function", () => {
    const module = (count: number) => wat(`(module (func ${"nop ".repeat(count)}))`);
    expect(meterModule(module(18), options).facts.functionCount).toBe(1);
    const { code, details } = errorOf(() => meterModule(module(19), options));
    expect({ code, details }).toEqual({
      code: "MODULE_TOO_LARGE",
      details: { what: "bytes of function 0", limit: 20, actual: 21 },
    });
  });

  it("what only V8 does not allow once it is metered is said so", () => {
    const locals = "(local i32)".repeat(50_000);
    const { code, message } = errorOf(() => meter(wat(`(module (func ${locals} (loop (br 0))))`)));
    expect(code).toBe("UNSUPPORTED");
    expect(message).toContain(
      "a function has 50003 locals once it is metered, and V8 allows 50000; split the function",
    );
    const params = "(param i32)".repeat(1000);
    const args = "(i32.const 0)".repeat(1000);
    const recursive = wat(`(module (func $f (export "run") ${params} (call $f ${args})))`);
    expect(errorOf(() => meter(recursive)).message).toContain(
      "a function has 1001 parameters once it is metered",
    );
  });

  it("a body that grows beyond what V8 allows too", () => {
    const body = "(br_if 0 (i32.const 1)) (drop (i32.const 1)) ".repeat(350_000);
    const big = { functions: 3, functionBytes: 7_000_000 };
    const bytes = wat(`(module (func (block ${body})))`);
    const refused = errorOf(() => meterModule(bytes, { counters: "own", placement: "every", limits: big }));
    expect(refused.message).toMatch(/a function has \d+ bytes once it is metered, and V8 allows 7654321/);
  });
});

describe("bytes that are no module", () => {
  const sample = wat(`(module (import "env" "f" (func $f (param i32))) (memory 1) (table 2 funcref)
    (global $g (mut i32) (i32.const 3)) (tag $e (param i32)) (export "run" (func $run)) (elem (i32.const 0) $run)
    (data (i32.const 8) "abc")
    (func $run (result i32) (local i32 i64 v128) (loop $l (br_if $l (i32.eqz (local.tee 0 (i32.const 4)))))
      (try (do (throw $e (i32.const 1))) (catch $e (call $f)) (catch_all (nop)))
      (block (block (br_table 0 1 (local.get 0)))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))
      (global.set $g (i32.add (global.get $g) (i32.const 1))) (drop (memory.grow (i32.const 1)))
      (call_indirect (result i32) (i32.const 0))))`);

  it("are refused with V8's reason", () => {
    const { code, message } = errorOf(() => meter(functionOf(0x6a)));
    expect(code).toBe("BAD_MODULE");
    expect(message).toMatch(/not enough arguments on the stack for i32\.add.*; compile it again/);
    expect(errorOf(() => meter(new Uint8Array())).code).toBe("BAD_MODULE");
    expect(errorOf(() => meter(new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]))).code).toBe(
      "BAD_MODULE",
    );
  });

  it("cut off anywhere, or with any byte changed, they fail as a WasmError or give a valid module", () => {
    let accepted = 0;
    const tryIt = (bytes: Uint8Array) => {
      try {
        const metered = meter(bytes);
        accepted++;
        expect(Wasm.validate(metered.bytes)).toBe(true);
      } catch (error) {
        if (!(error instanceof WasmError)) {
          throw error;
        }
        expect(error.message).toMatch(/^\[WASM_(BAD_MODULE|UNSUPPORTED|MODULE_TOO_LARGE)\] .*; /);
      }
    };
    for (let length = 0; length <= sample.length; length++) {
      tryIt(sample.slice(0, length));
    }
    for (let at = 0; at < sample.length; at++) {
      for (const change of [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff]) {
        const bytes = sample.slice();
        bytes[at] = (bytes[at] as number) ^ change;
        tryIt(bytes);
      }
    }
    expect(accepted).toBeGreaterThan(100);
  });
});
