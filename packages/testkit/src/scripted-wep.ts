import { randomInt } from "node:crypto";
import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { type Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type Envelope, envelope, Execution } from "@subnet-worker/protocol";

// Below the ports that systems hand out by themselves, which any connection of another test may get.
const FIRST_PORT = 26_000;
const PORTS = 6_000;

export type MessageKind = NonNullable<Envelope["msg"]["case"]>;
export type MessageOf<K extends MessageKind> = Extract<Envelope["msg"], { case: K }>["value"];
type InitOf<K extends MessageKind> = Parameters<typeof envelope<K>>[1];

interface Waiter {
  readonly fits: (message: Envelope) => boolean;
  readonly resolve: (message: Envelope) => void;
  readonly reject: (error: Error) => void;
}

/** How a {@link WepStream} ends: in order, or with a status. */
type Ending = { readonly error?: ConnectError };

/** One stream that a worker client opened to a {@link ScriptedWep}. */
export class WepStream {
  /** Everything heard, in order. */
  readonly heard: Envelope[] = [];
  /** Answers pings, as a live peer does. Default true. */
  answersPings = true;
  readonly #outgoing: Envelope[] = [];
  readonly #unread: Envelope[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #closed = Promise.withResolvers<void>();
  #ending: Ending | undefined;
  #isOver = false;
  #wake: (() => void) | undefined;

  /** Resolves when the client has gone, or the stream has ended. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sends a message. */
  send<K extends MessageKind>(kind: K, value: InitOf<K>): void {
    this.sendEnvelope(envelope(kind, value));
  }

  /** Sends an envelope as it is: one of a later protocol, for example. */
  sendEnvelope(message: Envelope): void {
    this.#outgoing.push(message);
    this.#wake?.();
  }

  /** The handshake of a peer that speaks 1.1.0: `hello_ack`, then what it can run. */
  async welcome(capabilities: InitOf<"capabilities"> = { maxConcurrency: 2 }): Promise<MessageOf<"hello">> {
    const hello = await this.next("hello");
    this.send("helloAck", { min: "1.0.0", max: "1.1.0", instanceId: "wep-1", agent: "scripted-wep/0" });
    this.send("capabilities", capabilities);
    return hello;
  }

  /** The next message of a kind that no earlier call has taken. Rejects when the stream ends before it comes. */
  async next<K extends MessageKind>(
    kind: K,
    matches: (value: MessageOf<K>) => boolean = () => true,
  ): Promise<MessageOf<K>> {
    const fits = ({ msg }: Envelope) => msg.case === kind && matches(msg.value as MessageOf<K>);
    const index = this.#unread.findIndex(fits);
    const found = index === -1 ? undefined : this.#unread.splice(index, 1)[0];
    return (found ?? (await this.#wait(fits))).msg.value as MessageOf<K>;
  }

  /** Kinds heard, in order. */
  kinds(): (MessageKind | undefined)[] {
    return this.heard.map(({ msg }) => msg.case);
  }

  /** Ends the stream in order, after what waits to be sent. */
  end(): void {
    this.#ending = {};
    this.#wake?.();
  }

  /** Ends the stream with a status. */
  fail(code: Code, message: string): void {
    this.#ending = { error: new ConnectError(message, code) };
    this.#wake?.();
  }

  /** @internal Carries the stream until either side ends it. */
  async *serve(requests: AsyncIterable<Envelope>, signal: AbortSignal): AsyncGenerator<Envelope> {
    signal.addEventListener("abort", () => this.#finish(), { once: true });
    void this.#listen(requests);
    try {
      while (!this.#isOver) {
        const message = this.#outgoing.shift();
        if (message !== undefined) yield message;
        else if (this.#ending?.error !== undefined) throw this.#ending.error;
        else if (this.#ending !== undefined) return;
        else await this.#change();
      }
    } finally {
      this.#finish();
    }
  }

  async #listen(requests: AsyncIterable<Envelope>): Promise<void> {
    try {
      for await (const message of requests) this.#hear(message);
    } catch {
      // the client vanished: that is what `closed` says
    }
    this.#finish();
  }

  #hear(message: Envelope): void {
    this.heard.push(message);
    if (message.msg.case === "ping" && this.answersPings) {
      this.send("pong", { nonce: message.msg.value.nonce });
    }
    for (const waiter of this.#waiters) {
      if (!waiter.fits(message)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(message);
      return;
    }
    this.#unread.push(message);
  }

  #wait(fits: Waiter["fits"]): Promise<Envelope> {
    if (this.#isOver) return Promise.reject(new Error("the stream is over"));
    return new Promise((resolve, reject) => {
      this.#waiters.add({ fits, resolve, reject });
    });
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#closed.resolve();
    this.#wake?.();
    for (const { reject } of this.#waiters) reject(new Error("the stream ended"));
    this.#waiters.clear();
  }
}

/**
 * A worker execution process whose every message is the test's.
 *
 * @example
 * ```ts
 * import { ScriptedWep } from "@subnet-worker/testkit";
 *
 * await using wep = await ScriptedWep.listen();
 * const stream = wep.next().then((opened) => opened.welcome());
 * // ... the client under test dials wep.url
 * ```
 */
export class ScriptedWep implements AsyncDisposable {
  /** Every stream opened so far. */
  readonly streams: WepStream[] = [];
  readonly #server: Http2Server;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #waiting: ((stream: WepStream) => void)[] = [];
  #taken = 0;
  #port = 0;

  private constructor() {
    this.#server = createServer(
      connectNodeAdapter({
        routes: (router) =>
          router.service(Execution, {
            taskStream: (requests, { signal }) => this.#open().serve(requests, signal),
          }),
      }),
    );
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("close", () => this.#sessions.delete(session));
    });
    this.#server.on("sessionError", () => undefined); // a client that vanishes is not our failure
  }

  /**
   * Listens on the loopback interface. `port` 0, the default, picks a free one, and one that systems hand out to
   * nobody by themselves: a test that stops listening can listen there again.
   */
  static async listen(port = 0): Promise<ScriptedWep> {
    const wep = new ScriptedWep();
    while (!(await wep.#tryPort(port === 0 ? FIRST_PORT + randomInt(PORTS) : port))) {
      if (port !== 0) throw new Error(`127.0.0.1:${port} is taken`);
    }
    wep.#port = (wep.#server.address() as AddressInfo).port;
    return wep;
  }

  /** Whether it listens there now; `false` when something else does. */
  #tryPort(port: number): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const onError = (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(false) : reject(error);
    this.#server.once("error", onError);
    this.#server.listen(port, "127.0.0.1", () => {
      this.#server.off("error", onError);
      resolve(true);
    });
    return promise;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The next stream that no earlier call has taken. */
  next(): Promise<WepStream> {
    const stream = this.streams[this.#taken];
    if (stream === undefined) return new Promise((resolve) => void this.#waiting.push(resolve));
    this.#taken += 1;
    return Promise.resolve(stream);
  }

  /** Drops every connection without a word, as a machine that loses its power does. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Tells every connection to go away, as a server does that is about to stop. */
  goAway(): void {
    for (const session of this.#sessions) session.goaway();
  }

  /** Ends every HTTP/2 session with an error. */
  breakSessions(): void {
    for (const session of this.#sessions) session.destroy(new Error("broken by the test"));
  }

  /** Drops every connection and stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #open(): WepStream {
    const stream = new WepStream();
    this.streams.push(stream);
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      this.#taken += 1;
      waiter(stream);
    }
    return stream;
  }
}
