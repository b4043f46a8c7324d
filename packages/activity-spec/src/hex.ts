import { AbiError } from "./abi-error.ts";

const HEX = /^0x(?:[0-9a-fA-F]{2})*$/;

/** Whether `text` is 0x and an even number of hex digits. */
export function isHex(text: string): boolean {
  return HEX.test(text);
}

/** Lower-case hex with 0x before it. */
export function bytesToHex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`;
}

/**
 * Bytes of 0x-prefixed hex in either case.
 *
 * @throws {AbiError} BAD_VALUE
 */
export function hexToBytes(text: string): Uint8Array {
  if (!isHex(text)) {
    throw new AbiError("BAD_VALUE", [`the text is not hex; write 0x and an even number of hex digits`]);
  }
  return new Uint8Array(Buffer.from(text.slice(2), "hex"));
}
