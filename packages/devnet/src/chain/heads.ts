import { type Clock, systemClock } from "@subnet-worker/kit";

/** Tells when the chain has a new block, as soon as it has it. */
export interface Heads extends Disposable {
  /** Resolves when blocks are announced, or when it is clear that they will not be. */
  readonly opened: Promise<void>;
  /** Resolves at the next announcement after this call; never when the connection is gone. */
  next(): Promise<void>;
  /** When a block was announced, on the monotonic clock; `undefined` when it was not. */
  announcedMs(block: number): number | undefined;
}

/** Subscribes to new blocks. Announcements are lost with the connection, so ask the chain now and then as well. */
export function openHeads(wsUrl: string, clock: Clock = systemClock): Heads {
  const announcedMs = new Map<number, number>();
  const opened = Promise.withResolvers<void>();
  let announcement = Promise.withResolvers<void>();
  const socket = new WebSocket(wsUrl);
  socket.addEventListener("open", () => {
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] }));
  });
  socket.addEventListener("error", () => opened.resolve());
  socket.addEventListener("message", ({ data }) => {
    opened.resolve();
    const { params } = JSON.parse(String(data)) as { params?: { result?: { number?: string } } };
    const number = params?.result?.number;
    if (number === undefined) return;
    announcedMs.set(Number(number), clock.monotonicMs());
    announcement.resolve();
    announcement = Promise.withResolvers();
  });
  return {
    opened: opened.promise,
    next: () => announcement.promise,
    announcedMs: (block) => announcedMs.get(block),
    [Symbol.dispose]: () => socket.close(),
  };
}
