/** Anything that takes text, like standard output. */
export interface TextSink {
  write(text: string): unknown;
}

/** Fields that are on every line, or shown in a place of their own. */
const OWN_PLACE: ReadonlySet<string> = new Set(["level", "time", "msg", "component", "pid", "err"]);

/**
 * Where a logger can write its JSON lines so that `sink` gets lines for people:
 * `10:15:00.123 WARN  message  key=value`, a stack below it where there is one.
 */
export function readableLog(sink: TextSink): { write(line: string): void } {
  return {
    write: (line) => {
      sink.write(`${readableLine(line)}\n`);
    },
  };
}

/** One JSON line of a log for people; what is none is left as it is. */
export function readableLine(line: string): string {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line.trimEnd(); // text that a library wrote between the lines
  }
  const { level, time, msg, err } = fields;
  const clock = textOf(time).slice(11, 23);
  const rest = Object.entries(fields)
    .filter(([name, value]) => !OWN_PLACE.has(name) && value !== undefined)
    .map(([name, value]) => `${name}=${valueOf(value)}`);
  const head = [clock, textOf(level).toUpperCase().padEnd(5), textOf(msg)].join(" ").trimEnd();
  return [[head, ...rest].join("  "), ...errorLines(err)].join("\n");
}

function errorLines(err: unknown): string[] {
  if (err === undefined) return [];
  const { stack, type, message } = (err ?? {}) as Record<string, unknown>;
  const text = typeof stack === "string" ? stack : `${textOf(type)}: ${textOf(message)}`;
  return text.split("\n").map((each) => `    ${each.trim()}`);
}

function textOf(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** In quotes where it would run into the next. */
function valueOf(value: unknown): string {
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
