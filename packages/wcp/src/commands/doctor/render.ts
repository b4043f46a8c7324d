import { type Finding, type Group, GROUPS, type Verdict } from "./check.ts";

const TITLES: Readonly<Record<Group, string>> = {
  configuration: "Configuration",
  key: "Key",
  machine: "This machine",
  rpc: "RPC endpoints",
  contracts: "Contracts",
  wallet: "Wallet",
  wep: "Executors (WEP)",
  storage: "Storage",
};

const MARKS: Readonly<Record<Verdict, string>> = { ok: "ok", warn: "WARN", fail: "FAIL", skipped: "-" };
const COLOURS: Readonly<Record<Verdict, number>> = { ok: 32, warn: 33, fail: 31, skipped: 90 };
const MARK_WIDTH = 4;
/** A finding that took longer says so. */
const SLOW_MS = 1_000;
const LINE_WIDTH = 100;

/** Findings for a person: grouped, what is well in few lines, and below what is not what to do. */
export function renderFindings(findings: readonly Finding[], useColour: boolean): string {
  const titles = new Map(findings.map((finding) => [finding.id, nameOf(finding)]));
  const lines = GROUPS.map((group) => {
    const found = findings.filter((each) => each.group === group);
    return { group, lines: foldSubjects(found, titles) };
  }).filter((each) => each.lines.length > 0);
  const width = Math.max(...lines.flatMap((each) => each.lines.map(({ title }) => title.length)));
  const blocks = lines.map(
    (each) =>
      `${TITLES[each.group]}\n${each.lines.map((line) => renderLine(line, { width, useColour })).join("")}`,
  );
  return `${blocks.join("\n")}\n${summaryOf(findings)}\n`;
}

interface Line {
  readonly verdict: Verdict;
  readonly title: string;
  readonly detail: string;
  readonly advice: string;
}

function nameOf({ subject, title }: Finding): string {
  return subject === "" ? title : `${subject} ${title}`;
}

/** What is well with one endpoint is one line, and what was not looked at another. */
function foldSubjects(findings: readonly Finding[], titles: ReadonlyMap<string, string>): readonly Line[] {
  const bySubject = Map.groupBy(findings, ({ subject, id }) => (subject === "" ? id : subject));
  return [...bySubject.values()].flatMap((found) => {
    const [first] = found;
    if (first === undefined || first.subject === "") return found.map((finding) => toLine(finding, titles));
    const fine = found.filter(({ verdict }) => verdict === "ok");
    const skipped = found.filter(({ verdict }) => verdict === "skipped");
    const rest = found.filter(({ verdict }) => verdict === "warn" || verdict === "fail");
    return [
      ...(fine.length === 0
        ? []
        : [
            {
              verdict: "ok" as const,
              title: first.subject,
              detail: fine.map(({ detail }) => detail).join(", "),
              advice: "",
            },
          ]),
      ...rest.map((finding) => toLine(finding, titles)),
      ...(skipped.length === 0
        ? []
        : [
            {
              verdict: "skipped" as const,
              title: first.subject,
              detail: `not looked at: ${skipped.map(({ title }) => title).join(", ")}`,
              advice: "",
            },
          ]),
    ];
  });
}

function toLine(finding: Finding, titles: ReadonlyMap<string, string>): Line {
  const { verdict, detail, advice, because, ms } = finding;
  const slow = ms >= SLOW_MS ? ` (${(ms / 1_000).toFixed(1)} s)` : "";
  const skipped = `not looked at, because of ${because.map((id) => titles.get(id) ?? id).join(" and ")}`;
  return {
    verdict,
    advice,
    title: nameOf(finding),
    detail: `${verdict === "skipped" ? skipped : detail}${slow}`,
  };
}

function renderLine(
  { verdict, title, detail, advice }: Line,
  { width, useColour }: { readonly width: number; readonly useColour: boolean },
): string {
  const mark = MARKS[verdict].padEnd(MARK_WIDTH);
  const shownMark = useColour ? `\u001b[${COLOURS[verdict]}m${mark}\u001b[0m` : mark;
  const indent = " ".repeat(2 + MARK_WIDTH + 2 + width + 2);
  const head = `  ${shownMark}  ${title.padEnd(width)}  ${wrap(detail, indent)}\n`;
  return advice === "" ? head : `${head}${indent}-> ${wrap(advice, `${indent}   `)}\n`;
}

/** At spaces; a command or an address stays whole. */
function wrap(text: string, indent: string): string {
  const room = Math.max(40, LINE_WIDTH - indent.length);
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last !== "" && last.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.join(`\n${indent}`);
}

/** The last line: whether the node would run, and what to begin with. */
export function summaryOf(findings: readonly Finding[]): string {
  const count = (verdict: Verdict) => findings.filter((finding) => finding.verdict === verdict).length;
  const counts = `${count("ok")} ok, ${count("warn")} to look at, ${count("fail")} wrong, ${count("skipped")} not looked at`;
  const first = findings.find(({ verdict }) => verdict === "fail");
  if (first === undefined) {
    return count("warn") === 0 ? `All is well: ${counts}.` : `The node can work: ${counts}.`;
  }
  return `The node cannot work like this: ${counts}. Begin with: ${nameOf(first)}.`;
}

/** Exit code 1 when something would stop the node. */
export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ verdict }) => verdict !== "fail");
}
