import { expect, it } from "vitest";
import { evaluateGlue, toScript } from "../src/component/glue.ts";
import { WasmError } from "../src/errors.ts";
import type { ThreadProgram } from "../src/thread/protocol.ts";

type ComponentProgram = Extract<ThreadProgram, { readonly kind: "component" }>;

/** What the glue gives back when it is called: here, whatever is to be seen from it. */
function seenBy(body: string, program?: ComponentProgram): Readonly<Record<string, unknown>> {
  return evaluateGlue(program ?? programOf(body))(
    () => {
      throw new Error("no core is asked for");
    },
    {},
    () => ({ exports: {} }),
  );
}

function programOf(body: string): ComponentProgram {
  const glue = toScript(`export function instantiate() { ${body} }\n\nexport const _util = {}\n`);
  return { kind: "component", modules: new Map(), glue, imports: [], exports: [] };
}

it("the glue sees nothing of the process: no modules, no network, no timers", () => {
  const names = [
    "process",
    "require",
    "module",
    "fetch",
    "setTimeout",
    "setImmediate",
    "queueMicrotask",
    "Buffer",
  ];
  const listed = names.map((name) => `${name}: typeof ${name}`).join(", ");
  const seen = seenBy(`return { ${listed}, global: typeof global, own: typeof globalThis.process }`);
  expect(new Set(Object.values(seen))).toEqual(new Set(["undefined"]));
});

it("the glue makes neither modules nor instances, and no code of strings", () => {
  const seen = seenBy(`
    const attempt = (reach) => { try { reach(); return "GOT IT"; } catch (error) { return error.name; } };
    return {
      names: Object.keys(WebAssembly).join(),
      evaluated: attempt(() => eval("1")),
      made: attempt(() => new Function("return 1")()),
      indirect: attempt(() => (() => 1).constructor("return 1")()),
      changed: attempt(() => { "use strict"; WebAssembly.Module = 1; }),
    };`);
  expect(seen).toMatchObject({
    names: "Global,RuntimeError,promising",
    evaluated: "EvalError",
    made: "EvalError",
    indirect: "EvalError",
    changed: "TypeError",
  });
});

it("the glue cannot load modules", async () => {
  const { loaded } = seenBy('return { loaded: import("node:fs") }');
  await expect(loaded).rejects.toThrow(/dynamic import/i);
});

it("the glue decodes strictly", () => {
  const decode = "new TextDecoder().decode(new Uint8Array([0xff]))";
  expect(() => seenBy(`return { text: ${decode} }`)).toThrow(/not valid/);
  expect(seenBy('return { text: new TextDecoder("utf-16").decode(new Uint8Array([97, 0])) }')["text"]).toBe(
    "a",
  );
});

it("nothing of one run is left for the next", () => {
  const program = programOf(
    "globalThis.left ??= 0; Array.prototype.left ??= 0; return { left: ++globalThis.left + ++Array.prototype.left };",
  );
  expect(seenBy("", program)["left"]).toBe(2);
  expect(seenBy("", program)["left"]).toBe(2);
  expect([]).not.toHaveProperty("left");
});

it("glue of a jco that writes otherwise is refused", () => {
  expect(() => toScript("export async function instantiate(")).toThrow(WasmError);
  expect(() => toScript("export function instantiate() {}")).toThrow(/^\[WASM_UNSUPPORTED\] .*npm install/);
});
