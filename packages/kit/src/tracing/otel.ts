// Imports OpenTelemetry, so nothing imports this file but startTracing(), once tracing is on.
import { hash, randomFillSync } from "node:crypto";
import {
  type Attributes,
  type Context,
  context as contexts,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span as OtelSpan,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer as OtelTracer,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  type IdGenerator,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { AsyncContexts } from "./async-contexts.ts";
import { formatTraceparent, parseTraceContext } from "./traceparent.ts";
import { ToldExporter } from "./told-exporter.ts";
import type {
  Span,
  SpanAttributes,
  SpanOptions,
  TraceContext,
  Tracing,
  TracingDeps,
  TracingOptions,
} from "./index.ts";

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** Beyond these, spans are dropped rather than held: tracing is not worth the memory of a node under load. */
const MOST_WAITING_SPANS = 8_192;
const EXPORT_TIMEOUT_MS = 3_000;
/** More than an export may take, and less than a process may take to end. */
const LAST_EXPORT_MS = 4_000;

/** Spans through the OpenTelemetry SDK, over OTLP. */
export class OtelTracing implements Tracing {
  readonly #deps: TracingDeps;
  readonly #provider: TracerProvider;
  readonly #tracer: OtelTracer;
  readonly #ids = new SeededIds();
  readonly #contexts = new AsyncContexts();
  readonly #isGlobal: boolean;

  constructor(options: TracingOptions, deps: TracingDeps) {
    this.#deps = deps;
    const exporter = new OTLPTraceExporter({ url: options.endpoint, timeoutMillis: EXPORT_TIMEOUT_MS });
    const processor = new BatchSpanProcessor({
      exporter: new ToldExporter(exporter, { ...deps, endpoint: options.endpoint }),
      maxQueueSize: MOST_WAITING_SPANS,
      scheduledDelayMillis: options.delayMs ?? 5_000,
    });
    this.#provider = new TracerProvider({
      resource: defaultResource().merge(
        resourceFromAttributes({
          "service.name": options.service,
          "service.version": options.version,
          "service.instance.id": options.instanceId,
        }),
      ),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.ratio) }),
      idGenerator: this.#ids,
      spanProcessors: [processor],
    });
    this.#tracer = this.#provider.getTracer("subnet-worker", options.version);
    this.#isGlobal = options.isGlobal ?? false;
    if (this.#isGlobal) {
      contexts.setGlobalContextManager(this.#contexts);
      trace.setGlobalTracerProvider(this.#provider);
    }
  }

  start(name: string, options: SpanOptions = {}): Span {
    const { kind = "internal", attributes = {}, parent, seed } = options;
    const above = parent === undefined ? ROOT_CONTEXT : contextOf(parent);
    this.#ids.seed = seed;
    const span = this.#tracer.startSpan(name, { kind: KINDS[kind], attributes: defined(attributes) }, above);
    this.#ids.seed = undefined;
    return new OpenSpan(span, { above, contexts: this.#contexts });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, logger } = this.#deps;
    const over = new AbortController();
    const sent = this.#provider
      .shutdown()
      .catch((error: unknown) => logger.warn({ err: error }, "the last spans could not be delivered"))
      .finally(() => over.abort());
    await Promise.race([sent, clock.sleep(LAST_EXPORT_MS, over.signal)]);
    if (!this.#isGlobal) return;
    trace.disable();
    contexts.disable();
  }
}

class OpenSpan implements Span {
  readonly #span: OtelSpan;
  readonly #parts: { readonly above: Context; readonly contexts: AsyncContexts };

  constructor(span: OtelSpan, parts: { readonly above: Context; readonly contexts: AsyncContexts }) {
    this.#span = span;
    this.#parts = parts;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get context(): TraceContext {
    const own = this.#span.spanContext();
    const state = own.traceState?.serialize() ?? "";
    return { traceparent: formatTraceparent(own), ...(state === "" ? {} : { tracestate: state }) };
  }

  set(attributes: SpanAttributes): void {
    if (this.#span.isRecording()) this.#span.setAttributes(defined(attributes));
  }

  event(name: string, attributes: SpanAttributes = {}): void {
    if (this.#span.isRecording()) this.#span.addEvent(name, defined(attributes));
  }

  within<T>(run: () => T): T {
    const { above, contexts: manager } = this.#parts;
    return manager.with(trace.setSpan(above, this.#span), run);
  }

  end(failure?: string): void {
    if (failure !== undefined) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    this.#span.end();
  }
}

function contextOf(metadata: TraceContext): Context {
  const parent = parseTraceContext(metadata);
  return parent === undefined || !isSpanContextValid(parent)
    ? ROOT_CONTEXT
    : trace.setSpanContext(ROOT_CONTEXT, parent);
}

function defined(attributes: SpanAttributes): Attributes {
  const kept: Attributes = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

/** Random ids, but for a trace that has a seed. */
class SeededIds implements IdGenerator {
  seed: string | undefined;
  /** Random bytes are cheap by the thousand. */
  readonly #pool = Buffer.alloc(4_096);
  #used = this.#pool.length;

  generateTraceId(): string {
    return this.seed === undefined ? this.#random(16) : hash("sha256", this.seed, "hex").slice(0, 32);
  }

  generateSpanId(): string {
    return this.#random(8);
  }

  #random(bytes: number): string {
    if (this.#used + bytes > this.#pool.length) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    this.#used += bytes;
    return this.#pool.toString("hex", this.#used - bytes, this.#used);
  }
}
