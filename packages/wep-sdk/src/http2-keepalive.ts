import type { ServerHttp2Session } from "node:http2";
import type { Clock } from "@subnet-worker/kit";

const INTERVAL_MS = 10_000;
const PATIENCE_MS = 20_000;

/**
 * Pings one connection and destroys it when no answer comes: Node's server does
 * not notice a peer whose machine vanished, and peers of protocol 1.0.0 answer no
 * pings of ours. HTTP/2 pings are answered by every implementation.
 */
export function keepSessionAlive(session: ServerHttp2Session, clock: Clock): Disposable {
  let timer: Disposable | undefined;
  let answeredAtMs = clock.monotonicMs();
  const beat = () => {
    if (session.destroyed || session.closed) return;
    if (clock.monotonicMs() - answeredAtMs > PATIENCE_MS) {
      session.destroy();
      return;
    }
    // Returns false where the limit of outstanding pings is reached; the next beat tries again.
    session.ping((error) => {
      if (error === null) answeredAtMs = clock.monotonicMs();
    });
    timer = clock.timer(INTERVAL_MS, beat);
  };
  timer = clock.timer(INTERVAL_MS, beat);
  return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
}
