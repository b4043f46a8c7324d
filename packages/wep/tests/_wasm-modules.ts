import wabt from "wabt";

/** `execute`: puts "hello, " before its input. */
const GREET = `(module
  (memory (export "memory") 1 4)
  (data (i32.const 2000) "hello, ")
  (func $length (param $input i32) (result i32) (i32.add (local.get $input) (i32.const 7)))
  (func $copy (param $length i32)
    (memory.copy (i32.const 1011) (i32.const 0) (local.get $length))
    (memory.copy (i32.const 1004) (i32.const 2000) (i32.const 7)))
  (func $execute (export "execute") (param $at i32) (param $input i32) (result i32)
    (i32.store (i32.const 1000) (call $length (local.get $input)))
    (call $copy (local.get $input))
    (i32.const 1000)))`;

/** `execute`: never returns. */
const SPIN = `(module (memory (export "memory") 1)
  (func (export "execute") (param i32 i32) (result i32) (loop (br 0)) (unreachable)))`;

/** `execute`: says that it failed. */
const FAIL = `(module (memory (export "memory") 1)
  (func (export "execute") (param i32 i32) (result i32) (i32.const -7)))`;

const WASI = `(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))`;

/** A command: writes to stdout and stderr, and ends with 3. */
const COMMAND = `(module ${WASI}
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\04\\00\\00\\00\\14\\00\\00\\00\\05\\00\\00\\00out\\nerror")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
    (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 100)))
    (call $exit (i32.const 3))))`;

/** Imports what nobody grants. */
const FOREIGN = `(module (import "env" "open" (func)) (memory (export "memory") 1)
  (func (export "execute") (param i32 i32) (result i32) (call 0) (i32.const 0)))`;

/** Exports nothing that a worker calls. */
const PLAIN = `(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`;

const SOURCES = { greet: GREET, spin: SPIN, fail: FAIL, command: COMMAND, foreign: FOREIGN, plain: PLAIN };

/** A small module, with the names of its functions. */
export async function wasmModule(name: keyof typeof SOURCES): Promise<Uint8Array> {
  const tool = await wabt();
  const module = tool.parseWat(`${name}.wat`, SOURCES[name]);
  try {
    return module.toBinary({ write_debug_names: true }).buffer;
  } finally {
    module.destroy();
  }
}
