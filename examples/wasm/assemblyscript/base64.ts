// A command: bytes on stdin, base64 on stdout. AssemblyScript has no library of WASI, so it declares what it needs.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fdRead(file: i32, buffers: usize, count: i32, read: usize): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fdWrite(file: i32, buffers: usize, count: i32, written: usize): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function procExit(code: i32): void;

const STDIN = 0;
const STDOUT = 1;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Divisible by 3, so that a full piece becomes base64 without padding. */
const PIECE_BYTES = 48 * 1024;

const piece = memory.data(48 * 1024);
const text = memory.data(64 * 1024);
/** A buffer of WASI, a pointer and a length, and how many bytes were moved. */
const buffer = memory.data(12);

export function _start(): void {
  for (;;) {
    const length = fill();
    writeAll(text, encode(length));
    if (length < PIECE_BYTES) return;
  }
}

/** Reads until the piece is full or the input ends. */
function fill(): i32 {
  let length = 0;
  while (length < PIECE_BYTES) {
    const read = move(STDIN, piece + length, PIECE_BYTES - length);
    if (read == 0) break;
    length += read;
  }
  return length;
}

function writeAll(from: usize, length: i32): void {
  for (let at = 0; at < length; ) at += move(STDOUT, from + at, length - at);
}

function move(file: i32, bytes: usize, length: i32): i32 {
  store<u32>(buffer, bytes);
  store<u32>(buffer, length, 4);
  const problem =
    file == STDIN ? fdRead(file, buffer, 1, buffer + 8) : fdWrite(file, buffer, 1, buffer + 8);
  if (problem != 0) procExit(problem);
  return load<i32>(buffer, 8);
}

function encode(length: i32): i32 {
  let out = 0;
  for (let at = 0; at < length; at += 3) {
    const known = min(length - at, 3);
    let bits: u32 = 0;
    for (let i = 0; i < 3; i++) bits = (bits << 8) | (i < known ? load<u8>(piece + at + i) : 0);
    for (let i = 0; i < 4; i++) {
      const digit = i <= known ? ALPHABET.charCodeAt((bits >> (18 - 6 * i)) & 63) : 61; // =
      store<u8>(text + out++, digit);
    }
  }
  return out;
}
