import loadWabt from "wabt";

const wabt = await loadWabt();

const FEATURES = {
  exceptions: true,
  tail_call: true,
  multi_memory: true,
  extended_const: true,
  simd: true,
  reference_types: true,
  bulk_memory: true,
  threads: true,
  memory64: true,
  relaxed_simd: true,
  function_references: true,
  gc: true,
};

/** The binary of a module in the text format. */
export function wat(text: string): Uint8Array {
  const module = wabt.parseWat("test.wat", text, FEATURES);
  try {
    return module.toBinary({ write_debug_names: true }).buffer;
  } finally {
    module.destroy();
  }
}

interface ExecuteText {
  /** What `execute` does. Default: gives back `abc`. */
  readonly body?: string;
  /** Fields of the module beside it. */
  readonly fields?: string;
  /** Imports, which come first. */
  readonly imports?: string;
}

/** A module of the ABI `execute`, with one page of memory. */
export function executeModule(text: ExecuteText = {}): Uint8Array {
  const { body = "(i32.const 100)", fields = "", imports = "" } = text;
  return wat(`(module ${imports} (memory (export "memory") 1)
    (data (i32.const 100) "\\03\\00\\00\\00abc") ${fields}
    (func $execute (export "execute") (param i32 i32) (result i32) ${body}))`);
}

/** A command of WASI: what `_start` does, and the fields that come before it. */
export function commandModule(body: string, fields: string = '(memory (export "memory") 1)'): Uint8Array {
  return wat(`(module ${fields} (func (export "_start") ${body}))`);
}
