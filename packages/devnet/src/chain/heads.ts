/** Tells when the chain has a new block. */
export interface Heads extends Disposable {
  /** Resolves at the next announcement after this call; never when the connection is gone. */
  next(): Promise<void>;
}

/** Subscribes to new blocks. What it announces may be lost with the connection, so ask now and then as well. */
export function openHeads(wsUrl: string): Heads {
  let announce = Promise.withResolvers<void>();
  const socket = new WebSocket(wsUrl);
  socket.addEventListener("open", () => {
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] }));
  });
  socket.addEventListener("message", () => {
    announce.resolve();
    announce = Promise.withResolvers();
  });
  return {
    next: () => announce.promise,
    [Symbol.dispose]: () => socket.close(),
  };
}
