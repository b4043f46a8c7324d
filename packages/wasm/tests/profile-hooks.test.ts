import { describe, expect, it } from "vitest";
import wabt from "wabt";
import type { ModuleFacts } from "../src/meter/facts.ts";
import { PROFILE_TABLE } from "../src/meter/meter.ts";
import { createProfiler } from "../src/profile/profiler.ts";
import { Wasm, type WasmGlobal, type WasmTable } from "../src/web-assembly.ts";

/** As the meter makes it: a counter, and calls of both hooks around each function. */
const METERED = `(module
  (import "host" "log" (func $log))
  (global $fuel (export "fuel") (mut i64) (i64.const 1000))
  (table (export "${PROFILE_TABLE}") 2 2 funcref)
  (type $hook (func (param i32)))
  (func $burn (param i64) (global.set $fuel (i64.sub (global.get $fuel) (local.get 0))))
  (func $inner
    (call_indirect (type $hook) (i32.const 3) (i32.const 0))
    (call $burn (i64.const 7))
    (call_indirect (type $hook) (i32.const 3) (i32.const 1)))
  (func (export "outer")
    (call_indirect (type $hook) (i32.const 4) (i32.const 0))
    (call $burn (i64.const 30))
    (call $inner)
    (call $inner)
    (call $burn (i64.const 2))
    (call_indirect (type $hook) (i32.const 2) (i32.const 0))
    unreachable))`;

function facts(functionNames: ModuleFacts["functionNames"]): ModuleFacts {
  const type = { kind: "function" as const, params: [], results: [] };
  return {
    imports: [{ module: "host", name: "log", type }],
    exports: [],
    functionCount: 5,
    memoryCount: 0,
    memoryMinPages: 0,
    tableMinElements: 0,
    hasStart: false,
    functionNames,
    bytes: 0,
    meteredBytes: 0,
  };
}

async function instantiate() {
  const tool = await wabt();
  const { buffer } = tool.parseWat("metered.wat", METERED).toBinary({});
  const { exports } = new Wasm.Instance(new Wasm.Module(buffer), { host: { log: () => undefined } });
  return {
    fuel: exports["fuel"] as WasmGlobal<bigint>,
    table: exports[PROFILE_TABLE] as WasmTable,
    outer: exports["outer"] as () => void,
  };
}

describe("the hooks of a profile", () => {
  it("are functions that fit the table, and count the fuel of each path by its names", async () => {
    const { fuel, table, outer } = await instantiate();
    const profiler = createProfiler(fuel);
    const names = [undefined, undefined, "_ZN1a1b17h0123456789abcdefE", undefined, "outer"];
    profiler.attach({ table, facts: facts(names) });
    expect(outer).toThrow(/unreachable/);
    fuel.value -= 5n; // what the trap had charged ahead
    expect(profiler.foldedStacks().trimEnd().split("\n")).toEqual([
      "outer 32",
      "outer;function 3 14",
      "outer;a::b 5",
    ]);
  });

  it("tell the functions of one module from those of another", async () => {
    const one = await instantiate();
    const profiler = createProfiler(one.fuel);
    profiler.attach({ table: one.table, facts: facts([]) });
    const two = await instantiate();
    profiler.attach({ table: two.table, facts: facts([]) });
    expect(one.outer).toThrow(/unreachable/);
    const lines = profiler.foldedStacks();
    expect(lines).toContain("function 4 of module 0;function 3 of module 0 14");
    expect(lines).not.toContain("module 1");
  });
});
