import { Wasm } from "../web-assembly.ts";

/** `(module (func (export "t") unreachable))` */
const TRAP_MODULE: Uint8Array = Uint8Array.from([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00,
  0x07, 0x05, 0x01, 0x01, 0x74, 0x00, 0x00, 0x0a, 0x05, 0x01, 0x03, 0x00, 0x00, 0x0b,
]);

/**
 * Makes an error that no `catch_all` of a guest catches. Whatever JavaScript throws is caught there like any exception,
 * except errors of traps: V8 marks those that its own code for WebAssembly made. So this one is of a real trap, and may
 * be thrown again as often as one likes.
 */
export function createUncatchable(): Error {
  const { exports } = new Wasm.Instance(new Wasm.Module(TRAP_MODULE));
  try {
    (exports["t"] as () => void)();
  } catch (error) {
    return error as Error;
  }
  throw new Error("[WASM_HOST_FAULT] unreachable did not trap; run another version of Node.js");
}
