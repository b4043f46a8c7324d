import type { Logger } from "@subnet-worker/kit";
import type { OrderAnswer, SendOutcome, TxOrder } from "../../chain-ports.ts";
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

/** Carries out what the operator asked for with `wcp tx`, and tells whether it could. */
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
      const { isDone: is_done, text } = answer;
      this.#deps.logger.info(
        { action: order.action, nonce: order.nonce, is_done, answer: text },
        "operator's order",
      );
      await this.#deps.store.answerOrder(order.id, answer);
    }
  }

  async #carryOut({ action, nonce }: TxOrder): Promise<OrderAnswer> {
    const entry = this.#deps.book.entry(nonce);
    if (entry === undefined)
      return notDone(`nothing is under way with nonce ${nonce}; "wcp tx ls" shows what is`);
    if (entry.transaction.state.kind !== "signed") return notDone(`nonce ${nonce} is in a block already`);
    try {
      return await this.#act(action, entry);
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      this.#deps.logger.error({ err: error, action, nonce }, "an operator's order failed");
      return notDone(`failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #act(action: TxOrder["action"], entry: Entry): Promise<OrderAnswer> {
    const { sender } = this.#deps;
    switch (action) {
      case "bump": {
        const answer = await sender.bump(entry);
        if (answer === undefined) return notDone(`not replaced: ${this.#whyNot(entry)}`);
        return done(`replaced by ${lastAttempt(entry).txHash}${untaken(answer)}`);
      }
      case "cancel": {
        if (lastAttempt(entry).isNoop) return done("a no-op is in its place already");
        const why = { reason: "cancelled", message: "cancelled by the operator" } as const;
        const answer = await sender.giveUp(entry, why);
        if (answer === undefined) return notDone(`not cancelled: ${this.#whyNot(entry)}`);
        const { txHash } = lastAttempt(entry);
        return done(`replaced by the no-op ${txHash}${untaken(answer)}; whichever is mined decides`);
      }
      case "rebroadcast": {
        await sender.send(entry);
        const text = `sent again: ${entry.lastAnswer}`;
        return entry.lastAnswer === "accepted" ? done(text) : notDone(text);
      }
    }
  }

  #whyNot(entry: Entry): string {
    if (!this.#deps.book.isSigned(entry)) return "it is in a block by now";
    if (entry.isBusy) return "it is being replaced already";
    return entry.troubles.get("fees") ?? "the endpoints do not answer what a replacement needs; see the log";
  }
}

/** What to add about a replacement that is stored, and which no endpoint has said yes to. */
function untaken({ kind }: SendOutcome): string {
  return kind === "accepted" ? "" : `, which the endpoints answer with ${kind}; it is sent again`;
}

function done(text: string): OrderAnswer {
  return { isDone: true, text };
}

function notDone(text: string): OrderAnswer {
  return { isDone: false, text };
}
