import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as it arrived. */
export interface SeenSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of a trace. */
  readonly parentSpanId: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly {
    readonly name: string;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  readonly status: { readonly code?: number; readonly message?: string };
  /** Of the process it comes from. */
  readonly resource: Readonly<Record<string, unknown>>;
  readonly durationMs: number;
}

interface RawAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface RawSpan extends Omit<
  SeenSpan,
  "parentSpanId" | "attributes" | "events" | "resource" | "durationMs"
> {
  readonly parentSpanId?: string;
  readonly attributes?: readonly RawAttribute[];
  readonly events?: readonly { readonly name: string; readonly attributes?: readonly RawAttribute[] }[];
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly RawAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly RawSpan[] }[];
  }[];
}

/** What a collector is to its senders: OTLP over HTTP, in JSON. */
export class OtlpReceiver implements AsyncDisposable {
  readonly spans: SeenSpan[] = [];
  /** Requests that had to be answered with this status, as a collector in trouble does. */
  failWith: number | undefined;
  requests = 0;
  headers: Readonly<Record<string, unknown>> = {};
  readonly #server = createServer((request, response) => {
    this.requests += 1;
    this.headers = request.headers;
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    request.on("end", () => {
      if (this.failWith === undefined) this.#take(JSON.parse(text) as Export);
      response.writeHead(this.failWith ?? 200, { "content-type": "application/json" }).end("{}");
      for (const look of this.#looks) look();
    });
  });
  readonly #looks = new Set<() => void>();

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await once(receiver.#server.listen(0, "127.0.0.1"), "listening");
    return receiver;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  /** Resolves when it holds, looking after each request. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds()) return;
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #take({ resourceSpans }: Export): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        const { startTimeUnixNano, endTimeUnixNano, parentSpanId = "" } = span;
        this.spans.push({
          ...span,
          parentSpanId,
          attributes: valuesOf(span.attributes),
          events: (span.events ?? []).map(({ name, attributes }) => ({
            name,
            attributes: valuesOf(attributes),
          })),
          resource: valuesOf(resource.attributes),
          durationMs: Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6,
        });
      }
    }
  }
}

function valuesOf(attributes: readonly RawAttribute[] = []): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const [[kind, raw] = ["", undefined]] = Object.entries(value);
      return [key, kind === "intValue" ? Number(raw) : raw];
    }),
  );
}
