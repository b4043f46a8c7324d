import { keccak256, SigningKey, Transaction, computeAddress } from "ethers";
import type { Signer } from "../ports.ts";

/**
 * Signs type-2 transactions with a raw key held in this process.
 *
 * @throws when the key is not 32 bytes of hex; the message never contains it
 */
export function createLocalSigner(privateKey: string, chainId: bigint): Signer {
  const key = parseKey(privateKey);
  return {
    address: computeAddress(key.publicKey),
    sign: async ({ nonce, to, data, gasLimit, fees }) => {
      const tx = Transaction.from({
        type: 2,
        chainId,
        nonce,
        to,
        data,
        gasLimit,
        maxFeePerGas: fees.maxFeePerGasWei,
        maxPriorityFeePerGas: fees.maxPriorityFeePerGasWei,
      });
      tx.signature = key.sign(tx.unsignedHash);
      return { raw: tx.serialized, txHash: keccak256(tx.serialized) };
    },
  };
}

function parseKey(privateKey: string): SigningKey {
  const hex = privateKey.startsWith("0x") ? privateKey : `0x${privateKey}`;
  if (!/^0x[0-9a-fA-F]{64}$/.test(hex)) {
    // ethers would put the bad value into its message.
    throw new RangeError("the wallet key is not 64 hex digits (with or without 0x)");
  }
  return new SigningKey(hex);
}
