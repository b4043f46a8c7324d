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
import { ECHO_HANDLERS } from "./_bare-chain.ts";
import type { LogLine } from "./_logs.ts";
import type { TestProcess } from "./_process.ts";
import { hasPython, startPython } from "./_python.ts";
import { freePort } from "./_rpc-proxy.ts";
import { configWith, fundedWallet, makeWcp, wcpConfig, type WcpHome, type WcpProcess } from "./_wcp.ts";

const example = (path: string) => fileURLToPath(new URL(`../examples/python-wep/${path}`, import.meta.url));
const SPEC_PATH = example("table.yaml");
const SPEC = parseSpec(readFileSync(SPEC_PATH, "utf8"), { fileName: SPEC_PATH });
/** Takes the example some seconds. */
const LONG_ROWS = 120_000;
const STALL_MS = 50_000;

describe.skipIf(!hasPython)("examples/python-wep (needs python3 with grpcio)", { timeout: 100_000 }, () => {
  let dir: string;
  let devnet: Devnet;
  let home: WcpHome;
  let wepPort: number;
  let stack: AsyncDisposableStack;
  let long: string;
  let nextFile = 0;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "e2e-"));
    long = write(longTable());
    devnet = await startDevnet(
      // Its own WEP and WCP are not wanted: it has no Python.
      { dir: join(dir, "net"), cwd: dir, handlers: [ECHO_HANDLERS], specs: [SPEC_PATH] },
      { signal: new AbortController().signal },
    );
    await Promise.all([devnet.kill("wcp"), devnet.kill("wep")]);
  }, 100_000);
  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    wepPort = await freePort();
    const { chain, store } = devnet.state;
    const { accessKeyId, secretAccessKey, ...storage } = store;
    const base = wcpConfig(chain, `http://127.0.0.1:${wepPort}`, SPEC_PATH);
    home = makeWcp({
      dir,
      config: configWith(base, { scheduler: { queue_name: ["table/1.0.0/tables"] }, storage }),
      env: {
        WCP__STORAGE__ACCESS_KEY_ID: accessKeyId,
        WCP__STORAGE__SECRET_ACCESS_KEY: secretAccessKey,
        WCP__ETHEREUM__WALLET_PRIVATE_KEY: (await fundedWallet(chain)).privateKey,
      },
    });
  });
  afterEach(() => stack.disposeAsync());
  afterAll(async () => {
    await devnet[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  function write(content: string | Buffer): string {
    const path = join(dir, `table-${(nextFile += 1)}.csv`);
    writeFileSync(path, content);
    return path;
  }

  function longTable(): string {
    const rows = Array.from(
      { length: LONG_ROWS },
      (_, row) => `${row},${(row * 7.5) % 1_000},name ${row % 5_000},2026-01-0${1 + (row % 9)}`,
    );
    return `${["id,amount,name,day", ...rows].join("\n")}\n`;
  }

  async function startWep(...args: readonly string[]): Promise<TestProcess> {
    const wep = stack.use(
      await startPython(["worker.py", "--port", String(wepPort), ...args], { cwd: example(".") }),
    );
    await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");
    return wep;
  }

  async function startWcp(): Promise<WcpProcess> {
    const wcp = stack.use(await home.start());
    await wcp.untilReady();
    return wcp;
  }

  function submit(table: InputValue, delimiter = ""): Promise<FinishedRun> {
    const inputs = [table, { kind: "value", param: "delimiter", value: delimiter } as const];
    const finished = runWorkflow(
      { state: devnet.state, spec: SPEC, inputs, stallMs: STALL_MS },
      { signal: AbortSignal.timeout(90_000) },
    );
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
    readonly columns: readonly { readonly name: string; readonly type: string; readonly distinct: number }[];
  }

  function reportOf(finished: FinishedRun): Report {
    const path = finished.outputs[0]?.find((output) => output.name === "report_object_key")?.file;
    return JSON.parse(readFileSync(path ?? "no report", "utf8")) as Report;
  }

  const said = (wep: TestProcess, what: string) => wep.lines().filter(({ msg }) => msg === what);
  const begins = ({ msg }: LogLine) => msg === "run started";

  function expectWholeLongTable(finished: FinishedRun): void {
    expect(finished.run.outcome).toEqual({ kind: "completed" });
    expect(Number(valueOf(finished, "rows"))).toBe(LONG_ROWS);
    const report = reportOf(finished);
    expect([report.rows, report.size_bytes]).toEqual([LONG_ROWS, readFileSync(long).length]);
  }

  test("profiles a table, and its report is in the store", async () => {
    const wep = await startWep();
    const wcp = await startWcp();
    const finished = await submit(file(example("samples/orders.csv")));
    expect(finished.run.outcome).toEqual({ kind: "completed" });
    expect(["rows", "columns", "malformed_rows"].map((name) => Number(valueOf(finished, name)))).toEqual([
      7, 7, 1,
    ]);
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
    const connected = wcp.lines().find(({ msg }) => msg === "WEP connected");
    expect(connected).toMatchObject({ version: "1.1.0", agent: "python-wep/0.1.0" });
    expect(wep.stderr()).toBe("");
  });

  test.for([
    [
      "a table that is not UTF-8",
      () => file(write(Buffer.from([0x61, 0x0a, 0xff, 0xfe]))),
      "",
      "[INVALID_FORMAT] [TABLE_NOT_UTF8] byte 2",
    ],
    ["an unclosed quote", () => file(write('a,b\n1,"2\n')), "", "[INVALID_FORMAT] [TABLE_MALFORMED]"],
    ["an empty file", () => file(write("")), "", "[INVALID_INPUT] [TABLE_EMPTY]"],
    [
      "a delimiter of two characters",
      () => file(example("samples/orders.csv")),
      "::",
      "[INVALID_INPUT] delimiter is '::'",
    ],
    ["no table at all", () => key(""), "", "[MISSING_REQUIRED_FIELD] table_object_key names no object"],
    ["a key of no object", () => key("no/such/table.csv"), "", "no/such/table.csv"],
  ] as const)("fails for %s, for good, and says why on chain", async ([, input, delimiter, reason]) => {
    const wep = await startWep();
    await startWcp();
    const finished = await submit(input(), delimiter);
    expect(finished.run.outcome).toMatchObject({ kind: "failed", reason: expect.stringContaining(reason) });
    expect(said(wep, "run started")).toHaveLength(1);
  });

  test("goes on while the WCP is killed and started again, and its completion is not lost", async () => {
    const wep = await startWep();
    const first = await startWcp();
    const submitted = submit(file(long));
    await wep.find("the run to begin", begins);
    first.signal("SIGKILL");
    await first.ended;
    await startWcp();
    expectWholeLongTable(await submitted);
    expect(said(wep, "run started")).toHaveLength(1);
    expect(said(wep, "run re-attached").length).toBeGreaterThan(0);
  });

  test("keeps a completion while no WCP is there, and gives it to the next", async () => {
    const wep = await startWep();
    const first = await startWcp();
    const submitted = submit(file(long));
    await wep.find("the run to begin", begins);
    await wep.find("a report", ({ msg }) => msg === "run started");
    first.signal("SIGKILL");
    await first.ended;
    // Its upload waits for a WCP, so it ends only when one is there; the kept completion is tested on the wire.
    await startWcp();
    expectWholeLongTable(await submitted);
    expect(said(wep, "run ended")).toHaveLength(1);
  });

  test("killed with a run under way and started again, runs it again", async () => {
    const first = await startWep();
    const wcp = await startWcp();
    const submitted = submit(file(long));
    await first.find("the run to begin", begins);
    await wcp.find("progress", ({ msg }) => typeof msg === "string");
    first.signal("SIGKILL");
    await first.ended;
    const second = await startWep();
    expectWholeLongTable(await submitted);
    expect(said(second, "run started")).toHaveLength(1);
  });

  test("told to stop with SIGTERM finishes its run, takes nothing new, and ends with 0", async () => {
    const first = await startWep("--grace-s", "60");
    await startWcp();
    const one = submit(file(long));
    await first.find("the run to begin", begins);
    first.signal("SIGTERM");
    await first.find("the drain", ({ msg }) => msg === "draining");
    const two = submit(file(example("samples/orders.csv")));
    expectWholeLongTable(await one);
    expect(await first.ended).toBe(0);
    expect(first.lines().find(({ msg }) => msg === "drained")).toMatchObject({ unacknowledged: 0 });
    expect(said(first, "run started")).toHaveLength(1);
    await startWep();
    expect((await two).run.outcome).toEqual({ kind: "completed" });
  });

  test("stops a run whose lease was lost", async () => {
    const wep = await startWep();
    await startWcp();
    const submitted = submit(file(long));
    await wep.find("the run to begin", begins);
    const anvil = new AnvilRemote(devnet.state.chain.rpcUrl);
    await anvil.rpc("evm_increaseTime", [4 * 3_600]);
    await anvil.mine();
    const { reason } = await wep.find("the cancel", ({ msg }) => msg === "run stopping");
    expect(reason).toBe("lease_lost");
    await wep.find(
      "the run to end",
      ({ msg, status }) => msg === "run ended" && status === "CANCELLED_BY_USER",
    );
    void submitted;
  });
});
