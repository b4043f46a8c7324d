import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestAuthority, type TlsFilePaths, writeCertificate } from "@subnet-worker/testkit/certificates";
import { Wallet } from "ethers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DoctorBench, type Settings } from "./_doctor-bench.ts";

const KEY = "WCP__ETHEREUM__WALLET_PRIVATE_KEY";
const NOTHING = "http://127.0.0.1:9";
const EMPTY_ADDRESS = "0x00000000000000000000000000000000000000aa";

let bench: DoctorBench;
/** Of a certificate that is good for a few days more. */
let brief: TlsFilePaths;

beforeAll(async () => {
  bench = await DoctorBench.start();
  const authority = await TestAuthority.create();
  const certificate = await authority.issue({ names: ["wcp"], validToMs: Date.now() + 5.5 * DAY_MS });
  brief = writeCertificate(bench.dir, "brief", { ...certificate, ca: authority.cert });
});
afterAll(() => bench[Symbol.asyncDispose]());

const DAY_MS = 24 * 60 * 60 * 1_000;

interface Case {
  readonly what: string;
  /** The finding that must tell. */
  readonly id: string;
  readonly verdict: "warn" | "fail";
  readonly settings?: () => Settings;
  readonly env?: () => Readonly<Record<string, string>>;
  readonly detail: string | RegExp;
  readonly advice: string;
}

const CASES: readonly Case[] = [
  {
    what: "a setting that makes no sense",
    id: "configuration.settings",
    verdict: "fail",
    settings: () => ({ "scheduler.max_inflight": "many" }),
    detail: "scheduler.max_inflight: must be a whole number",
    advice: "correct these first",
  },
  {
    what: "a queue that no spec describes",
    id: "configuration.specs",
    verdict: "fail",
    settings: () => ({ "scheduler.queue_name": ["audio/1.0.0/processing"] }),
    detail: "no file in specs.files describes audio/1.0.0/processing",
    advice: "correct specs.files or scheduler.queue_name",
  },
  {
    what: "an endpoint reached in the clear over the internet",
    id: "configuration.transport",
    verdict: "warn",
    settings: () => ({
      "ethereum.rpc_url": [bench.anvil.url, "http://192.0.2.1:8545"],
      "ethereum.rpc_timeout": "100ms",
    }),
    detail: "unencrypted to 192.0.2.1:8545",
    advice: "use https and wss",
  },
  {
    what: "a certificate that ends soon",
    id: "wep.certificates",
    verdict: "warn",
    settings: () => ({
      "wep_tls.ca_file": brief.caFile,
      "wep_tls.cert_file": brief.certFile,
      "wep_tls.key_file": brief.keyFile,
    }),
    detail: "wcp, 5 days left",
    advice: "wcp tls renew",
  },
  {
    what: "an authority that is none",
    id: "wep.certificates",
    verdict: "fail",
    settings: () => ({ "wep_tls.ca_file": brief.certFile }),
    detail: "lacks the CA flag",
    advice: "correct wep_tls",
  },
  {
    what: "no key",
    id: "key.source",
    verdict: "fail",
    env: () => ({ [KEY]: "" }),
    detail: "the wallet has no key",
    advice: "wcp keys new --out wallet.json",
  },
  {
    what: "a raw key",
    id: "key.source",
    verdict: "warn",
    detail: "the raw key is in the environment",
    advice: `wcp keys import --from-env ${KEY}`,
  },
  {
    what: "a key that is none",
    id: "key.opens",
    verdict: "fail",
    env: () => ({ [KEY]: "abc" }),
    detail: "64 hex digits",
    advice: `set ${KEY} to 64 hex digits`,
  },
  {
    what: "a password file that everybody may read",
    id: "key.files",
    verdict: "warn",
    env: () => bench.keystore({ mode: 0o644 }),
    detail: "is open to every user of this machine (mode 0644)",
    advice: "chmod 600 ",
  },
  {
    what: "a keystore that is not there",
    id: "key.files",
    verdict: "fail",
    env: () => ({ ...bench.keystore(), WCP__ETHEREUM__KEYSTORE_FILE: "nowhere.json" }),
    detail: "nowhere.json not found",
    advice: "relative to the configuration file",
  },
  {
    what: "the password of another keystore",
    id: "key.opens",
    verdict: "fail",
    env: () => bench.keystore({ password: "another" }),
    detail: "the password does not open",
    advice: "correct ethereum.keystore_file or the password",
  },
  {
    what: "a database that is damaged",
    id: "machine.database",
    verdict: "fail",
    settings: () => {
      writeFileSync(join(bench.dir, "damaged.db"), "no database ".repeat(500));
      return { "db.path": "damaged.db" };
    },
    detail: "damaged.db",
    advice: "docs/runbooks/lost-database.md",
  },
  {
    what: "the database of another wallet",
    id: "machine.database",
    verdict: "fail",
    settings: () => {
      bench.openDatabase("other.db", EMPTY_ADDRESS)[Symbol.dispose]();
      return { "db.path": "other.db" };
    },
    detail: `belongs to wallet ${EMPTY_ADDRESS} on chain 31337`,
    advice: "set db.path to another file",
  },
  {
    what: "a chain that was reset under the database",
    id: "contracts.genesis",
    verdict: "fail",
    settings: () => {
      using store = bench.openDatabase("reset.db", bench.wallet.address);
      void store.saveGenesisHash(`0x${"12".repeat(32)}`); // on disk when it is closed
      return { "db.path": "reset.db" };
    },
    detail: `the database knows this chain with the first block 0x${"12".repeat(32)}`,
    advice: "move the file at db.path away",
  },
  {
    what: "nothing at the RPC endpoint",
    id: "rpc[0].answers",
    verdict: "fail",
    settings: () => ({ "ethereum.rpc_url": "http://127.0.0.1:2" }),
    detail: "http://127.0.0.1:2",
    advice: "no node listens there: start it, or correct ethereum.rpc_url",
  },
  {
    what: "one of two RPC endpoints that is down, which the node outlives",
    id: "rpc.usable",
    verdict: "warn",
    settings: () => ({ "ethereum.rpc_url": [bench.anvil.url, NOTHING] }),
    detail: "1 of 2",
    advice: "the node works with the others",
  },
  {
    what: "another chain",
    id: "rpc[0].chain_id",
    verdict: "fail",
    settings: () => ({ "ethereum.chain_id": 1 }),
    detail: "serves chain 31337, but ethereum.chain_id is 1",
    advice: "point ethereum.rpc_url at the right network",
  },
  {
    what: "a websocket that is not there",
    id: "ws[0]",
    verdict: "warn",
    settings: () => ({ "ethereum.ws_url": "ws://127.0.0.1:9" }),
    detail: "cannot be opened",
    advice: "the node polls for blocks instead",
  },
  {
    what: "an address without a contract",
    id: "contracts.code",
    verdict: "fail",
    settings: () => ({ "ethereum.task_queue_address": EMPTY_ADDRESS }),
    detail: `no contract at ethereum.task_queue_address (${EMPTY_ADDRESS})`,
    advice: "correct the address",
  },
  {
    what: "one address for two contracts",
    id: "contracts.addresses",
    verdict: "fail",
    settings: () => ({ "ethereum.task_queue_address": bench.contracts.workflowEngine }),
    detail: "are the same address",
    advice: "",
  },
  {
    what: "a workflow engine that is something else",
    id: "contracts.workflow_engine",
    verdict: "fail",
    settings: () => ({ "ethereum.workflow_engine_address": bench.contracts.batchExecutor }),
    detail: "does not answer as a WorkflowEngine does",
    advice: "another contract is there",
  },
  {
    what: "contracts of another version",
    id: "contracts.control_plane",
    verdict: "fail",
    settings: () => ({ "protocol.contract_min": "0.3.0", "protocol.contract_max": "0.4.0" }),
    detail: "the contracts have protocol version 0.2.0",
    advice: "upgrade the node",
  },
  {
    what: "a wallet that is not registered",
    id: "wallet.worker",
    verdict: "fail",
    env: () => ({ [KEY]: Wallet.createRandom().privateKey }),
    detail: "not registered",
    advice: "wcp register --capacity 16",
  },
  {
    what: "a capacity below what the node wants",
    id: "wallet.worker",
    verdict: "warn",
    settings: () => ({ "scheduler.max_inflight": 40 }),
    detail: "active, holds 0 of 16",
    advice: "wcp register --capacity 40",
  },
  {
    what: "a wallet without funds",
    id: "wallet.balance",
    verdict: "fail",
    env: () => ({ [KEY]: Wallet.createRandom().privateKey }),
    detail: "0, enough for about 0 activities",
    advice: "of the chain's coin to 0x",
  },
  {
    what: "a balance below what the operator wants to be told of",
    id: "wallet.balance",
    verdict: "warn",
    settings: () => ({ "tx_policy.low_balance_gwei": 2_000_000_000_000 }),
    detail: /^99\d\.\d+, enough for over a million activities/,
    advice: "docs/runbooks/low-balance.md",
  },
  {
    what: "batching through an empty address",
    id: "wallet.batching",
    verdict: "fail",
    settings: () => ({ "tx_policy.batching": true, "ethereum.batch_executor_address": EMPTY_ADDRESS }),
    detail: `no contract at ethereum.batch_executor_address (${EMPTY_ADDRESS})`,
    advice: "correct the address",
  },
  {
    what: "a WEP that is not there",
    id: "wep[0].reachable",
    verdict: "fail",
    settings: () => ({ wep_grpc_endpoint: NOTHING }),
    detail: "ECONNREFUSED",
    advice: "start it (wep run --handlers ./handlers.ts)",
  },
  {
    what: "something else in the WEP's place",
    id: "wep[0].handshake",
    verdict: "fail",
    settings: () => ({ wep_grpc_endpoint: bench.anvil.url }),
    detail: "",
    advice: "not its health port (7071)",
  },
  {
    what: "a store that is not there",
    id: "storage.endpoint",
    verdict: "fail",
    settings: () => ({ "storage.bucket": "subnet", "storage.endpoint": "http://127.0.0.1:2" }),
    env: () => ({ WCP__STORAGE__ACCESS_KEY_ID: "id", WCP__STORAGE__SECRET_ACCESS_KEY: "secret" }),
    detail: /./,
    advice: "nothing answers at storage.endpoint (http://127.0.0.1:2)",
  },
];

it.each(CASES)(
  "the doctor finds and advises on $what",
  async ({ id, verdict, settings, env, detail, advice }) => {
    const { finding, healthy, code } = await bench.diagnose(settings?.(), env?.());
    const found = finding(id);
    expect(found.verdict).toBe(verdict);
    expect(found.detail).toMatch(typeof detail === "string" ? new RegExp(escaped(detail)) : detail);
    expect(found.advice).toContain(advice);
    if (verdict === "fail") expect([healthy, code]).toEqual([false, 1]);
  },
);

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
