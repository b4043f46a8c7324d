// examples/python-wep against the real WCP, on a chain with an object store.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSpec } from "@subnet-worker/activity-spec";
import {
  type Devnet,
  type FinishedRun,
  type InputValue,
  runWorkflow,
  startDevnet,
} from "@subnet-worker/devnet";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AnvilRemote } from "./_anvil.ts";
import { LogFile, type LogLine } from "./_logs.ts";
import { COMPILE_CACHE, type TestProcess } from "./_process.ts";
import { hasPython, startPython } from "./_python.ts";
import { freePort } from "./_rpc-proxy.ts";

const example = (path: string) => fileURLToPath(new URL(`../examples/python-wep/${path}`, import.meta.url));
const SAMPLE = example("samples/orders.csv");
const SPEC_PATH = example("table.yaml");
const SPEC = parseSpec(readFileSync(SPEC_PATH, "utf8"), { fileName: SPEC_PATH });
/** Takes the example a second or more, so that something can happen meanwhile. */
const LONG_ROWS = 40_000;
/** Takes it some seconds, so that it sends checkpoints. */
const LONGEST_ROWS = 200_000;
const STALL_MS = 90_000;

describe.skipIf(!hasPython)("examples/python-wep (needs python3 with grpcio)", () => {
  let stack: AsyncDisposableStack;
  let dir: string;
  let devnet: Devnet;
  let wepPort: number;
  let wep: TestProcess;

  beforeAll(async () => {
    stack = new AsyncDisposableStack();
    process.env["NODE_COMPILE_CACHE"] = COMPILE_CACHE; // the devnet passes it on to its children
    dir = mkdtempSync(join(tmpdir(), "e2e-"));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    wepPort = await freePort();
    wep = await startWep();
    devnet = stack.use(
      await startDevnet(
        {
          dir: join(dir, "net"),
          cwd: dir,
          handlers: [],
          wepUrl: `http://127.0.0.1:${wepPort}`,
          specs: [SPEC_PATH],
        },
        { signal: new AbortController().signal },
      ),
    );
  });
  let isWepGone = false;
  beforeEach(async () => {
    if (isWepGone) wep = await startWep();
  });
  afterEach(({ task }) => {
    if (task.result?.state !== "fail") return;
    process.stderr.write(`${wcpLog().tail()}\n${wep.stdout().slice(-4_000)}${wep.stderr().slice(-4_000)}`);
  });
  afterAll(() => stack.disposeAsync());

  async function startWep(): Promise<TestProcess> {
    const args = ["worker.py", "--port", String(wepPort), "--max-concurrency", "4", "--grace-s", "60"];
    const started = stack.use(await startPython(args, { cwd: example(".") }));
    isWepGone = false;
    void started.ended.then(() => (isWepGone ||= started === wep));
    await started.find("the WEP to listen", ({ msg }) => msg === "wep listening");
    return started;
  }

  const wcpLog = () => new LogFile(devnet.state.processes.find(({ name }) => name === "wcp")?.log ?? "");

  function write(name: string, content: string | Buffer): string {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  }

  function tableOf(rows: number): string {
    const lines = Array.from(
      { length: rows },
      (_, row) => `${row},${(row * 7.5) % 1_000},name ${row % 5_000},2026-01-0${1 + (row % 9)}`,
    );
    return write(`${rows}.csv`, `${["id,amount,name,day", ...lines].join("\n")}\n`);
  }

  let lastStarted: Promise<unknown> = Promise.resolve();

  function submit(
    table: InputValue,
    delimiter = "",
    signal: AbortSignal = AbortSignal.timeout(170_000),
  ): Promise<FinishedRun> {
    const inputs = [table, { kind: "value", param: "delimiter", value: delimiter } as const];
    const started = Promise.withResolvers<unknown>();
    // All are sent from one account, which counts its transactions: one after the other.
    const finished = lastStarted.then(() =>
      runWorkflow(
        { state: devnet.state, spec: SPEC, inputs, stallMs: STALL_MS },
        { signal, onStarted: started.resolve },
      ).finally(() => started.resolve(undefined)),
    );
    lastStarted = started.promise;
    finished.catch(() => undefined); // a test that fails before it waits for this has said why
    return finished;
  }

  const file = (path: string) => ({ kind: "file", param: "table_object_key", path, sizeBytes: 0 }) as const;
  const key = (value: string) => ({ kind: "value", param: "table_object_key", value }) as const;

  function valueOf(finished: FinishedRun, name: string): unknown {
    return finished.outputs[0]?.find((output) => output.name === name)?.value;
  }

  interface Report {
    readonly rows: number;
    readonly size_bytes: number;
    readonly columns: readonly {
      readonly name: string;
      readonly type: string;
      readonly mean: number | null;
    }[];
  }

  function reportOf(finished: FinishedRun): Report {
    const path = finished.outputs[0]?.find((output) => output.name === "report_object_key")?.file;
    return JSON.parse(readFileSync(path ?? "no report", "utf8")) as Report;
  }

  /** Whatever happened meanwhile, every row was counted once. */
  function expectAllOf(rows: number, finished: FinishedRun): void {
    expect(finished.run.outcome).toEqual({ kind: "completed" });
    expect(Number(valueOf(finished, "rows"))).toBe(rows);
    const report = reportOf(finished);
    expect([report.rows, report.columns[0]?.type]).toEqual([rows, "integer"]);
    expect(report.columns[0]?.mean).toBeCloseTo((rows - 1) / 2, 6);
  }

  /** Of the next run on `wep`. */
  async function nextRun(): Promise<LogLine> {
    const before = said(wep, "run started").length;
    await wep.find("the run to begin", () => said(wep, "run started").length > before);
    return said(wep, "run started")[before] as LogLine;
  }

  const said = (process: TestProcess, what: string) => process.lines().filter(({ msg }) => msg === what);
  const about = (lines: readonly LogLine[], run: LogLine) =>
    lines.filter(({ activity_id: id }) => id === run.activity_id);

  test("profiles a table, and its report is in the store", async () => {
    const finished = await submit(file(SAMPLE));
    expect(finished.run.outcome).toEqual({ kind: "completed" });
    const counts = ["rows", "columns", "malformed_rows"].map((name) => Number(valueOf(finished, name)));
    expect(counts).toEqual([7, 7, 1]);
    const types = reportOf(finished).columns.map(({ name, type }) => `${name}: ${type}`);
    expect(types).toEqual([
      "order: integer",
      "date: date",
      "customer: text",
      "quantity: text",
      "price: number",
      "shipped: boolean",
      "note: text",
    ]);
    const connected = wcpLog()
      .lines()
      .find(({ msg }) => msg === "WEP connected");
    expect(connected).toMatchObject({ version: "1.1.0", agent: "python-wep/0.1.0" });
    expect(wep.stderr()).toBe("");
  });

  test("fails for good what can never succeed, and says why on chain", async () => {
    const cases = [
      [
        file(write("latin.csv", Buffer.from("a\nC\xe7elik\n", "latin1"))),
        "[INVALID_FORMAT] [TABLE_NOT_UTF8] byte 3",
      ],
      [file(write("open.csv", 'a,b\n1,"2\n')), "[INVALID_FORMAT] [TABLE_MALFORMED]"],
      [file(write("empty.csv", "")), "[INVALID_INPUT] [TABLE_EMPTY]"],
      [file(SAMPLE), "[INVALID_INPUT] delimiter is '::'", "::"],
      [key(""), "[MISSING_REQUIRED_FIELD] table_object_key names no object"],
      [key("no/such/table.csv"), "no/such/table.csv"],
    ] as const;
    const before = said(wep, "run started").length;
    const outcomes = await Promise.all(cases.map(([input, , delimiter]) => submit(input, delimiter)));
    expect(outcomes.map(({ run }) => run.outcome)).toEqual(
      cases.map(([, reason]) =>
        expect.objectContaining({ kind: "failed", reason: expect.stringContaining(reason) }),
      ),
    );
    expect(said(wep, "run started").slice(before)).toHaveLength(cases.length); // none was tried again
  });

  test("goes on while the WCP is killed and started again, and its completion is not lost", async () => {
    const begun = nextRun();
    const submitted = submit(file(tableOf(LONG_ROWS)));
    const run = await begun;
    // However quick it is, and however slow the end of the WCP: it works on once that is gone.
    wep.signal("SIGSTOP");
    await devnet.kill("wcp");
    expect(about(said(wep, "run ended"), run)).toEqual([]);
    wep.signal("SIGCONT");
    await devnet.restart("wcp");
    expectAllOf(LONG_ROWS, await submitted);
    expect(about(said(wep, "run started"), run)).toHaveLength(1);
    expect(about(said(wep, "run re-attached"), run).length).toBeGreaterThan(0);
  });

  test("killed with a run under way and started again, goes on from its last checkpoint", async () => {
    const begun = nextRun();
    const submitted = submit(file(tableOf(LONGEST_ROWS)));
    const first = await begun;
    await wep.find("two checkpoints", () => about(said(wep, "checkpoint sent"), first).length > 1);
    wep.signal("SIGKILL");
    await wep.ended;
    expect(about(said(wep, "run ended"), first)).toEqual([]);
    wep = await startWep();
    expectAllOf(LONGEST_ROWS, await submitted);
    expect(about(said(wep, "run started"), first)).toEqual([
      expect.objectContaining({ attempt: 2, resumes: true }),
    ]);
    expect(about(said(wep, "resumed"), first)).toHaveLength(1);
  });

  test("told to stop with SIGTERM finishes its run, takes nothing new, and ends with 0", async () => {
    const begun = nextRun();
    const submitted = submit(file(tableOf(LONG_ROWS)));
    await begun;
    const before = said(wep, "run started").length;
    wep.signal("SIGTERM");
    await wep.find("the drain", ({ msg }) => msg === "draining");
    const next = submit(file(SAMPLE));
    expectAllOf(LONG_ROWS, await submitted);
    expect(await wep.ended).toBe(0);
    expect(said(wep, "drained")).toEqual([expect.objectContaining({ unacknowledged: 0 })]);
    expect(said(wep, "run started")).toHaveLength(before);
    wep = await startWep();
    expect((await next).run.outcome).toEqual({ kind: "completed" });
  });

  // The last one: it puts the chain's clock forward.
  test("stops a run whose lease was lost", async () => {
    const over = new AbortController();
    const begun = nextRun();
    const submitted = submit(file(tableOf(LONGEST_ROWS)), "", over.signal);
    const run = await begun;
    const anvil = new AnvilRemote(devnet.state.chain.rpcUrl);
    await anvil.rpc("evm_increaseTime", [4 * 3_600]);
    await anvil.mine();
    const ended = await wep.find(
      "the run to end",
      ({ msg, run_id: id }) => msg === "run ended" && id === run.run_id,
    );
    expect(ended).toMatchObject({
      status: "CANCELLED_BY_USER",
      error: expect.stringContaining("(lease_lost)"),
    });
    over.abort();
    await submitted.catch(() => undefined); // whoever claims the activity next is not waited for
  });
});
