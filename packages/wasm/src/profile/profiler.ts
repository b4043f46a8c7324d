import type { ModuleFacts } from "../meter/facts.ts";
import { Wasm, type WasmGlobal, type WasmModule, type WasmTable } from "../web-assembly.ts";
import { CallTree, FIRST_FUNCTION } from "./call-tree.ts";
import { functionName } from "./function-name.ts";

/** Measures one run whose modules are metered with `profile`. */
export interface Profiler {
  /**
   * Puts the hooks into a module's table, before any of its functions is called.
   *
   * @param instance its table is its export `PROFILE_TABLE`
   */
  attach(instance: { readonly table: WasmTable; readonly facts: ModuleFacts }): void;
  /** What was burned until now, by call path: the folded stacks of a `RunProfile`. */
  foldedStacks(): string;
}

/**
 * Makes a profiler.
 *
 * @param fuel the counter of all modules of the run, set to what the run may burn
 */
export function createProfiler(fuel: WasmGlobal<bigint>): Profiler {
  const tree = new CallTree(Number(fuel.value));
  const parts: Part[] = [];
  let nextId = FIRST_FUNCTION;
  return {
    attach({ table, facts }) {
      const base = nextId;
      parts.push({ base, facts });
      nextId += facts.functionCount + countImports(facts);
      const { enter, leave } = makeHooks(fuel, {
        enter: (index, left) => tree.enter(base + index, left),
        leave: (index, left) => tree.leave(base + index, left),
      });
      table.set(0, enter);
      table.set(1, leave);
    },
    foldedStacks() {
      tree.settle(Number(fuel.value));
      return tree.stacks((id) => nameIn(parts, id));
    },
  };
}

/** A module, and where the ids of its functions begin. */
interface Part {
  readonly base: number;
  readonly facts: ModuleFacts;
}

function nameIn(parts: readonly Part[], id: number): string {
  const place = parts.findLastIndex(({ base }) => base <= id);
  const part = parts[place];
  if (part === undefined) return `function ${id}`;
  const index = id - part.base;
  const name = part.facts.functionNames[index];
  if (name !== undefined && name !== "") return functionName(name);
  return parts.length === 1 ? `function ${index}` : `function ${index} of module ${place}`;
}

function countImports({ imports }: ModuleFacts): number {
  return imports.filter(({ type }) => type.kind === "function").length;
}

interface Hooks {
  readonly enter: (index: number, left: number) => void;
  readonly leave: (index: number, left: number) => void;
}

/**
 * Functions that fit a table, and read the fuel themselves: read from JavaScript, each would make a bigint.
 *
 *   (func (param i32) local.get 0 global.get $fuel f64.convert_i64_s call $hook)
 */
function makeHooks(
  fuel: WasmGlobal<bigint>,
  hooks: Hooks,
): { readonly enter: unknown; readonly leave: unknown } {
  hookModule ??= new Wasm.Module(HOOK_MODULE);
  const { exports } = new Wasm.Instance(hookModule, { h: { e: hooks.enter, l: hooks.leave, f: fuel } });
  return { enter: exports["e"], leave: exports["l"] };
}

let hookModule: WasmModule | undefined;

const [E, F, H, L] = [0x65, 0x66, 0x68, 0x6c];
const [I32, I64, F64] = [0x7f, 0x7e, 0x7c];

const HOOK_MODULE: Uint8Array = Uint8Array.from(
  [
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    // Types: 0 is (i32, f64) -> (), 1 is (i32) -> ().
    [0x01, 10, 2, 0x60, 2, I32, F64, 0, 0x60, 1, I32, 0],
    // Imports: functions 0 and 1, the counter.
    [0x02, 20, 3, 1, H, 1, E, 0, 0, 1, H, 1, L, 0, 0, 1, H, 1, F, 3, I64, 1],
    [0x03, 3, 2, 1, 1],
    [0x07, 9, 2, 1, E, 0, 2, 1, L, 0, 3],
    [0x0a, 21, 2, 9, 0, 0x20, 0, 0x23, 0, 0xb9, 0x10, 0, 0x0b, 9, 0, 0x20, 0, 0x23, 0, 0xb9, 0x10, 1, 0x0b],
  ].flat(),
);
