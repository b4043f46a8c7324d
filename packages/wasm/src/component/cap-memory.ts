const HEADER_BYTES = 8;
const MEMORY_SECTION = 5;
const HAS_MAXIMUM = 1;

/**
 * Gives the memory of a module that has one, without a maximum, that maximum. For modules that are trusted: what is not
 * as expected is given back as it is.
 *
 * @param maxPages pages of 64 KiB
 */
export function capMemory(bytes: Uint8Array, maxPages: number): Uint8Array {
  let at = HEADER_BYTES;
  while (at < bytes.length) {
    const size = readLeb(bytes, at + 1);
    const end = size.end + size.value;
    if (bytes[at] === MEMORY_SECTION) {
      const body = bytes.subarray(size.end, end);
      // One memory, flags 0: only its size at the beginning follows.
      if (body[0] !== 1 || body[1] !== 0) return bytes;
      const capped = [1, HAS_MAXIMUM, ...body.subarray(2), ...writeLeb(maxPages)];
      const section = [MEMORY_SECTION, ...writeLeb(capped.length), ...capped];
      return Buffer.concat([bytes.subarray(0, at), Uint8Array.from(section), bytes.subarray(end)]);
    }
    at = end;
  }
  return bytes;
}

function readLeb(bytes: Uint8Array, from: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let end = from, scale = 1; ; scale *= 0x80) {
    const byte = bytes[end] ?? 0;
    end += 1;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, end };
  }
}

function writeLeb(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...writeLeb(Math.floor(value / 0x80))];
}
