import { RLP } from "@ethereumjs/rlp";
import type { Signature } from "ethers";

/** A type-2 transaction (EIP-1559) of no value and without an access list: all that the lane sends. */
export interface DynamicFeeTransaction {
  readonly chainId: bigint;
  readonly nonce: number;
  readonly maxPriorityFeePerGasWei: bigint;
  readonly maxFeePerGasWei: bigint;
  readonly gasLimit: bigint;
  readonly to: string;
  readonly data: string;
}

const TYPE = 2;

/**
 * The bytes that are signed, or with a signature those that are sent. ethers' own serialization works on
 * hex text: a batch of 60 kB takes it 50 ms, and this less than one.
 */
export function serializeDynamicFee(tx: DynamicFeeTransaction, signature?: Signature): Buffer {
  const fields = [
    tx.chainId,
    tx.nonce,
    tx.maxPriorityFeePerGasWei,
    tx.maxFeePerGasWei,
    tx.gasLimit,
    bytesOf(tx.to),
    0, // value
    bytesOf(tx.data),
    [], // access list
  ];
  const signed = signature === undefined ? [] : [signature.yParity, BigInt(signature.r), BigInt(signature.s)];
  return Buffer.concat([Buffer.of(TYPE), RLP.encode([...fields, ...signed])]);
}

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex.slice(2), "hex");
}
