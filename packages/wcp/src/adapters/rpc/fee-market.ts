import type { FeeMarket } from "../../domain/fees.ts";
import type { Rpc } from "./rpc.ts";
import { BadAnswer, RpcError } from "./rpc-error.ts";
import { isFields, isQuantity, parseQuantity, toQuantity } from "./wire.ts";

const HISTORY_BLOCKS = 20;
const PERCENTILE = 50;

interface History {
  /** Base fee of the block that comes next. */
  readonly nextBaseFeeWei: bigint;
  /** What the middle of each block with transactions was tipped. */
  readonly tipsWei: readonly bigint[];
}

/**
 * What the chain asks for, out of eth_feeHistory. Where recent blocks were tipped nothing (empty
 * blocks, and those of rollups that hold only the rollup's own transaction) the node's suggestion
 * stands in; a reading that needed it has the next one ask for both in one request.
 */
export class FeeReader {
  readonly #rpc: Rpc;
  #needsSuggestion = false;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  /** @throws what {@link Rpc.call} does */
  async read(): Promise<FeeMarket> {
    const [history, early] = await Promise.all([
      this.#history(),
      this.#needsSuggestion ? this.#suggestedTip() : undefined,
    ]);
    const tipWei = median(history?.tipsWei ?? []);
    const baseFeePerGasWei = history === undefined ? 0n : history.nextBaseFeeWei;
    // A base fee of nothing is what chains without one show, and some that have it.
    const basis = baseFeePerGasWei > 0n ? baseFeePerGasWei : await this.#baseFeeOfBlock();
    if (basis === undefined) return { kind: "legacy", gasPriceWei: await this.#gasPrice() };
    this.#needsSuggestion = tipWei === 0n;
    if (tipWei > 0n) return { kind: "dynamic", baseFeePerGasWei: basis, tipWei };
    const suggestion = early ?? (await this.#suggestedTip()) ?? (await this.#gasPrice()) - basis;
    return { kind: "dynamic", baseFeePerGasWei: basis, tipWei: suggestion > 0n ? suggestion : 0n };
  }

  async #history(): Promise<History | undefined> {
    return this.#ifKnown("eth_feeHistory", [toQuantity(HISTORY_BLOCKS), "latest", [PERCENTILE]], readHistory);
  }

  async #suggestedTip(): Promise<bigint | undefined> {
    return this.#ifKnown("eth_maxPriorityFeePerGas", [], (raw) => parseQuantity(raw, "priority fee"));
  }

  #gasPrice(): Promise<bigint> {
    return this.#rpc.call({
      method: "eth_gasPrice",
      params: [],
      read: (raw) => parseQuantity(raw, "gas price"),
    });
  }

  /** The most that the next block's can be; `undefined` on a chain whose blocks have none. */
  async #baseFeeOfBlock(): Promise<bigint | undefined> {
    const baseFeeWei = await this.#rpc.call({
      method: "eth_getBlockByNumber",
      params: ["latest", false],
      read: (raw) => {
        if (!isFields(raw)) throw new BadAnswer("block", raw);
        const fee = raw["baseFeePerGas"];
        return isQuantity(fee) ? BigInt(fee) : undefined;
      },
    });
    return baseFeeWei === undefined ? undefined : baseFeeWei + baseFeeWei / 8n;
  }

  /** `undefined` where no endpoint answers this method; they remember that of themselves. */
  async #ifKnown<T>(method: string, params: readonly unknown[], read: (raw: unknown) => T) {
    try {
      return await this.#rpc.call({ method, params, read });
    } catch (error) {
      if (error instanceof RpcError) return undefined;
      throw error;
    }
  }
}

function readHistory(raw: unknown): History {
  if (!isFields(raw)) throw new BadAnswer("fee history", raw);
  const { baseFeePerGas, gasUsedRatio, reward } = raw;
  const baseFees = Array.isArray(baseFeePerGas) ? (baseFeePerGas as unknown[]) : [];
  const ratios = Array.isArray(gasUsedRatio) ? (gasUsedRatio as unknown[]) : [];
  // Left out, or null, where no block has transactions.
  const rewards = Array.isArray(reward) ? (reward as unknown[]) : [];
  return {
    nextBaseFeeWei: parseQuantity(baseFees.at(-1) ?? "0x0", "base fee"),
    tipsWei: rewards
      .filter((_each, index) => Number(ratios[index]) > 0)
      .map((each) => parseQuantity(Array.isArray(each) ? each[0] : undefined, "reward")),
  };
}

/** The lower one of two in the middle; 0 of none. */
function median(values: readonly bigint[]): bigint {
  const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0n;
}
