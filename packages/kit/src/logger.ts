import { type DestinationStream, type Logger, pino } from "pino";

export type { Logger } from "pino";

/** From the worst to all; `silent` writes nothing. */
export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a logger writes, and where to. */
export interface LoggerOptions {
  /** The process: `wcp`, `wep`. */
  readonly name: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
  /** Fields of every line. Default: the process and its id. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/**
 * JSON lines on standard output, in this thread: a worker transport loses the
 * last lines of a crash (pinojs/pino#2054), which are the ones that matter.
 * Lines about one activity carry `activity_id` and `run_id`.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level ?? "info",
    base: options.fields ?? { component: options.name, pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: [
        "private_key",
        "*.private_key",
        "secret_access_key",
        "*.secret_access_key",
        "authorization",
        "*.authorization",
        "password",
        "*.password",
      ],
      censor: "[REDACTED]",
    },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

/**
 * Writes a finished line, of a logger in another thread, where `logger` writes its
 * own. The stream of a logger is one of the symbols that pino exposes for libraries.
 */
export function relayLine(logger: Logger, line: string): void {
  const stream = (logger as unknown as Record<symbol, DestinationStream>)[pino.symbols.streamSym];
  stream?.write(line);
}
