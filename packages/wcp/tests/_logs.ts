import { createLogger, type Logger } from "@subnet-worker/kit";

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface Logs {
  readonly logger: Logger;
  readonly lines: LogLine[];
  /** Messages at this level, in order. */
  at(level: string): string[];
  /** Everything that was logged, as it would be on disk. */
  text(): string;
}

/** A logger that keeps its lines. */
export function captureLogs(): Logs {
  const lines: LogLine[] = [];
  const logger = createLogger({
    name: "wcp",
    level: "debug",
    destination: { write: (line) => void lines.push(JSON.parse(line) as LogLine) },
  });
  return {
    logger,
    lines,
    at: (level) => lines.filter((line) => line.level === level).map(({ msg }) => msg),
    text: () => lines.map((line) => JSON.stringify(line)).join("\n"),
  };
}
