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
  const byId = new Map(findings.map((finding) => [finding.id, finding]));
  const blocks = GROUPS.map((group) => {
    const found = findings.filter((each) => each.group === group);
    return { group, lines: [...foldSubjects(found), ...foldSkipped(found, byId)] };
  }).filter(({ lines }) => lines.length > 0);
  const width = Math.max(...blocks.flatMap(({ lines }) => lines.map(({ title }) => title.length)));
  const texts = blocks.map(({ group, lines }) => {
    const body = lines.map((line) => renderLine(line, { width, useColour }));
    return `${TITLES[group]}\n${body.join("")}`;
  });
  return `${texts.join("\n")}\n${summaryOf(findings)}\n`;
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

/** What is well with one endpoint is one line. */
function foldSubjects(findings: readonly Finding[]): readonly Line[] {
  const seen = findings.filter(({ verdict }) => verdict !== "skipped");
  const bySubject = Map.groupBy(seen, ({ subject, id }) => (subject === "" ? id : subject));
  return [...bySubject.values()].flatMap((found) => {
    const subject = found[0]?.subject ?? "";
    if (subject === "") return found.map(toLine);
    const fine = found.filter(({ verdict }) => verdict === "ok").map(({ detail }) => detail);
    const rest = found.filter(({ verdict }) => verdict !== "ok").map(toLine);
    if (fine.length === 0) return rest;
    return [{ verdict: "ok", title: subject, detail: fine.join(", "), advice: "" }, ...rest];
  });
}

/** What was not looked at is one line for each reason. */
function foldSkipped(findings: readonly Finding[], byId: ReadonlyMap<string, Finding>): readonly Line[] {
  const skipped = findings.filter(({ verdict }) => verdict === "skipped");
  const byReason = Map.groupBy(skipped, (finding) =>
    [...new Set(rootsOf(finding, byId).map(nameOf))].join(" and "),
  );
  return [...byReason].map(([reason, found]) => ({
    verdict: "skipped",
    title: "not looked at",
    detail: `${found.map(({ title }) => title).join(", ")}; first: ${reason}`,
    advice: "",
  }));
}

/** The failures that a skipped check comes down to. */
function rootsOf(finding: Finding, byId: ReadonlyMap<string, Finding>): readonly Finding[] {
  if (finding.verdict !== "skipped") return [finding];
  const causes = finding.because.map((id) => byId.get(id)).filter((cause) => cause !== undefined);
  return causes.flatMap((cause) => rootsOf(cause, byId));
}

function toLine({ verdict, subject, title, detail, advice, ms }: Finding): Line {
  const slow = ms >= SLOW_MS ? ` (${(ms / 1_000).toFixed(1)} s)` : "";
  const what = subject === "" ? detail : `${title}: ${detail}`;
  return { verdict, advice, title: subject === "" ? title : subject, detail: `${what}${slow}` };
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

/** At spaces; an address stays whole. */
function wrap(text: string, indent: string): string {
  const room = Math.max(40, LINE_WIDTH - indent.length);
  return text
    .split("\n")
    .map((line) => wrapLine(line, room).join(`\n${indent}`))
    .join(`\n${indent}`);
}

function wrapLine(text: string, room: number): readonly string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last !== "" && last.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

/** The last lines: whether the node would run, and what to begin with. */
export function summaryOf(findings: readonly Finding[]): string {
  const count = (verdict: Verdict) => findings.filter((finding) => finding.verdict === verdict).length;
  const counts = `${count("ok")} ok, ${count("warn")} to look at, ${count("fail")} wrong, ${count("skipped")} not looked at`;
  const first = findings.find(({ verdict }) => verdict === "fail");
  if (first === undefined) {
    return count("warn") === 0 ? `All is well: ${counts}.` : `The node can work: ${counts}.`;
  }
  return `The node cannot work like this: ${counts}.\nBegin with: ${nameOf(first)}.`;
}

/** Exit code 1 when something would stop the node. */
export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ verdict }) => verdict !== "fail");
}
