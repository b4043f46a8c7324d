import { type CallOptions, type ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type Envelope, envelope, Execution } from "@subnet-worker/protocol";

export type Kind = NonNullable<Envelope["msg"]["case"]>;
export type ValueOf<K extends Kind> = Extract<Envelope["msg"], { case: K }>["value"];
type InitOf<K extends Kind> = Parameters<typeof envelope<K>>[1];

interface Waiter {
  readonly matches: (message: Envelope) => boolean;
  readonly resolve: (message: Envelope) => void;
  readonly reject: (error: unknown) => void;
}

/** A scripted worker client: says what the test tells it and keeps what it hears. */
export class TestStream implements AsyncDisposable {
  /** Everything heard, in order. */
  readonly heard: Envelope[] = [];
  /** How many messages each batch held; they are in {@link heard} one by one. */
  readonly batches: number[] = [];
  /** The stream's end: `undefined` when it ended in order. */
  readonly ended: Promise<ConnectError | undefined>;
  readonly #outgoing: Envelope[] = [];
  readonly #abort = new AbortController();
  readonly #session: Http2SessionManager;
  readonly #unread: Envelope[] = [];
  readonly #waiters = new Set<Waiter>();
  #wakeWriter: (() => void) | undefined;
  #isDone = false;
  #isOver = false;
  /** Answers pings, so that a stream under test is not dropped as silent. */
  answersPings = true;

  constructor(port: number, options: CallOptions = {}) {
    this.#session = new Http2SessionManager(`http://127.0.0.1:${port}`);
    const transport = createGrpcTransport({
      baseUrl: `http://127.0.0.1:${port}`,
      sessionManager: this.#session,
    });
    const client = createClient(Execution, transport);
    const incoming = client.taskStream(this.#messages(), { ...options, signal: this.#abort.signal });
    this.ended = this.#listen(incoming);
  }

  /** Connects and shakes hands. */
  static async open(port: number, hello: InitOf<"hello"> = {}): Promise<TestStream> {
    const stream = new TestStream(port);
    stream.send("hello", { min: "1.0.0", max: "1.1.0", instanceId: "wcp-test", ...hello });
    await stream.next("helloAck");
    return stream;
  }

  send<K extends Kind>(kind: K, value: InitOf<K>): void {
    this.#outgoing.push(envelope(kind, value));
    this.#wakeWriter?.();
  }

  /** Sends several messages in one. */
  sendBatch(envelopes: readonly Envelope[]): void {
    this.send("batch", { envelopes: [...envelopes] });
  }

  /** The next message of a kind that no earlier call has taken; others before it stay for later calls. */
  async next<K extends Kind>(
    kind: K,
    matches: (value: ValueOf<K>) => boolean = () => true,
  ): Promise<ValueOf<K>> {
    const fits = ({ msg }: Envelope) => msg.case === kind && matches(msg.value as ValueOf<K>);
    const index = this.#unread.findIndex(fits);
    const message = index === -1 ? await this.#wait(fits) : this.#unread.splice(index, 1)[0]!;
    return message.msg.value as ValueOf<K>;
  }

  /** How many messages of a kind were heard. */
  count(kind: Kind): number {
    return this.heard.filter(({ msg }) => msg.case === kind).length;
  }

  /** Says nothing more, as a client does whose input has ended. */
  finishSending(): void {
    this.#isDone = true;
    this.#wakeWriter?.();
  }

  /** Vanishes without a word. */
  cut(): void {
    this.#abort.abort();
    this.#session.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await this.ended;
  }

  async *#messages(): AsyncGenerator<Envelope> {
    for (;;) {
      const next = this.#outgoing.shift();
      if (next !== undefined) yield next;
      else if (this.#isDone || this.#isOver) return;
      else
        await new Promise<void>((resolve) => {
          this.#wakeWriter = resolve;
        });
    }
  }

  async #listen(incoming: AsyncIterable<Envelope>): Promise<ConnectError | undefined> {
    let failure: ConnectError | undefined;
    try {
      for await (const message of incoming) {
        const { msg } = message;
        if (msg.case !== "batch") {
          this.#hear(message);
          continue;
        }
        this.batches.push(msg.value.envelopes.length);
        for (const each of msg.value.envelopes) this.#hear(each);
      }
    } catch (error) {
      failure = error as ConnectError;
    }
    this.#isOver = true;
    this.#wakeWriter?.();
    for (const { reject } of this.#waiters) reject(failure ?? new Error("the stream ended in order"));
    return failure;
  }

  #hear(message: Envelope): void {
    this.heard.push(message);
    if (message.msg.case === "ping" && this.answersPings)
      this.send("pong", { nonce: message.msg.value.nonce });
    for (const waiter of this.#waiters) {
      if (!waiter.matches(message)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(message);
      return;
    }
    this.#unread.push(message);
  }

  #wait(matches: (message: Envelope) => boolean): Promise<Envelope> {
    if (this.#isOver) return Promise.reject(new Error("the stream is over"));
    return new Promise((resolve, reject) => {
      this.#waiters.add({ matches, resolve, reject });
    });
  }
}

let lastId = 0;

export type TestAssignment = InitOf<"assign"> & { readonly activityId: string; readonly runId: string };

/** An assignment; a test states only what it varies. */
export function assignment(overrides: InitOf<"assign"> = {}): TestAssignment {
  lastId += 1;
  return {
    workflowInstanceId: "workflow-1",
    taskKind: "test.work",
    taskVersion: "1.0.0",
    ...overrides,
    activityId: overrides.activityId ?? `activity-${lastId}`,
    runId: overrides.runId ?? "run-1",
  };
}
