import { readFileSync } from "node:fs";

/** What a document in docs/states says: state and event to the state after. */
export class StateTable {
  /** Every state named in From or To. */
  readonly states: ReadonlySet<string>;
  /** Every event cell, as it is written, without backticks. */
  readonly events: ReadonlySet<string>;
  readonly #next = new Map<string, string>();

  constructor(name: string) {
    const path = new URL(`../../../docs/states/${name}.md`, import.meta.url);
    const states = new Set<string>();
    const events = new Set<string>();
    for (const { from, to, event } of rowsOf(readFileSync(path, "utf8"))) {
      events.add(event);
      for (const state of from) {
        const key = `${state} + ${event}`;
        if (this.#next.has(key)) throw new Error(`docs/states/${name}.md has two rows for ${key}`);
        this.#next.set(key, to === "same" ? state : to);
        states.add(state).add(to === "same" ? state : to);
      }
    }
    this.states = states;
    this.events = events;
  }

  /**
   * The state after, or `undefined` for a pair that is no row. `event` may carry a
   * condition, "assigned of the same run"; a row that names none covers all of them.
   */
  next(state: string, event: string): string | undefined {
    const [kind] = event.split(" ", 1);
    return this.#next.get(`${state} + ${event}`) ?? this.#next.get(`${state} + ${kind}`);
  }
}

interface Row {
  readonly from: readonly string[];
  readonly to: string;
  readonly event: string;
}

function rowsOf(text: string): Row[] {
  const lines = text.split("\n").filter((line) => line.startsWith("|"));
  const [head, , ...body] = lines.map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.replaceAll("`", "").trim()),
  );
  if (head?.join() !== "From,To,Event,Effect") throw new Error(`the table's head is ${String(head)}`);
  return body.map(([from = "", to = "", event = ""]) => ({ from: from.split(", "), to, event }));
}
