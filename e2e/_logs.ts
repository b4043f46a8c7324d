import { readFileSync } from "node:fs";
import { until } from "./_until.ts";

/** A line of a process's log. */
export interface LogLine {
  readonly level?: string;
  readonly msg?: string;
  readonly activity_id?: string;
  readonly run_id?: string;
  /** A line that is not JSON, which no process of ours should write. */
  readonly notJson?: string;
  readonly [field: string]: unknown;
}

/** What a process has logged into a file so far, over all its lives. */
export class LogFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  text(): string {
    return readFileSync(this.path, "utf8");
  }

  lines(): readonly LogLine[] {
    return parseLines(this.text());
  }

  /** Where the log ends now, to look from there on. */
  mark(): number {
    return this.lines().length;
  }

  /** The first line from `mark` on that fits; waits for it. */
  async find(what: string, fits: (line: LogLine) => boolean, mark = 0): Promise<LogLine> {
    return until(what, () => this.lines().slice(mark).find(fits), { instead: () => this.tail() });
  }

  tail(count = 15): string {
    return this.text().trim().split("\n").slice(-count).join("\n");
  }
}

/** Complete lines only: the last one may still be on its way. */
export function parseLines(text: string): readonly LogLine[] {
  return text
    .split("\n")
    .slice(0, -1)
    .filter((line) => line !== "")
    .map(parseLine);
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { notJson: line };
  }
}

/** What the processes said last, in the order in which they said it: for the output of a test that failed. */
export function printStory(logs: Readonly<Record<string, LogFile>>, count = 60): void {
  const story = Object.values(logs)
    .flatMap((log) => log.lines())
    .toSorted((a, b) => String(a["time"]).localeCompare(String(b["time"])))
    .slice(-count)
    .map(({ time, component, pid, level, ...rest }) => {
      const { msg, ...fields } = rest;
      return `${String(time)} ${String(component)} ${String(pid)} ${level} ${msg} ${JSON.stringify(fields)}`;
    });
  process.stderr.write(`${story.join("\n")}\n`);
}
