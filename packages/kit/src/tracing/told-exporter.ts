import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";

/** An exporter of which the operator is told when it fails, once a minute, and when it works again. */
export class ToldExporter implements SpanExporter {
  readonly #inner: SpanExporter;
  readonly #deps: ToldExporterDeps;
  #lost = 0;
  #toldAtMs: number | undefined;

  constructor(inner: SpanExporter, deps: ToldExporterDeps) {
    this.#inner = inner;
    this.#deps = deps;
  }

  export(spans: ReadableSpan[], onResult: Parameters<SpanExporter["export"]>[1]): void {
    this.#inner.export(spans, (result) => {
      // 0 is success; the enum's package is not otherwise needed here.
      if (!result.code) this.#delivered();
      else this.#failed(spans.length, result.error);
      onResult(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.#inner.forceFlush?.();
  }

  #delivered(): void {
    if (this.#toldAtMs === undefined) return;
    this.#deps.logger.info({ endpoint: this.#deps.endpoint, lost: this.#lost }, "spans are delivered again");
    this.#toldAtMs = undefined;
    this.#lost = 0;
  }

  #failed(spans: number, error: Error | undefined): void {
    const { logger, clock, endpoint } = this.#deps;
    this.#lost += spans;
    const nowMs = clock.monotonicMs();
    if (this.#toldAtMs !== undefined && nowMs - this.#toldAtMs < TELL_EVERY_MS) return;
    this.#toldAtMs = nowMs;
    logger.warn(
      { endpoint, lost: this.#lost, reason: error?.message },
      "spans cannot be delivered and are lost; all else goes on (check tracing.endpoint)",
    );
  }
}

interface ToldExporterDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly endpoint: string;
}
const TELL_EVERY_MS = 60_000;
