import type { WorkflowSpec } from "@subnet-worker/activity-spec";
import { describe, expect, it } from "vitest";
import type { RunTransaction } from "../src/chain/transactions.ts";
import { newRun, nextRun, type Run, type RunEvent } from "../src/domain/run.ts";
import type { FinishedRun } from "../src/run-workflow.ts";
import { reportLines } from "../src/view/report.ts";
import { createScreen } from "../src/view/screen.ts";
import { renderTable } from "../src/view/table.ts";
import { durationText, grouped, printable, shortHex } from "../src/view/text.ts";
import { specOf } from "./_specs.ts";

describe("table", () => {
  it("makes columns as wide as their longest line and keeps the cells of a row together", () => {
    const lines = renderTable(
      {
        head: ["A", "B"],
        rows: [
          [["one", "two"], ["x"]],
          [["3"], ["a longer one"]],
        ],
      },
      80,
    );
    expect(lines).toEqual([
      "A    B",
      "───  ────────────",
      "one  x",
      "two",
      "",
      "3    a longer one",
      "───  ────────────",
    ]);
  });

  it("wraps the last column at spaces and path separators, and loses no character", () => {
    const words = "a verdict of several words runs/0123456789012345678901234567890123456789/processed.wav";
    const lines = renderTable({ head: ["N", "OUT"], rows: [[["step"], [words]]] }, 40);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
    const wrapped = lines.slice(2, -1).map((line) => line.slice(6));
    expect(wrapped.join("").replaceAll(" ", "")).toBe(words.replaceAll(" ", ""));
    expect(wrapped[0]).toBe("a verdict of several words runs/");
  });
});

describe("text", () => {
  it.each([
    [0, "0 ms"],
    [999.4, "999 ms"],
    [1_234, "1.23 s"],
    [12_345, "12.3 s"],
    [185_000, "3 min 5 s"],
  ])("says %d ms as %s", (ms, text) => expect(durationText(ms)).toBe(text));

  it("shortens addresses and groups digits", () => {
    expect(shortHex("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")).toBe("0x7099…79C8");
    expect(grouped(1_234_567n)).toBe("1,234,567");
  });

  it("lets no control character of a handler's message reach the terminal", () => {
    expect(printable("bad\x1b[2Jfile\r\nnext\u202Eline\0")).toBe("bad·[2Jfile next·line·");
    expect(printable("x".repeat(700))).toHaveLength(600);
  });
});

function terminal(columns = 40, isTTY = true) {
  const written: string[] = [];
  const stream = { isTTY, columns, write: (text: string) => written.push(text) > 0 };
  return { stream, text: () => written.join("") };
}

/** What a terminal would show: only what the screen uses is understood. */
function shown(text: string): string[] {
  const rows = [""];
  for (const part of text.replaceAll("\x1b", "␛").split(/(␛\[\d*[AJ]|\n)/)) {
    if (part === "\n") rows.push("");
    else if (part === "␛[J") rows[rows.length - 1] = "";
    else if (part.startsWith("␛")) rows.splice(rows.length - Number(part.slice(2, -1)));
    else rows[rows.length - 1] += part;
  }
  return rows;
}

describe("screen", () => {
  it("redraws its block in place, below the lines that stay", () => {
    const { stream, text } = terminal();
    const screen = createScreen(stream, {});
    screen.line("first");
    screen.live(["a 0 %", "b waiting"]);
    screen.live(["a 50 %", "b waiting"]);
    screen.line("second");
    screen.live(["a done", "b 1 %"]);
    screen.settle();
    screen.line("last");
    expect(shown(text())).toEqual(["first", "second", "a done", "b 1 %", "last", ""]);
  });

  it("cuts block lines to the terminal's width, so that none takes two rows", () => {
    const { stream, text } = terminal(40);
    createScreen(stream, {}).live(["x".repeat(100)]);
    expect(text().split("\n")[0]).toHaveLength(39);
  });

  it.each([
    ["no terminal", terminal(80, false), {}],
    ["a terminal without control codes", terminal(80), { TERM: "dumb" }],
  ])("writes no control code on %s", (_what, { stream, text }, env) => {
    const screen = createScreen(stream, env);
    screen.live(["never shown"]);
    screen.line(screen.style("good", "plain"));
    expect(text()).toBe("plain\n");
  });

  it("uses no colour when NO_COLOR is set", () => {
    const { stream } = terminal();
    expect(createScreen(stream, { NO_COLOR: "1" }).style("bad", "x")).toBe("x");
    expect(createScreen(stream, {}).style("bad", "x")).toBe("\x1b[31mx\x1b[0m");
  });
});

const WORKER = "0x1111111111111111111111111111111111111111";

function finishedRun(spec: WorkflowSpec, heartbeats = 1): FinishedRun {
  const events: RunEvent[] = [
    { kind: "step-enqueued", step: 0, activityIds: ["0xa"], seenMs: 0, block: 1 },
    { kind: "claimed", activityId: "0xa", worker: WORKER, seenMs: 40, block: 2 },
    { kind: "completed", activityId: "0xa", worker: WORKER, seenMs: 1_540, block: 4 },
    { kind: "step-finalised", step: 0, success: true, seenMs: 1_560, block: 5 },
    { kind: "step-enqueued", step: 1, activityIds: ["0xb"], seenMs: 1_560, block: 5 },
    { kind: "claimed", activityId: "0xb", worker: WORKER, seenMs: 1_600, block: 6 },
    { kind: "failed", activityId: "0xb", worker: WORKER, reason: "too quiet", seenMs: 1_700, block: 7 },
    { kind: "workflow-failed", reason: "too quiet", seenMs: 1_800, block: 8 },
  ];
  const run: Run = events.reduce(nextRun, newRun(2));
  const mined = (action: string, step: number | undefined, block: number): RunTransaction => {
    return { action, step, block, succeeded: true, gasUsed: 100_000n, hash: "0x", from: WORKER };
  };
  return {
    spec,
    instance: "0x1234",
    requester: "0x2222222222222222222222222222222222222222",
    run,
    transactions: [
      mined("start", undefined, 1),
      mined("claim", 0, 2),
      ...Array.from({ length: heartbeats }, () => mined("heartbeat", 0, 3)),
      mined("complete", 0, 4),
      mined("resume", 0, 5),
      mined("claim", 1, 6),
      mined("fail", 1, 7),
      { ...mined("resume", 1, 8), succeeded: false },
    ],
    outputs: [[{ name: "file_object_key", value: "runs/1/out.wav", file: "/work/out/out.wav" }], []],
    uploadMs: 12,
    totalMs: 1_800,
    dir: "/work/out",
  };
}

describe("report", () => {
  const spec = specOf({ kinds: ["text.one", "text.two"] });

  it("has a row for each step with worker, transactions, gas, blocks, phases and outputs", () => {
    expect(reportLines(finishedRun(spec), { columns: 110, cwd: "/work" })).toEqual([
      "STEP      WORKER       TRANSACTIONS                            TIME           OUTPUTS",
      "────────  ───────────  ──────────────────────────────────────  ─────────────  ───────────────────────",
      "start     0x2222…2222  start     #1      100,000 gas           upload 12 ms",
      "",
      "text.one  0x1111…1111  claim     #2      100,000 gas           wait   40 ms   file_object_key out.wav",
      "                       heartbeat #3      100,000 gas           run    1.50 s",
      "                       complete  #4      100,000 gas           resume 20 ms",
      "                       resume    #5      100,000 gas",
      "",
      "text.two  0x1111…1111  claim     #6      100,000 gas           wait   40 ms   failed: too quiet",
      "                       fail      #7      100,000 gas           run    100 ms",
      "                       resume    #8      100,000 gas reverted",
      "────────  ───────────  ──────────────────────────────────────  ─────────────  ───────────────────────",
      "8 transactions, 800,000 gas, 1.80 s from submission to the end",
      "",
      "Files:",
      "  out/out.wav",
    ]);
  });

  it("puts the outputs below the table where five columns do not fit", () => {
    const lines = reportLines(finishedRun(spec), { columns: 80, cwd: "/work" });
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines).toContain("text.one:");
    expect(lines).toContain("  file_object_key out.wav");
  });

  it("sums up heartbeats when there are many", () => {
    const lines = reportLines(finishedRun(spec, 300), { columns: 120, cwd: "/work" });
    expect(lines.filter((line) => line.includes("heartbeat"))).toHaveLength(1);
    expect(lines.join("\n")).toContain("heartbeat #3    30,000,000 gas in 300");
  });
});
