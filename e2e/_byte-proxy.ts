// A TCP proxy in front of a store: counts what crosses, cuts, damages and slows it down.
import { once } from "node:events";
import { createConnection, createServer, type AddressInfo, type Socket } from "node:net";
import { systemClock } from "@subnet-worker/kit";

export type Way = "up" | "down";

/** Something that happens once, when so many bytes have gone one way, over all connections. */
interface Mishap {
  readonly way: Way;
  readonly atBytes: number;
  readonly what: "cut" | "damage";
}

export interface ByteProxy extends AsyncDisposable {
  /** The same URL by way of the proxy. */
  via(url: string): string;
  /** Bytes that have gone to the store (up) and come from it (down), HTTP's own among them. */
  readonly bytes: Readonly<Record<Way, number>>;
  /** How often it was dialled. */
  readonly dials: number;
  /** Mishaps that have happened. */
  readonly mishaps: number;
  /** Resets the connection that carries the byte, counted from now on. */
  cutAt(way: Way, atBytes: number): void;
  /** Changes a byte, counted from now on; far enough in, it is one of a body. */
  damageAt(way: Way, atBytes: number): void;
  /** Bytes per second of each connection, either way; `undefined`: as fast as it goes. */
  slowTo(bytesPerS: number | undefined): void;
  /** Holds the next connection back for so long before its first byte goes on. */
  holdNext(ms: number): void;
}

const TICK_MS = 20;

class Proxy implements ByteProxy {
  readonly bytes: Record<Way, number> = { up: 0, down: 0 };
  dials = 0;
  mishaps = 0;
  readonly #target: URL;
  readonly #server = createServer({ pauseOnConnect: true }, (client) => void this.#accept(client));
  readonly #sockets = new Set<Socket>();
  readonly #due: Mishap[] = [];
  #bytesPerS: number | undefined;
  #holdMs = 0;

  constructor(target: string) {
    this.#target = new URL(target);
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  via(url: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return url.replace(this.#target.origin, `http://127.0.0.1:${port}`);
  }

  cutAt(way: Way, atBytes: number): void {
    this.#due.push({ way, atBytes: this.bytes[way] + atBytes, what: "cut" });
  }

  damageAt(way: Way, atBytes: number): void {
    this.#due.push({ way, atBytes: this.bytes[way] + atBytes, what: "damage" });
  }

  slowTo(bytesPerS: number | undefined): void {
    this.#bytesPerS = bytesPerS;
  }

  holdNext(ms: number): void {
    this.#holdMs = ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #accept(client: Socket): Promise<void> {
    this.dials += 1;
    this.#keep(client);
    if (this.#holdMs > 0) {
      const holdMs = this.#holdMs;
      this.#holdMs = 0;
      await systemClock.sleep(holdMs);
    }
    const store = createConnection({ host: "127.0.0.1", port: Number(this.#target.port) });
    this.#keep(store);
    this.#carry({ way: "up", from: client, to: store });
    this.#carry({ way: "down", from: store, to: client });
  }

  #keep(socket: Socket): void {
    socket.on("error", () => {}); // "close" follows, and is what counts
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #carry(pipe: { readonly way: Way; readonly from: Socket; readonly to: Socket }): void {
    const { way, from, to } = pipe;
    from.on("data", (bytes: Buffer) => {
      const before = this.bytes[way];
      this.bytes[way] += bytes.length;
      const index = this.#due.findIndex(
        (mishap) => mishap.way === way && this.bytes[way] >= mishap.atBytes && before < mishap.atBytes,
      );
      const [mishap] = index === -1 ? [] : this.#due.splice(index, 1);
      if (mishap !== undefined) this.mishaps += 1;
      if (mishap?.what === "cut") {
        from.resetAndDestroy();
        to.resetAndDestroy();
        return;
      }
      if (mishap !== undefined) bytes[mishap.atBytes - before - 1]! ^= 0x20;
      const hasRoom = to.write(bytes);
      if (this.#bytesPerS !== undefined) this.#pause(from, bytes.length / this.#bytesPerS);
      else if (!hasRoom) from.pause();
    });
    to.on("drain", () => {
      if (this.#bytesPerS === undefined) from.resume();
    });
    from.on("end", () => to.end());
    from.on("close", () => to.destroy());
    from.resume();
  }

  #pause(from: Socket, seconds: number): void {
    from.pause();
    systemClock.timer(Math.max(TICK_MS, seconds * 1_000), () => from.resume());
  }
}

/** Starts one in front of a store. */
export async function startByteProxy(target: string): Promise<ByteProxy> {
  return await new Proxy(target).listen();
}
