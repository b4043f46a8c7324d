import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

/** One websocket that a client opened to a {@link ScriptedSocket}. */
export class SocketPeer {
  /** Text messages heard, in order. */
  readonly heard: string[] = [];
  /** Resolves when the connection is gone, however. */
  readonly closed: Promise<void>;
  /** Answers a close with a close, as a well-behaved server does. */
  answersClose = true;
  /** Answers a ping with a pong, as a peer does that is still there. */
  answersPing = true;
  readonly #socket: Duplex;

  constructor(socket: Duplex) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on("close", () => resolve());
    });
    socket.on("error", () => undefined); // a client that vanishes is not our failure
    // An HTTP server keeps its half open; a client that has ended is gone all the same.
    socket.on("end", () => socket.destroy());
    let buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (let frame = readFrame(buffer); frame !== undefined; frame = readFrame(buffer)) {
        buffer = buffer.subarray(frame.length);
        this.#receive(frame);
      }
    });
  }

  /** Sends a text message; up to 65535 bytes. */
  send(text: string): void {
    this.#socket.write(frameOf(TEXT, Buffer.from(text)));
  }

  /** Sends bytes as they are, which need not be a frame. */
  sendRaw(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Ends the websocket in order. */
  close(): void {
    this.#socket.end(frameOf(CLOSE, Buffer.from([0x03, 0xe8])));
  }

  /** Drops the connection without a word. */
  cut(): void {
    this.#socket.destroy();
  }

  #receive({ opcode, payload }: Frame): void {
    if (opcode === TEXT) this.heard.push(payload.toString());
    else if (opcode === PING && this.answersPing) this.#socket.write(frameOf(PONG, payload));
    else if (opcode === CLOSE && this.answersClose) this.#socket.end(frameOf(CLOSE, payload));
  }
}

/**
 * A local websocket server whose every message is the test's.
 *
 * @example
 * ```ts
 * import { ScriptedSocket } from "@subnet-worker/testkit";
 *
 * await using server = await ScriptedSocket.listen();
 * const client = new WebSocket(server.url);
 * const peer = await server.next();
 * peer.send("hello");
 * client.close();
 * ```
 */
export class ScriptedSocket implements AsyncDisposable {
  /** Every websocket opened so far. */
  readonly peers: SocketPeer[] = [];
  readonly #server: Server = createServer((_request, response) => response.writeHead(426).end());
  readonly #waiting: ((peer: SocketPeer) => void)[] = [];
  #taken = 0;

  private constructor() {
    this.#server.on("upgrade", (request, socket) => {
      const key = `${request.headers["sec-websocket-key"] ?? ""}${HANDSHAKE_GUID}`;
      const accept = createHash("sha1").update(key).digest("base64");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      const peer = new SocketPeer(socket);
      this.peers.push(peer);
      const waiter = this.#waiting.shift();
      if (waiter === undefined) return;
      this.#taken += 1;
      waiter(peer);
    });
  }

  /** Listens on a free port of the loopback interface. */
  static async listen(): Promise<ScriptedSocket> {
    const scripted = new ScriptedSocket();
    await new Promise<void>((resolve) => {
      scripted.#server.listen(0, "127.0.0.1", resolve);
    });
    return scripted;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next websocket that no earlier call has taken. */
  next(): Promise<SocketPeer> {
    const peer = this.peers[this.#taken];
    if (peer === undefined) return new Promise((resolve) => void this.#waiting.push(resolve));
    this.#taken += 1;
    return Promise.resolve(peer);
  }

  /** Drops every websocket and stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const peer of this.peers) peer.cut();
    this.#server.closeAllConnections();
    await closed;
  }
}

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  /** Bytes taken, header included. */
  readonly length: number;
}

/** The first frame of what came from a client, or `undefined` while it is not whole. */
function readFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const isLong = short === 126;
  const maskAt = isLong ? 4 : 2;
  if (bytes.length < maskAt) return undefined;
  const size = isLong ? bytes.readUInt16BE(2) : short;
  const length = maskAt + 4 + size;
  if (bytes.length < length) return undefined;
  const mask = bytes.subarray(maskAt, maskAt + 4);
  const payload = Buffer.from(bytes.subarray(maskAt + 4, length));
  for (const [index, byte] of payload.entries()) payload[index] = byte ^ mask.readUInt8(index % 4);
  return { opcode: bytes.readUInt8(0) & 0x0f, payload, length };
}

function frameOf(opcode: number, payload: Buffer): Buffer {
  const header =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, payload.length])
      : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([header, payload]);
}
