/** One sample of a metrics text. */
export interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) \S/;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/;
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"`;
const SAMPLE = new RegExp(
  String.raw`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:${LABEL}(?:,${LABEL})*)?)\})? (\S+)$`,
);

/**
 * Reads the Prometheus text format, version 0.0.4.
 *
 * @throws for a line that is none of it, a sample without a type, and a series that comes twice
 */
export function parseMetrics(text: string): readonly Sample[] {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const helped = new Set<string>();
  const types = new Map<string, string>();
  const samples = new Map<string, Sample>();
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const help = HELP.exec(line)?.[1];
    const type = TYPE.exec(line);
    if (help !== undefined) helped.add(help);
    else if (type !== null) types.set(type[1] ?? "", type[2] ?? "");
    else addSample(line, types, samples);
  }
  const unhelped = [...types.keys()].filter((name) => !helped.has(name));
  if (unhelped.length > 0) throw new Error(`without help: ${unhelped.join(", ")}`);
  return [...samples.values()];
}

function addSample(line: string, types: ReadonlyMap<string, string>, samples: Map<string, Sample>): void {
  const [, name, labels = "", text = ""] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no metric: ${line}`);
  const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
  if (!types.has(family)) throw new Error(`no type before: ${line}`);
  const series = `${name}{${labels}}`;
  if (samples.has(series)) throw new Error(`twice: ${series}`);
  samples.set(series, { name, labels, value: parseValue(text, line) });
}

/** As Go's ParseFloat reads it, which takes `Nan` too. */
function parseValue(text: string, line: string): number {
  if (/^nan$/i.test(text)) return Number.NaN;
  const infinity = /^([+-]?)inf$/i.exec(text);
  const value = infinity === null ? Number(text) : Number(`${infinity[1]}Infinity`);
  if (Number.isNaN(value)) throw new Error(`no number: ${line}`);
  return value;
}
