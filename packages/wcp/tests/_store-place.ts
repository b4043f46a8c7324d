import type { TxOrder } from "../src/chain-ports.ts";
import type { Store } from "../src/ports.ts";

/** A place that stores can be opened on, one after the other. */
export interface StorePlace extends Disposable {
  open(): Store;
  /** Another process asks for something to be done about a transaction. */
  order(action: TxOrder["action"], nonce: number): void;
  /** Lets time pass. */
  advance(ms: number): Promise<void>;
  nowMs(): number;
}
