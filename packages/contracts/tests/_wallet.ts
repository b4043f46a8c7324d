import { HDNodeWallet, type Result, ZeroAddress } from "ethers";
import { batchExecutorInterface, decodeContractError, taskQueueInterface } from "../src/index.ts";
import type { Chain, RawReceipt } from "./_chain.ts";
import { RpcError } from "./_rpc.ts";

export interface BatchCall {
  readonly to: string;
  readonly data: string;
  readonly gas: number;
}

export interface BatchResult {
  readonly success: boolean;
  readonly gasUsed: bigint;
  readonly reason: string;
}

/** Of anvil, which has published it. */
const PHRASE = "test test test test test test test test test test test junk";
const CHAIN_ID = 31_337;
const BLOCK_GAS = 29_000_000;

/** One of anvil's accounts, whose key signs authorizations here; anvil signs the rest. */
export class DelegatingWallet {
  readonly address: string;
  readonly #chain: Chain;
  readonly #key: HDNodeWallet;

  /** @param index the account's number */
  constructor(chain: Chain, index: number) {
    this.#chain = chain;
    this.#key = HDNodeWallet.fromPhrase(PHRASE, undefined, `m/44'/60'/0'/0/${index}`);
    this.address = this.#key.address;
  }

  /** Lets the wallet run the code at `contract`. */
  async delegate(contract: string = this.#chain.contracts.batchExecutor): Promise<RawReceipt> {
    const nonce = Number(await this.#chain.rpc("eth_getTransactionCount", this.address, "latest"));
    const authorization = { address: contract, nonce: nonce + 1, chainId: CHAIN_ID };
    const raw = await this.#key.signTransaction({
      type: 4,
      chainId: CHAIN_ID,
      nonce,
      to: this.address,
      gasLimit: 100_000,
      maxFeePerGas: 10n ** 11n,
      maxPriorityFeePerGas: 1,
      authorizationList: [this.#key.authorizeSync(authorization)],
    });
    return this.#chain.receipt(await this.#chain.rpc<string>("eth_sendRawTransaction", raw));
  }

  revoke(): Promise<RawReceipt> {
    return this.delegate(ZeroAddress);
  }

  /** Code at the wallet's address. */
  code(): Promise<string> {
    return this.#chain.rpc("eth_getCode", this.address, "latest");
  }

  async execute(calls: readonly BatchCall[], gas: number = BLOCK_GAS): Promise<RawReceipt> {
    const request = { from: this.address, to: this.address, data: encode("execute", calls), gas: hex(gas) };
    return this.#chain.receipt(await this.#chain.rpc<string>("eth_sendTransaction", request));
  }

  async simulate(calls: readonly BatchCall[], gas: number = BLOCK_GAS): Promise<BatchResult[]> {
    const data = await this.#chain.rpc<string>(
      "eth_call",
      { from: this.address, to: this.address, data: encode("simulate", calls), gas: hex(gas) },
      "latest",
    );
    const [results] = batchExecutorInterface.decodeFunctionResult("simulate", data);
    return [...(results as Result)].map((result) => (result as Result).toObject() as BatchResult);
  }
}

export function encode(name: "execute" | "simulate", calls: readonly BatchCall[]): string {
  return batchExecutorInterface.encodeFunctionData(name, [calls.map(({ to, gas, data }) => [to, gas, data])]);
}

/** The wallet's events of a batch, as name and arguments. */
export function batchEvents(receipt: RawReceipt, wallet: string): unknown[] {
  return receipt.logs
    .filter(({ address }) => address.toLowerCase() === wallet.toLowerCase())
    .map((log) => batchExecutorInterface.parseLog(log))
    .map((event) => [event?.name, ...(event?.args ?? [])]);
}

/** Who claimed what, in order. */
export function claims(receipt: RawReceipt): unknown[] {
  return receipt.logs
    .map((log) => taskQueueInterface.parseLog(log))
    .filter((event) => event?.name === "ActivityClaimed")
    .map((event) => [event?.args["activityId"], event?.args["worker"]]);
}

/** Name and arguments of the error that a request was refused with. */
export async function revertOf(request: Promise<unknown>): Promise<unknown> {
  try {
    await request;
  } catch (error) {
    const revert = error instanceof RpcError ? decodeContractError(error.data ?? "0x") : undefined;
    return revert === undefined ? error : [revert.name, revert.args];
  }
  return "it succeeded";
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
