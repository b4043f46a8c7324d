import {
  computeAddress,
  hashAuthorization,
  keccak256,
  Signature,
  type SignatureLike,
  SigningKey,
  Transaction,
  type TransactionLike,
} from "ethers";
import { type DynamicFeeTransaction, serializeDynamicFee } from "./dynamic-fee-transaction.ts";
import type { Authorization, AuthorizationRequest, Signer, TransactionRequest } from "../chain-ports.ts";

/** Holds a secp256k1 key and signs 32-byte digests with it: all that a KMS has to do. */
export interface KeyHolder {
  /** Of the key, checksummed. */
  readonly address: string;
  /** Over a digest given as 0x hex: r, s in the lower half of the curve's order, and the parity of y. */
  signDigest(digest: string): Promise<SignatureLike>;
}

/**
 * Signs with a raw key held in this process.
 *
 * @throws when the key is not 32 bytes of hex; the message never contains it
 */
export function createLocalSigner(privateKey: string, chainId: bigint): Signer {
  const key = parseKey(privateKey);
  return createSigner(
    { address: computeAddress(key.publicKey), signDigest: async (digest) => key.sign(digest) },
    chainId,
  );
}

/**
 * Makes transactions and EIP-7702 authorizations for one chain, and has the holder of the key sign them.
 * Type 4 with an authorization, type 0 with legacy fees, else type 2.
 */
export function createSigner(holder: KeyHolder, chainId: bigint): Signer {
  const signed = async (tx: Transaction) => {
    tx.signature = await holder.signDigest(tx.unsignedHash);
    const raw = tx.serialized;
    // Of the bytes that are sent, whatever ethers thinks of them.
    return { raw, txHash: keccak256(raw) };
  };
  const signedDynamic = async (tx: DynamicFeeTransaction) => {
    const signature = Signature.from(await holder.signDigest(keccak256(serializeDynamicFee(tx))));
    const bytes = serializeDynamicFee(tx, signature);
    return { raw: `0x${bytes.toString("hex")}`, txHash: keccak256(bytes) };
  };
  return {
    address: holder.address,
    sign(request) {
      const { authorization, fees, ...rest } = request;
      if (authorization !== undefined || fees.isLegacy === true) {
        return signed(Transaction.from(unsigned(request, chainId)));
      }
      const { maxFeePerGasWei, maxPriorityFeePerGasWei } = fees;
      return signedDynamic({ ...rest, chainId, maxFeePerGasWei, maxPriorityFeePerGasWei });
    },
    resign(raw, { fees, gasLimit }) {
      const tx = Transaction.from(raw);
      tx.signature = null;
      tx.gasLimit = gasLimit;
      if (tx.type === 0) tx.gasPrice = fees.maxFeePerGasWei;
      else {
        tx.maxFeePerGas = fees.maxFeePerGasWei;
        tx.maxPriorityFeePerGas = fees.maxPriorityFeePerGasWei;
      }
      return signed(tx);
    },
    async authorize(request) {
      const digest = hashAuthorization(authorizationFields(request, chainId));
      const { serialized } = Signature.from(await holder.signDigest(digest));
      return { contract: request.contract, nonce: request.nonce, signature: serialized };
    },
  };
}

function unsigned(request: TransactionRequest, chainId: bigint): TransactionLike {
  const { nonce, to, data, gasLimit, fees, authorization } = request;
  const common = { chainId, nonce, to, data, gasLimit };
  if (authorization === undefined && fees.isLegacy === true) {
    return { ...common, type: 0, gasPrice: fees.maxFeePerGasWei };
  }
  return {
    ...common,
    type: 4,
    maxFeePerGas: fees.maxFeePerGasWei,
    maxPriorityFeePerGas: fees.maxPriorityFeePerGasWei,
    authorizationList: authorization === undefined ? [] : [signedAuthorization(authorization, chainId)],
  };
}

function signedAuthorization(authorization: Authorization, chainId: bigint) {
  return {
    ...authorizationFields(authorization, chainId),
    signature: Signature.from(authorization.signature),
  };
}

/** For this chain only: chain id 0 would make it valid on every chain. */
function authorizationFields({ contract, nonce }: AuthorizationRequest, chainId: bigint) {
  return { chainId, address: contract, nonce: BigInt(nonce) };
}

function parseKey(privateKey: string): SigningKey {
  const hex = privateKey.startsWith("0x") ? privateKey : `0x${privateKey}`;
  if (!/^0x[0-9a-fA-F]{64}$/.test(hex)) {
    // ethers would put the bad value into its message.
    throw new RangeError("the wallet key is not 64 hex digits (with or without 0x)");
  }
  return new SigningKey(hex);
}
