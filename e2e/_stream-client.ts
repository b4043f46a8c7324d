import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Envelope, envelope, Execution } from "@subnet-worker/protocol";
import { until } from "./_until.ts";

type Message = Envelope["msg"];
type Case = NonNullable<Message["case"]>;
type Value<K extends Case> = Extract<Message, { case: K }>["value"];

/** A WCP of which each message is written down by the test. Disposal breaks the stream off. */
export interface StreamClient extends AsyncDisposable {
  send(message: Envelope): void;
  /** All that came, in its order; what came in batches as if it had come singly. */
  readonly received: readonly Message[];
  /** How many batches came. */
  batches(): number;
  of<K extends Case>(kind: K): readonly Value<K>[];
  /** The first of this kind that fits; waits for it. */
  find<K extends Case>(kind: K, fits?: (value: Value<K>) => boolean): Promise<Value<K>>;
  /** Resolves when the peer ends the stream, with its error if it gave one. */
  readonly ended: Promise<unknown>;
}

/** Opens a stream to a WEP and says hello. */
export function openStream(url: string, hello: Parameters<typeof envelope<"hello">>[1]): StreamClient {
  const client = createClient(Execution, createGrpcTransport({ baseUrl: url }));
  const abort = new AbortController();
  const outgoing: Envelope[] = [envelope("hello", hello)];
  let wake = Promise.withResolvers<void>();
  async function* requests(): AsyncGenerator<Envelope> {
    while (!abort.signal.aborted) {
      yield* outgoing.splice(0);
      await wake.promise;
      wake = Promise.withResolvers();
    }
  }
  const received: Message[] = [];
  let batches = 0;
  const ended = (async () => {
    for await (const { msg } of client.taskStream(requests(), { signal: abort.signal })) {
      if (msg.case === "batch") batches += 1;
      received.push(...(msg.case === "batch" ? msg.value.envelopes.map((each) => each.msg) : [msg]));
    }
  })().catch((error: unknown) => error);
  const of = <K extends Case>(kind: K) =>
    received.filter((message) => message.case === kind).map(({ value }) => value as Value<K>);
  return {
    received,
    batches: () => batches,
    ended,
    of,
    send(message) {
      outgoing.push(message);
      wake.resolve();
    },
    async find(kind, fits = () => true) {
      const look = () => {
        const value = of(kind).find(fits);
        return value === undefined ? undefined : { value };
      };
      const instead = () => received.map((message) => message.case).join(", ");
      return (await until(`a ${kind}`, look, { instead })).value;
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      wake.resolve();
      await ended;
    },
  };
}
