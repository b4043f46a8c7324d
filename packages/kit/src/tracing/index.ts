import type { Logger } from "../logger.ts";
import type { Clock } from "../clock.ts";

/** Trace context as it travels (W3C): `traceparent`, and `tracestate` where there is one. */
export type TraceContext = Readonly<Record<string, string>>;

/** By name; what is `undefined` is left out. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A part of a trace that is under way. */
export interface Span {
  /** 32 hex digits. */
  readonly traceId: string;
  /** For the metadata of what goes on elsewhere as part of this span. */
  readonly context: TraceContext;
  /** Adds attributes; those of the same name are replaced. */
  set(attributes: SpanAttributes): void;
  /** Notes that something happened at this moment. */
  event(name: string, attributes?: SpanAttributes): void;
  /** Runs with the span active: `@opentelemetry/api` gives it to what is called, and to what that awaits. */
  within<T>(run: () => T): T;
  /** `failure`: why it failed, in words; `undefined` where it did not. */
  end(failure?: string): void;
}

/** What there is to say of a span when it begins. */
export interface SpanOptions {
  /** Default `internal`. */
  readonly kind?: "internal" | "server" | "client" | "producer" | "consumer";
  readonly attributes?: SpanAttributes;
  /** May have the context of the span that this one is part of; what else it has is passed over. */
  readonly parent?: TraceContext | undefined;
  /** Without a parent: the same text gives the same trace, in any process. Default: a trace of its own. */
  readonly seed?: string;
}

/** Makes spans. Where there is none, nothing is traced, and nothing must be made ready for it. */
export interface Tracer {
  /** Begins a span; whoever began it ends it. */
  start(name: string, options?: SpanOptions): Span;
}

/** Spans that are sent somewhere. Disposing sends what waits, for a few seconds at most. */
export interface Tracing extends Tracer, AsyncDisposable {}

/** Who sends spans, which, and where to. */
export interface TracingOptions {
  /** `service.name`: what the spans are filed under. */
  readonly service: string;
  readonly version: string;
  /** `service.instance.id`: tells processes of one service apart. */
  readonly instanceId: string;
  /** OTLP over HTTP, with JSON: `http://127.0.0.1:4318/v1/traces`. */
  readonly endpoint: string;
  /** Share of new traces that are sent, 0 to 1; a trace that comes from elsewhere was decided on there. */
  readonly ratio: number;
  /** Whether handlers and libraries that use `@opentelemetry/api` in this process get the spans, and send theirs. Default false. */
  readonly isGlobal?: boolean;
  /** How long ended spans are gathered before they are sent. Default 5_000. */
  readonly delayMs?: number;
}

/** What {@link startTracing} needs. */
export interface TracingDeps {
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * Loads OpenTelemetry, which takes some 15 MB, and sends spans from now on. Standard `OTEL_*` variables
 * add to it, such as `OTEL_EXPORTER_OTLP_HEADERS` for a key. What cannot be sent is told in the log and
 * lost; it holds nothing up.
 *
 * @throws {TracingError} when the packages are not installed
 * @example
 * ```ts
 * import { createLogger, systemClock } from "@subnet-worker/kit";
 * import { startTracing } from "@subnet-worker/kit/tracing";
 *
 * await using tracing = await startTracing(
 *   {
 *     service: "demo",
 *     version: "1.0.0",
 *     instanceId: "1",
 *     endpoint: "http://127.0.0.1:4318/v1/traces",
 *     ratio: 1,
 *   },
 *   { logger: createLogger({ name: "demo" }), clock: systemClock },
 * );
 * tracing.start("greet", { attributes: { "demo.name": "Ada" } }).end();
 * ```
 */
export async function startTracing(options: TracingOptions, deps: TracingDeps): Promise<Tracing> {
  try {
    const { OtelTracing } = await import("./otel.ts");
    return new OtelTracing(options, deps);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new TracingError(error);
  }
}

/** Tracing was asked for, and the packages it needs are not there. */
export class TracingError extends Error {
  override readonly name = "TracingError";
  readonly code = "NOT_INSTALLED";

  constructor(cause: unknown) {
    super(
      "[NOT_INSTALLED] tracing needs packages that are not installed: npm install @opentelemetry/api @opentelemetry/exporter-trace-otlp-http @opentelemetry/resources @opentelemetry/sdk-trace; or turn it off",
      { cause },
    );
  }
}
