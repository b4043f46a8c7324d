import { createHash } from "node:crypto";
import type { Fees } from "../src/domain/fees.ts";
import type {
  Authorization,
  AuthorizationRequest,
  SignedTransaction,
  Signer,
  TransactionRequest,
} from "../src/chain-ports.ts";

export const WALLET = `0x${"aa".repeat(20)}`;
/** What every transfer costs before it does anything. */
export const INTRINSIC_GAS = 21_000n;

/** A transaction as the fake signer wraps it. */
export interface FakeTx extends TransactionRequest {
  readonly hash: string;
  /** Sent by somebody else who has the key. */
  readonly isForeign: boolean;
}

/** Signs by writing everything down: the same request gives the same bytes, as with a real key. */
export class FakeSigner implements Signer {
  readonly address: string = WALLET;
  /** Nonces in the order in which signatures were asked for. */
  readonly asked: number[] = [];
  /** Called before each signature; may wait or throw. */
  before: (request: TransactionRequest) => Promise<void> = async () => undefined;

  async sign(request: TransactionRequest): Promise<SignedTransaction> {
    this.asked.push(request.nonce);
    await this.before(request);
    const raw = toJson(request);
    return { raw, txHash: hashOf(raw) };
  }

  resign(raw: string, terms: { readonly fees: Fees; readonly gasLimit: bigint }): Promise<SignedTransaction> {
    return this.sign({ ...(fromJson(raw) as TransactionRequest), ...terms });
  }

  async authorize(request: AuthorizationRequest): Promise<Authorization> {
    return { ...request, signature: `0x${request.contract.slice(2)}${request.nonce}` };
  }
}

/** A signed transaction as the chain reads it. */
export function parseTx(raw: string): FakeTx {
  return { ...(fromJson(raw) as TransactionRequest), hash: hashOf(raw), isForeign: false };
}

/** A transaction of the wallet that none of its lanes sent. */
export function foreignTx(nonce: number, fees: Fees): FakeTx {
  const request = { nonce, to: WALLET, data: `0xf0e${nonce}`, gasLimit: INTRINSIC_GAS, fees };
  return { ...request, hash: hashOf(toJson(request)), isForeign: true };
}

/** A transfer of nothing to oneself. */
export function isNoop({ to, data }: Pick<FakeTx, "to" | "data">): boolean {
  return to === WALLET && data === "0x";
}

export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? `${part}n` : part));
}

export function fromJson(text: string): unknown {
  return JSON.parse(text, (_key, part: unknown) =>
    typeof part === "string" && /^\d+n$/.test(part) ? BigInt(part.slice(0, -1)) : part,
  );
}

function hashOf(text: string): string {
  return `0x${createHash("sha256").update(text).digest("hex")}`;
}
