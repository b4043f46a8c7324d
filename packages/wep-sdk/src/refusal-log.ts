import type { Clock, Logger } from "@subnet-worker/kit";

/** A peer that tries again and again is told of this often. */
const QUIET_MS = 30_000;
const MOST_REMEMBERED = 1_000;

/** Logs why connections are refused, without letting whoever knocks fill the disk. */
export class RefusalLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #told = new Map<string, { atMs: number; untold: number }>();

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** `peer` is address:port; the port is another for each try. */
  tell(peer: string, reason: string): void {
    const nowMs = this.#clock.monotonicMs();
    const key = `${peer.slice(0, peer.lastIndexOf(":"))} ${reason}`;
    const before = this.#told.get(key);
    if (before !== undefined && nowMs - before.atMs < QUIET_MS) {
      before.untold += 1;
      return;
    }
    if (this.#told.size >= MOST_REMEMBERED) this.#told.clear();
    this.#told.set(key, { atMs: nowMs, untold: 0 });
    const untold = before?.untold ?? 0;
    this.#log.warn({ peer, reason, ...(untold > 0 ? { also_refused: untold } : {}) }, "connection refused");
  }
}
