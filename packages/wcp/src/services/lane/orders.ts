import type { Logger } from "@subnet-worker/kit";
import type { TxOrder } from "../../chain-ports.ts";
import { StoppedError, type Store } from "../../ports.ts";
import type { LaneBook } from "./book.ts";
import { type Entry, lastAttempt } from "./entry.ts";
import type { Sender } from "./sender.ts";

export interface OrdersDeps {
  readonly store: Store;
  readonly book: LaneBook;
  readonly sender: Sender;
  readonly logger: Logger;
}

/** Carries out what the operator asked for with `wcp tx`, and answers in a sentence. */
export class Orders {
  readonly #deps: OrdersDeps;
  #isBusy = false;

  constructor(deps: OrdersDeps) {
    this.#deps = deps;
  }

  async look(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      await this.#carryOutAll();
    } finally {
      this.#isBusy = false;
    }
  }

  async #carryOutAll(): Promise<void> {
    for (const order of this.#deps.store.openOrders()) {
      const answer = await this.#carryOut(order);
      this.#deps.logger.info({ action: order.action, nonce: order.nonce, answer }, "operator's order");
      await this.#deps.store.answerOrder(order.id, answer);
    }
  }

  async #carryOut({ action, nonce }: TxOrder): Promise<string> {
    const entry = this.#deps.book.entry(nonce);
    if (entry === undefined) return `nothing is under way with nonce ${nonce}; "wcp tx ls" shows what is`;
    if (entry.transaction.state.kind !== "signed") return `nonce ${nonce} is in a block already`;
    try {
      return await this.#act(action, entry);
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      this.#deps.logger.error({ err: error, action, nonce }, "an operator's order failed");
      return `failed: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  async #act(action: TxOrder["action"], entry: Entry): Promise<string> {
    const { sender } = this.#deps;
    switch (action) {
      case "bump":
        return (await sender.bump(entry)) === undefined
          ? `not replaced: ${this.#whyNot(entry)}`
          : `replaced by ${lastAttempt(entry).txHash}`;
      case "cancel":
        if (lastAttempt(entry).isNoop) return "a no-op is in its place already";
        return (await sender.giveUp(entry, { reason: "cancelled", message: "cancelled by the operator" })) ===
          undefined
          ? `not cancelled: ${this.#whyNot(entry)}`
          : `replaced by the no-op ${lastAttempt(entry).txHash}; whichever is mined decides`;
      case "rebroadcast":
        await sender.send(entry);
        return `sent again: ${entry.lastAnswer}`;
    }
  }

  #whyNot(entry: Entry): string {
    if (!this.#deps.book.isSigned(entry)) return "it is in a block by now";
    if (entry.isBusy) return "it is being replaced already";
    return entry.troubles.get("fees") ?? "the endpoints do not answer what a replacement needs; see the log";
  }
}
