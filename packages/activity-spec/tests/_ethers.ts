import { AbiCoder } from "ethers";
import { type AbiValue, bytesToHex } from "../src/index.ts";

/** What contracts and their callers are held to. */
export const ETHERS = AbiCoder.defaultAbiCoder();

/** A value as ethers takes and gives it. */
export function forEthers(value: AbiValue): unknown {
  if (typeof value === "number") return BigInt(value);
  if (value instanceof Uint8Array) return bytesToHex(value);
  return typeof value === "object" ? value.map(forEthers) : value;
}

/** A value of ethers in the form that {@link forEthers} gives. */
export function fromEthers(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, fromEthers);
  return typeof value === "string" && /^0x[0-9a-fA-F]{40}$/.test(value) ? value.toLowerCase() : value;
}
