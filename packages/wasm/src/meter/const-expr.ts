import type { ByteReader } from "./bytes.ts";
import { EXTERN, type IndexReference } from "./module-parts.ts";
import { unsupported } from "./refusals.ts";
import { checkValueType } from "./value-types.ts";

const END = 0x0b;

/** Bytes after an operator, where their number is fixed. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  [0x43, 4],
  [0x44, 8],
  // i32.add, sub, mul; i64.add, sub, mul
  [0x6a, 0],
  [0x6b, 0],
  [0x6c, 0],
  [0x7c, 0],
  [0x7d, 0],
  [0x7e, 0],
]);

/** Steps over one operator of a constant expression. */
function skipOperator(reader: ByteReader, code: number, found: (reference: IndexReference) => void): void {
  const bytes = FIXED_BYTES.get(code);
  if (bytes !== undefined) {
    reader.skip(bytes);
  } else if (code === 0x23 || code === 0xd2) {
    const from = reader.pos;
    const index = reader.u32();
    found({ kind: code === 0x23 ? EXTERN.global : EXTERN.function, from, to: reader.pos, index });
  } else if (code === 0x41 || code === 0x42) {
    reader.skipLeb();
  } else if (code === 0xd0) {
    checkValueType(reader.u8());
  } else if (code === 0xfd && reader.u32() === 0x0c) {
    reader.skip(16);
  } else {
    throw unsupported(`the operator 0x${code.toString(16)} in a constant expression`);
  }
}

/** Steps over a constant expression, and tells of the functions and globals that it names. */
export function readConstExpr(reader: ByteReader, found: (reference: IndexReference) => void): void {
  for (let code = reader.u8(); code !== END; code = reader.u8()) {
    skipOperator(reader, code, found);
  }
}
