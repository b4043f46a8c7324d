import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Envelope, envelope, Execution } from "@subnet-worker/protocol";
import { startChild } from "./child.ts";
import { rateOf } from "./peer.ts";

/**
 * The same assignment and completion over a bare Connect stream between two processes, with nothing around
 * it. @returns round trips per second with `atOnce` under way
 */
export async function runEcho(trips: number, atOnce: number): Promise<number> {
  await using server = startChild("echo-server.ts", []);
  const baseUrl = `http://127.0.0.1:${await server.line()}`;
  const client = createClient(Execution, createGrpcTransport({ baseUrl }));
  const outbox = new Outbox();
  const over = new AbortController();
  try {
    return await rateOf(trips, () => exchange({ client, outbox, signal: over.signal }, trips, atOnce));
  } finally {
    over.abort();
  }
}

interface Wire {
  readonly client: ReturnType<typeof createClient<typeof Execution>>;
  readonly outbox: Outbox;
  readonly signal: AbortSignal;
}

async function exchange({ client, outbox, signal }: Wire, trips: number, atOnce: number): Promise<void> {
  let sent = 0;
  let answered = 0;
  const send = () => outbox.push(assignment((sent += 1)));
  while (sent < Math.min(trips, atOnce)) send();
  for await (const { msg } of client.taskStream(outbox, { signal })) {
    if (msg.case !== "completion") continue;
    answered += 1;
    if (answered === trips) return;
    if (sent < trips) send();
  }
}

function assignment(number: number): Envelope {
  const id = number.toString(16).padStart(64, "0");
  return envelope("assign", {
    activityId: `0x${id}`,
    runId: `00000000-0000-8000-8000-${id.slice(-12)}`,
    taskKind: "noop",
    taskVersion: "1.0.0",
    inputs: [{ name: "number", mediaType: "application/json", abiType: "uint32", inlineJson: "7" }],
    softDeadlineUnix: 1_800_000_000n,
    heartbeatIntervalS: 10,
    attempt: 1,
  });
}

/** What waits to be written. */
class Outbox implements AsyncIterable<Envelope> {
  #waiting: Envelope[] = [];
  #resume: (() => void) | undefined;

  push(message: Envelope): void {
    this.#waiting.push(message);
    this.#resume?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Envelope> {
    for (;;) {
      const batch = this.#waiting;
      this.#waiting = [];
      yield* batch;
      if (this.#waiting.length > 0) continue;
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
    }
  }
}
