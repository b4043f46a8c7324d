import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Envelope, envelope, EnvelopeSchema } from "@subnet-worker/protocol";
import type { Kind, ValueOf } from "./_stream.ts";

/**
 * The stream as gRPC puts it on the wire, with nothing but HTTP/2 below: what any
 * gRPC library does, and what a misbehaving one does.
 */
export class RawGrpc implements Disposable {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  readonly heard: Envelope[] = [];
  trailers: Record<string, unknown> = {};
  #buffered = Buffer.alloc(0);
  readonly #waiters = new Set<() => void>();

  constructor(port: number) {
    this.session = connect(`http://127.0.0.1:${port}`);
    this.session.on("error", () => undefined);
    this.stream = this.session.request({
      ":method": "POST",
      ":path": "/execution.v1.Execution/TaskStream",
      "content-type": "application/grpc",
      te: "trailers",
    });
    this.stream.on("error", () => undefined);
    this.stream.on("trailers", (trailers) => {
      this.trailers = trailers;
    });
    this.stream.on("close", () => this.#wake());
  }

  /** Starts to read; before that, flow control holds the server after 64 KiB. */
  read(): this {
    this.stream.on("data", (chunk: Buffer) => {
      this.#buffered = Buffer.concat([this.#buffered, chunk]);
      this.#unframe();
      this.#wake();
    });
    return this;
  }

  send(...message: Parameters<typeof envelope>): void {
    const bytes = toBinary(EnvelopeSchema, envelope(...message));
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(bytes.byteLength, 1);
    this.stream.write(Buffer.concat([frame, bytes]));
  }

  /** Ends the request, as a client does whose input has ended. */
  end(): void {
    this.stream.end();
  }

  /** Resolves with the first message of a kind. */
  async first<K extends Kind>(kind: K): Promise<ValueOf<K>> {
    for (;;) {
      const found = this.heard.find(({ msg }) => msg.case === kind);
      if (found !== undefined) return found.msg.value as ValueOf<K>;
      if (this.stream.closed) throw new Error(`the stream closed before ${kind}`);
      await new Promise<void>((resolve) => void this.#waiters.add(resolve));
    }
  }

  async closed(): Promise<void> {
    while (!this.stream.closed) await new Promise<void>((resolve) => void this.#waiters.add(resolve));
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }

  #unframe(): void {
    while (this.#buffered.byteLength >= 5) {
      const end = 5 + this.#buffered.readUInt32BE(1);
      if (this.#buffered.byteLength < end) return;
      this.heard.push(fromBinary(EnvelopeSchema, this.#buffered.subarray(5, end)));
      this.#buffered = this.#buffered.subarray(end);
    }
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }
}
