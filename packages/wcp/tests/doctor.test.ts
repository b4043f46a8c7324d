import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { startAnvil } from "@subnet-worker/contracts/anvil";
import { ScriptedHttp } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lockKey, thisProcess } from "../src/adapters/sqlite/process-lock.ts";
import { DoctorBench } from "./_doctor-bench.ts";

const NOTHING = "http://127.0.0.1:9";

let bench: DoctorBench;
beforeAll(async () => {
  bench = await DoctorBench.start();
});
afterAll(() => bench[Symbol.asyncDispose]());

describe("the doctor finds and advises on", () => {
  it("a suspended and a deactivated worker", async () => {
    const [owner] = (await bench.rpc("eth_accounts", [])) as readonly string[];
    await bench.sendAs(owner ?? "", "suspendWorker", [bench.wallet.address]);
    const suspended = (await bench.diagnose()).finding("wallet.worker");
    await bench.sendAs(owner ?? "", "reinstateWorker", [bench.wallet.address]);
    await bench.sendAs(bench.wallet.address, "deactivateWorker", []);
    const deactivated = (await bench.diagnose()).finding("wallet.worker");
    await bench.sendAs(bench.wallet.address, "registerWorker", [16]);
    expect(suspended).toMatchObject({ verdict: "fail", detail: "suspended by the subnet's owner" });
    expect(suspended.advice).toContain("ask the owner why");
    expect(deactivated).toMatchObject({ verdict: "fail", detail: "deactivated" });
    expect(deactivated.advice).toContain("wcp register --capacity 16 activates it again");
  });

  it("a wallet that delegates to somebody else's contract", async () => {
    const { address } = bench.wallet;
    await bench.rpc("anvil_setCode", [address, `0xef0100${bench.contracts.multicall3.slice(2)}`]);
    const stranger = (await bench.diagnose()).finding("wallet.delegation");
    const ours = { "ethereum.batch_executor_address": bench.contracts.multicall3 };
    const unused = (await bench.diagnose(ours)).finding("wallet.delegation");
    const used = await bench.diagnose({ ...ours, "tx_policy.batching": true });
    await bench.rpc("anvil_setCode", [address, "0x6000"]);
    const contract = (await bench.diagnose()).finding("wallet.delegation");
    await bench.rpc("anvil_setCode", [address, "0x"]);
    expect(stranger).toMatchObject({
      verdict: "warn",
      detail: expect.stringContaining("which is not ethereum.batch_executor_address"),
    });
    expect(stranger.advice).toContain("wcp delegation revoke");
    expect(unused).toMatchObject({
      verdict: "warn",
      advice: expect.stringContaining("tx_policy.batching is off"),
    });
    expect(used.finding("wallet.delegation")).toMatchObject({ verdict: "ok" });
    expect(used.finding("wallet.batching")).toMatchObject({ verdict: "ok" });
    expect(contract).toMatchObject({
      verdict: "fail",
      detail: expect.stringContaining("this is a contract, not a wallet"),
    });
  });

  it("transactions of the wallet that this database did not make", async () => {
    using store = bench.openDatabase("nonces.db", bench.wallet.address);
    const attempt = {
      txHash: `0x${"a1".repeat(32)}`,
      raw: "0x",
      isNoop: false,
      maxFeePerGasWei: 1n,
      maxPriorityFeePerGasWei: 1n,
      gasLimit: 1n,
      signedAtMs: 0,
    };
    const transaction = {
      nonce: 0,
      kind: "noop",
      intentIds: [],
      attempts: [attempt],
      createdAtMs: 0,
      state: { kind: "signed" },
    } as const;
    await store.saveTransaction({ transaction, attempt });
    await store.saveTransaction({ transaction: { ...transaction, state: { kind: "displaced" } } });
    await bench.rpc("anvil_setNonce", [bench.wallet.address, "0x9"]);
    const { finding } = await bench.diagnose({ "db.path": "nonces.db" });
    expect(finding("wallet.nonces")).toMatchObject({
      verdict: "warn",
      detail: expect.stringContaining("next 9, 0 waiting in the endpoint's pool; this database last used 0"),
      advice: expect.stringContaining("8 transactions of this wallet are not this database's"),
    });
  });

  it("handlers that no WEP has", async () => {
    const before = bench.kinds;
    bench.kinds = [{ kind: "test.echo", version: "2.0.0" }];
    const { finding } = await bench.diagnose();
    bench.kinds = before;
    expect(finding("wep.kinds")).toMatchObject({
      verdict: "fail",
      detail: "no WEP runs test.echo 1.0.0 (queue echo/1.0.0/processing)",
      advice: expect.stringContaining("kind and version must both be the same"),
    });
  });

  it("an admin port that another program has", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const { finding } = await bench.diagnose({ "admin.port": port });
    server.close();
    expect(finding("machine.admin_port")).toMatchObject({
      verdict: "fail",
      detail: `127.0.0.1:${port} cannot be bound (EADDRINUSE)`,
      advice: expect.stringContaining("set admin.port to a free port, or to 0"),
    });
  });

  it("an endpoint that lags behind the others, and one that refuses batches and wide ranges of logs", async () => {
    await using behind = await startAnvil();
    await bench.rpc("anvil_mine", ["0x14"]);
    await using picky = await ScriptedHttp.listen(async ({ body }) => {
      if (Array.isArray(body)) return { kind: "text", text: "no batches", status: 400 };
      const { method, params } = body as { readonly method: string; readonly params: readonly unknown[] };
      const error =
        method === "eth_getLogs"
          ? { code: -32_600, message: "You can make eth_getLogs requests with up to a 10 block range." }
          : method === "eth_feeHistory"
            ? { code: -32_601, message: "the method eth_feeHistory does not exist" }
            : undefined;
      const result = error === undefined ? await bench.rpc(method, params) : undefined;
      return { kind: "json", value: { jsonrpc: "2.0", id: 0, result, error } };
    });
    const { finding, healthy } = await bench.diagnose({
      "ethereum.rpc_url": [bench.anvil.url, behind.url, picky.url],
    });
    expect(healthy).toBe(true);
    expect(finding("rpc[1].head")).toMatchObject({
      verdict: "warn",
      detail: expect.stringMatching(/behind the others$/),
      advice: expect.stringContaining("take its URL out of ethereum.rpc_url until it has caught up"),
    });
    expect(finding("rpc[2].batch")).toMatchObject({
      verdict: "warn",
      detail: expect.stringContaining("refuses batches"),
    });
    expect(finding("rpc[2].logs")).toMatchObject({
      verdict: "warn",
      detail: "answers no logs over 1000 blocks, only over 10",
      advice: expect.stringContaining("set ethereum.log_range_blocks to 10"),
    });
    expect(finding("rpc[2].fees")).toMatchObject({
      verdict: "warn",
      detail: expect.stringContaining("eth_feeHistory fails"),
    });
  });

  it.each([
    ["NoSuchBucket", 404, 'there is no bucket "subnet"'],
    ["InvalidAccessKeyId", 403, "the store does not know WCP__STORAGE__ACCESS_KEY_ID"],
    ["SignatureDoesNotMatch", 403, "correct WCP__STORAGE__SECRET_ACCESS_KEY first"],
    ["RequestTimeTooSkewed", 403, "timedatectl set-ntp true"],
    ["AccessDenied", 403, "grant s3:PutObject and s3:GetObject"],
    ["AuthorizationHeaderMalformed", 400, "correct storage.region"],
  ])("a store that answers %s", async (code, status, advice) => {
    await using store = await ScriptedHttp.listen(({ path }) =>
      path === "/"
        ? { kind: "text", text: "" }
        : { kind: "text", status, text: `<Error><Code>${code}</Code></Error>`, type: "application/xml" },
    );
    const { finding } = await bench.diagnose(
      { "storage.bucket": "subnet", "storage.endpoint": store.url },
      { WCP__STORAGE__ACCESS_KEY_ID: "id", WCP__STORAGE__SECRET_ACCESS_KEY: "the-secret" },
    );
    const found = finding("storage.put_get");
    expect(found).toMatchObject({ verdict: "fail", detail: `PUT is refused: HTTP ${status} ${code}` });
    expect(found.advice).toContain(advice);
  });
});

describe("the doctor", () => {
  it("says that all is well when it is, and why it looked at everything", async () => {
    mkdirSync(join(bench.dir, "well"), { recursive: true });
    const { code, healthy, summary, findings } = await bench.diagnose(
      { "db.path": "well/wcp.db" },
      bench.keystore(),
    );
    expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect([code, healthy]).toEqual([0, true]);
    expect(summary).toMatch(/^All is well: \d+ ok, 0 to look at, 0 wrong, 0 not looked at\.$/);
  });

  it("names the process that holds the lock, and neither takes it nor needs it", async () => {
    const env = { SUBNET_WORKER_LOCK_DIR: join(bench.dir, "locks") };
    const options = { wallet: bench.wallet.address, chainId: 31_337n, env, databaseDir: bench.dir };
    using _running = lockKey(options, thisProcess(Date.UTC(2026, 0, 2)));
    using _database = bench.openDatabase("running.db", bench.wallet.address);
    const { finding, healthy } = await bench.diagnose({ "db.path": "running.db" });
    expect(healthy).toBe(true);
    expect(finding("machine.lock").detail).toContain(`the node is running: process ${process.pid}`);
    expect(finding("machine.lock").detail).toContain("running since 2026-01-02T00:00:00.000Z");
    expect(finding("machine.database").detail).toContain("sound");
  });

  it("skips what cannot be looked at, and says because of what", async () => {
    const { findings, finding } = await bench.diagnose({ "ethereum.rpc_url": NOTHING });
    expect(finding("contracts.code")).toMatchObject({ verdict: "skipped", because: ["rpc.usable"], ms: 0 });
    expect(finding("rpc[0].chain_id").because).toEqual(["rpc[0].answers"]);
    const ids = new Set(findings.map(({ id }) => id));
    expect(ids.size).toBe(findings.length);
  });

  it("shows no secret of a broken configuration, however it prints", async () => {
    const settings = {
      "ethereum.rpc_url": "http://user:hunter2@127.0.0.1:2/v3/0123456789abcdef",
      "ethereum.ws_url": "ws://127.0.0.1:9/0123456789abcdef",
    };
    for (const json of [true, false]) {
      const { out, err } = await bench.run(settings, { json });
      for (const secret of ["hunter2", "0123456789abcdef", bench.wallet.privateKey.slice(2)]) {
        expect(out + err).not.toContain(secret);
      }
    }
  });

  it("prints lines that fit a terminal, advice below what is wrong, and a last line that says where to begin", async () => {
    const { out, code } = await bench.run({ "ethereum.rpc_url": NOTHING }, { json: false });
    expect(code).toBe(1);
    const lines = out.trimEnd().split("\n");
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    expect(out).toMatch(/^RPC endpoints$/m);
    expect(out).toMatch(/^ {2}FAIL {2}127\.0\.0\.1:9 +answers: /m);
    expect(out).toMatch(/^ +-> no node listens there: start it, or correct/m);
    expect(out).toMatch(/^ {2}- {5}not looked at +worker, balance, nonces, delegation; first: /m);
    expect(lines.at(-2)).toMatch(/^The node cannot work like this: \d+ ok, /);
    expect(lines.at(-1)).toBe("Begin with: 127.0.0.1:9 answers.");
    expect(out).not.toContain("\u001b[");
  });
});
