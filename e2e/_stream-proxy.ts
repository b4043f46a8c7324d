// A TCP proxy on the way of the stream, that does to its connections what networks do.
//
// 1. Bytes arrive in order and whole, or the connection is dead from there on: TCP never loses some of the middle.
// 2. While a direction does not flow, nor does news of its end: a host that is gone sends no FIN.
import { once } from "node:events";
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { systemClock } from "@subnet-worker/kit";

/** How bytes travel in one direction: on, not for now, or never again, without anybody being told. */
export type Flow = "open" | "stalled" | "swallowed";

export interface StreamWeather {
  readonly toWep: Flow;
  readonly toWcp: Flow;
  /** Added to each direction. */
  readonly latencyMs: number;
  /** Of each direction; `undefined` for no limit. */
  readonly bytesPerS: number | undefined;
}

export const CLEAR: StreamWeather = { toWep: "open", toWcp: "open", latencyMs: 0, bytesPerS: undefined };
/** Sockets stay open, and nothing arrives any more until the weather is better. */
export const STALLED: StreamWeather = { ...CLEAR, toWep: "stalled", toWcp: "stalled" };

/** Between looks at what waits for its time. */
const TICK_MS = 5;
/** Above this a direction takes no more from its sender, as a full socket buffer does. */
const MOST_WAITING_BYTES = 256 * 1_024;

interface Waiting {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

/** One direction of one connection. */
class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: () => { readonly flow: Flow; readonly weather: StreamWeather };
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #sentAtMs = 0;
  #timer: Disposable | undefined;
  #hasEnded = false;
  /** Whether the end of the one side is told to the other. */
  tellsEnd = true;

  constructor(
    sockets: { readonly from: Socket; readonly to: Socket },
    weather: () => { readonly flow: Flow; readonly weather: StreamWeather },
  ) {
    this.#from = sockets.from;
    this.#to = sockets.to;
    this.#weather = weather;
    this.#from.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#from.on("end", () => this.#onEnd());
    this.#from.on("close", () => this.#onEnd());
    this.#to.on("drain", () => this.pump());
    this.#to.on("close", () => this.#closeIfOver());
  }

  /** Sends what is due. */
  pump(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const { flow, weather } = this.#weather();
    if (flow === "swallowed") this.#forget();
    if (flow !== "open") return;
    while (this.#mayWrite(weather)) this.#write(weather);
    if (this.#waiting.length > 0) this.#timer = systemClock.timer(TICK_MS, () => this.pump());
    else if (this.#hasEnded && this.tellsEnd) this.#to.end();
  }

  /** Stops for good. */
  end(): void {
    this.#timer?.[Symbol.dispose]();
    this.#forget();
  }

  #take(bytes: Buffer): void {
    this.#waiting.push({ bytes, dueMs: systemClock.monotonicMs() + this.#weather().weather.latencyMs });
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > MOST_WAITING_BYTES) this.#from.pause();
    this.pump();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    this.pump();
    this.#closeIfOver();
  }

  /** Both sides have gone, whether or not they heard of each other. */
  #closeIfOver(): void {
    if (this.#hasEnded && this.#to.destroyed) this.#from.destroy();
  }

  #forget(): void {
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#from.resume();
  }

  #mayWrite({ bytesPerS }: StreamWeather): boolean {
    const next = this.#waiting[0];
    if (next === undefined || this.#to.writableNeedDrain) return false;
    const nowMs = systemClock.monotonicMs();
    if (next.dueMs > nowMs) return false;
    return bytesPerS === undefined || nowMs - this.#sentAtMs >= TICK_MS;
  }

  #write({ bytesPerS }: StreamWeather): void {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    const most = bytesPerS === undefined ? next.bytes.length : Math.ceil((bytesPerS * TICK_MS) / 1_000);
    const part = next.bytes.subarray(0, most);
    const rest = next.bytes.subarray(most);
    if (rest.length > 0) this.#waiting.unshift({ ...next, bytes: rest });
    this.#waitingBytes -= part.length;
    this.#sentAtMs = systemClock.monotonicMs();
    if (this.#waitingBytes <= MOST_WAITING_BYTES) this.#from.resume();
    if (!this.#to.destroyed) this.#to.write(part);
  }
}

/** One connection of the WCP, and the one that was made for it to the WEP. */
class Connection {
  readonly wcp: Socket;
  readonly wep: Socket;
  readonly #toWep: Direction;
  readonly #toWcp: Direction;
  #weather: StreamWeather;
  #isLeftBehind = false;

  constructor(sockets: { readonly wcp: Socket; readonly wep: Socket }, weather: StreamWeather) {
    const { wcp, wep } = sockets;
    this.wcp = wcp;
    this.wep = wep;
    this.#weather = weather;
    for (const socket of [wcp, wep]) {
      socket.setNoDelay(true);
      socket.on("error", () => {}); // "close" follows, and is what counts
    }
    const look = (to: "toWep" | "toWcp") => () => ({ flow: this.#weather[to], weather: this.#weather });
    this.#toWep = new Direction({ from: wcp, to: wep }, look("toWep"));
    this.#toWcp = new Direction({ from: wep, to: wcp }, look("toWcp"));
  }

  get isOpen(): boolean {
    return !this.wcp.destroyed || !this.wep.destroyed;
  }

  /** One side has gone and the other one has not heard of it. */
  get isOrphaned(): boolean {
    return this.isOpen && (this.wcp.destroyed || this.wep.destroyed);
  }

  /** What was swallowed stays so: there is a hole in it. */
  set weather(weather: StreamWeather) {
    if (this.#isLeftBehind) return;
    const keep = (before: Flow, after: Flow) => (before === "swallowed" ? before : after);
    this.#weather = {
      ...weather,
      toWep: keep(this.#weather.toWep, weather.toWep),
      toWcp: keep(this.#weather.toWcp, weather.toWcp),
    };
    this.#toWep.pump();
    this.#toWcp.pump();
  }

  cut(how: "fin" | "rst"): void {
    for (const socket of [this.wcp, this.wep]) {
      if (how === "rst") socket.resetAndDestroy();
      else socket.end();
    }
  }

  /** The WCP loses it at once; the WEP keeps it. */
  async orphan(lateMs: number): Promise<void> {
    this.weather = { ...CLEAR, toWep: "stalled", toWcp: "swallowed" };
    this.#isLeftBehind = true;
    this.#toWep.tellsEnd = false;
    this.wcp.resetAndDestroy();
    await systemClock.sleep(lateMs);
    this.#weather = { ...this.#weather, toWep: "open" };
    this.#toWep.pump();
  }

  destroy(): void {
    this.#toWep.end();
    this.#toWcp.end();
    this.wcp.destroy();
    this.wep.destroy();
  }
}

/** A way to a WEP, at a URL of its own. */
export interface StreamProxy extends AsyncDisposable {
  readonly url: string;
  /** How often it was dialled. */
  readonly accepted: number;
  /** Connections of which at least one end is open, and those with only one. */
  readonly open: number;
  readonly orphaned: number;
  /** What happens from now on to the connections there are, and to new ones unless `alsoNew` is false. */
  setWeather(weather: StreamWeather, alsoNew?: boolean): void;
  /** Ends all connections, with a FIN or a reset to both sides. */
  cut(how: "fin" | "rst"): void;
  /**
   * Resets every connection at the WCP and leaves it open at the WEP, which gets what was on the way to it
   * `lateMs` later: for the WEP, the old and the next connection of the WCP are there at once.
   */
  duplicate(lateMs: number): void;
  /** Resets whoever dials, until told otherwise. */
  setRefusing(isRefusing: boolean): void;
}

/** Starts one in front of `target`, a port on this machine. */
export async function startStreamProxy(target: number): Promise<StreamProxy> {
  const connections = new Set<Connection>();
  let weather = CLEAR;
  let isRefusing = false;
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (wcp) => {
    accepted += 1;
    if (isRefusing) {
      wcp.on("error", () => {});
      wcp.resetAndDestroy();
      return;
    }
    const wep = createConnection({ host: "127.0.0.1", port: target, allowHalfOpen: true });
    const connection = new Connection({ wcp, wep }, weather);
    connections.add(connection);
    for (const socket of [wcp, wep]) {
      socket.on("close", () => {
        if (!connection.isOpen) connections.delete(connection);
      });
    }
  });
  await listening(server);
  const pick = (fits: (connection: Connection) => boolean) => [...connections].filter(fits);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get accepted() {
      return accepted;
    },
    get open() {
      return connections.size;
    },
    get orphaned() {
      return pick(({ isOrphaned }) => isOrphaned).length;
    },
    setWeather(next, alsoNew = true) {
      if (alsoNew) weather = next;
      for (const connection of connections) connection.weather = next;
    },
    cut(how) {
      for (const connection of connections) connection.cut(how);
    },
    duplicate(lateMs) {
      for (const connection of pick(({ isOrphaned }) => !isOrphaned)) void connection.orphan(lateMs);
    },
    setRefusing(next) {
      isRefusing = next;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const connection of connections) connection.destroy();
      await closed;
    },
  };
}

async function listening(server: Server): Promise<void> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}
