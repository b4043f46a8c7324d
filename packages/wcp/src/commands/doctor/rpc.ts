import { asLogRangeTooWide } from "../../adapters/rpc/log-range.ts";
import { type JsonRpc, redactUrl } from "../../adapters/rpc/json-rpc.ts";
import { RpcError } from "../../adapters/rpc/rpc-error.ts";
import { parseBlock, parseQuantity, toQuantity } from "../../adapters/rpc/wire.ts";
import type { Block } from "../../chain-ports.ts";
import { formatAge } from "../table.ts";
import { fail, ok, type Outcome, reasonOf, warn } from "./check.ts";
import type { Patient } from "./patient.ts";

const LATENCY_CALLS = 5;
const SLOW_MS = 1_000;
const OLD_BLOCK_MS = 60_000;
/** An endpoint this far behind the others sees activities when somebody else has them. */
const BEHIND_BLOCKS = 5;
const SKEW_MS = 15_000;
/** Blocks that are mined when there is something to mine: their age says nothing. */
const DEVELOPMENT_CHAINS: ReadonlySet<number> = new Set([1_337, 31_337]);

interface Examined {
  readonly rpc: JsonRpc;
  readonly subject: string;
  readonly index: number;
  /** Newest block, once it was seen. */
  newest: Block | undefined;
  latencyMs: number | undefined;
}

/** Every endpoint by itself. Resolves with those that can be used. */
export async function examineRpc(patient: Patient): Promise<readonly JsonRpc[]> {
  const { exam, config } = patient;
  const examined = patient.endpoints.map((rpc, index): Examined => {
    const { host } = new URL(config.ethereum.rpc_url[index] ?? "");
    const subject = patient.endpoints.length === 1 ? host : `${index + 1}. ${host}`;
    return { rpc, subject, index, newest: undefined, latencyMs: undefined };
  });
  await Promise.all(examined.map((endpoint) => examineBasics(patient, endpoint)));
  const usable: Examined[] = [];
  for (const endpoint of examined) {
    if (await exam.passed(idOf(endpoint, "answers"), idOf(endpoint, "chain_id"))) usable.push(endpoint);
  }
  const newest = Math.max(...examined.map((endpoint) => endpoint.newest?.number ?? 0));
  for (const endpoint of examined) examineDepth(patient, endpoint, newest);
  examineWebsockets(patient);
  void exam.check({
    id: "rpc.usable",
    group: "rpc",
    title: "usable endpoints",
    run: () => countUsable(patient, usable.length),
  });
  void exam.check({
    id: "rpc.clock",
    group: "rpc",
    title: "clock",
    needs: ["rpc.usable"],
    run: () => compareClocks(patient, usable),
  });
  return usable.map(({ rpc }) => rpc);
}

function idOf({ index }: Examined, name: string): string {
  return `rpc[${index}].${name}`;
}

/** One of several that fails is a matter for later; the only one is not. */
function severity(patient: Patient): (detail: string, advice: string) => Outcome {
  const isOnly = patient.endpoints.length === 1;
  return isOnly ? fail : (detail, advice) => ({ ...warn(detail, advice), isBlocking: true });
}

async function examineBasics(patient: Patient, endpoint: Examined): Promise<void> {
  const { exam, config } = patient;
  const { rpc, subject } = endpoint;
  const bad = severity(patient);
  let chainId: bigint | undefined;
  const common = { group: "rpc", subject } as const;
  void exam.check({
    ...common,
    id: idOf(endpoint, "answers"),
    title: "answers",
    run: async () => {
      try {
        chainId = parseQuantity(await rpc.once("eth_chainId", []), "chain id");
        return ok("answers");
      } catch (error) {
        return bad(reasonOf(error), deadAdvice(config.ethereum.rpc_url[endpoint.index] ?? "", error));
      }
    },
  });
  void exam.check({
    ...common,
    id: idOf(endpoint, "chain_id"),
    title: "chain id",
    needs: [idOf(endpoint, "answers")],
    run: () =>
      chainId === BigInt(config.ethereum.chain_id)
        ? ok(`chain ${chainId}`)
        : bad(
            `serves chain ${chainId}, but ethereum.chain_id is ${config.ethereum.chain_id}`,
            "the node never signs for another chain: point ethereum.rpc_url at the right network, or correct ethereum.chain_id",
          ),
  });
  await exam.check({
    ...common,
    id: idOf(endpoint, "latency"),
    title: "latency",
    needs: [idOf(endpoint, "answers")],
    run: () => measureLatency(patient, endpoint),
  });
}

function deadAdvice(url: string, error: unknown): string {
  if (error instanceof RpcError)
    return "it answers with an error of its own: check the key in ethereum.rpc_url and the plan it belongs to";
  const { hostname } = new URL(url);
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  return isLocal
    ? "no node listens there: start it, or correct ethereum.rpc_url"
    : "the endpoint is down, or this machine cannot reach it: check ethereum.rpc_url, then the network with curl";
}

async function measureLatency({ io }: Patient, endpoint: Examined): Promise<Outcome> {
  const times: number[] = [];
  for (let call = 0; call < LATENCY_CALLS; call += 1) {
    const startMs = io.clock.monotonicMs();
    endpoint.newest = parseBlock(await endpoint.rpc.once("eth_getBlockByNumber", ["latest", false]));
    times.push(io.clock.monotonicMs() - startMs);
  }
  const p50 = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  endpoint.latencyMs = p50;
  const detail = `${p50 < 10 ? p50.toFixed(1) : Math.round(p50)} ms per call`;
  return p50 > SLOW_MS
    ? warn(detail, "claims are lost to workers with a faster endpoint: use one nearer to this machine")
    : ok(detail);
}

function examineDepth(patient: Patient, endpoint: Examined, newest: number): void {
  const { exam } = patient;
  const common = { group: "rpc", subject: endpoint.subject, needs: [idOf(endpoint, "chain_id")] } as const;
  const checks: readonly [string, string, () => Outcome | Promise<Outcome>][] = [
    ["head", "newest block", () => lookAtHead(patient, endpoint, newest)],
    ["batch", "batches", () => lookAtBatches(patient, endpoint)],
    ["logs", "eth_getLogs", () => lookAtLogs(patient, endpoint)],
    ["fees", "eth_feeHistory", () => lookAtFees(endpoint)],
  ];
  for (const [name, title, run] of checks) {
    void exam.check({ ...common, id: idOf(endpoint, name), title, run });
  }
}

async function lookAtHead({ io, config }: Patient, endpoint: Examined, newest: number): Promise<Outcome> {
  const head = endpoint.newest;
  if (head === undefined)
    return fail("no newest block", "the endpoint is no node's: correct ethereum.rpc_url");
  const behind = newest - head.number;
  if (behind > BEHIND_BLOCKS) {
    return warn(
      `block ${head.number}, ${behind} behind the others`,
      "it is still syncing or has stopped: look at that node, and take its URL out of ethereum.rpc_url until it has caught up",
    );
  }
  if (DEVELOPMENT_CHAINS.has(config.ethereum.chain_id)) return ok(`block ${head.number}`);
  const ageMs = io.clock.nowMs() - head.timestampS * 1_000;
  const detail = `block ${head.number}, ${formatAge(ageMs)} old`;
  return ageMs > Math.max(OLD_BLOCK_MS, 10 * (await blockTimeMs(endpoint, head)))
    ? warn(
        detail,
        "the chain stands still, or this endpoint does: compare with a block explorer, and use another endpoint if it is only this one",
      )
    : ok(detail);
}

async function blockTimeMs({ rpc }: Examined, head: Block): Promise<number> {
  const back = Math.min(20, head.number);
  if (back === 0) return 0;
  const older = parseBlock(await rpc.once("eth_getBlockByNumber", [toQuantity(head.number - back), false]));
  return ((head.timestampS - older.timestampS) * 1_000) / back;
}

const BATCH = ["eth_chainId", "eth_blockNumber"].map((method, id) => ({
  jsonrpc: "2.0",
  id,
  method,
  params: [],
}));

/** Without the client, which gets over a refusal by itself. */
async function lookAtBatches({ config }: Patient, { index }: Examined): Promise<Outcome> {
  const url = new URL(config.ethereum.rpc_url[index] ?? "");
  const { username, password } = url;
  url.username = "";
  url.password = "";
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(username === "" ? {} : { authorization: `Basic ${credentials.toString("base64")}` }),
    },
    body: JSON.stringify(BATCH),
    signal: AbortSignal.timeout(config.ethereum.rpc_timeout),
  });
  const answers = parseReply(await response.text());
  return Array.isArray(answers) && answers.length === BATCH.length
    ? ok("batches")
    : warn(
        `refuses batches (HTTP ${response.status})`,
        "the node sends call by call there, which costs time and requests; choose an endpoint with batches for a busy node",
      );
}

async function lookAtLogs({ config }: Patient, { rpc, newest }: Examined): Promise<Outcome> {
  const { log_range_blocks: range, task_queue_address: address } = config.ethereum;
  const toBlock = newest?.number ?? 0;
  const fromBlock = Math.max(0, toBlock - range + 1);
  try {
    await rpc.once("eth_getLogs", [
      { address, fromBlock: toQuantity(fromBlock), toBlock: toQuantity(toBlock) },
    ]);
    return ok(`logs over ${toBlock - fromBlock + 1} blocks`);
  } catch (error) {
    const tooWide = error instanceof RpcError ? asLogRangeTooWide(error) : undefined;
    if (tooWide === undefined) {
      return warn(
        `eth_getLogs fails: ${reasonOf(error)}`,
        "activities are then found by polling alone; use an endpoint that serves logs",
      );
    }
    const { maxBlocks } = tooWide;
    return warn(
      `answers no logs over ${range} blocks${maxBlocks === undefined ? "" : `, only over ${maxBlocks}`}`,
      `the node finds a range that works; set ethereum.log_range_blocks to ${maxBlocks ?? "a lower number"} to spare it the search`,
    );
  }
}

async function lookAtFees({ rpc, newest }: Examined): Promise<Outcome> {
  const isLegacy = newest?.baseFeePerGasWei === 0n;
  try {
    await rpc.once("eth_feeHistory", ["0x5", "latest", [50]]);
    return ok("fee history");
  } catch (error) {
    if (isLegacy) return ok("legacy fees");
    return warn(
      `eth_feeHistory fails: ${reasonOf(error)}`,
      "the node falls back to eth_maxPriorityFeePerGas, and pays what one node suggests; prefer an endpoint that has it",
    );
  }
}

function countUsable({ endpoints, config }: Patient, usable: number): Outcome {
  if (usable === 0) {
    return fail(
      `none of ${endpoints.length}`,
      "without an endpoint the node claims nothing, and its leases run out: repair one of those above; docs/runbooks/rpc-down.md",
    );
  }
  const detail = `${usable} of ${endpoints.length}`;
  if (usable < endpoints.length) {
    return warn(detail, "the node works with the others; repair it, or take it out of ethereum.rpc_url");
  }
  return endpoints.length === 1 && !DEVELOPMENT_CHAINS.has(config.ethereum.chain_id)
    ? warn(
        detail,
        "when it fails, the node stands still: add a second one of another provider to ethereum.rpc_url",
      )
    : ok(detail);
}

function compareClocks({ io, config }: Patient, usable: readonly Examined[]): Outcome {
  const newest = usable.map(({ newest: block }) => block).filter((block) => block !== undefined);
  const aheadMs = Math.max(...newest.map(({ timestampS }) => timestampS * 1_000)) - io.clock.nowMs();
  if (aheadMs > SKEW_MS) {
    const cause = DEVELOPMENT_CHAINS.has(config.ethereum.chain_id)
      ? "unless the chain's time was set forward, "
      : "";
    return warn(
      `the newest block is ${formatAge(aheadMs)} in this machine's future`,
      `${cause}this machine's clock is slow: leases seem longer than they are, and signed URLs are refused. Turn on time synchronisation: timedatectl set-ntp true`,
    );
  }
  return ok("no block is from this machine's future");
}

const WS_TIMEOUT_MS = 5_000;

function examineWebsockets({ exam, config, io }: Patient): void {
  for (const [index, url] of config.ethereum.ws_url.entries()) {
    void exam.check({
      id: `ws[${index}]`,
      group: "rpc",
      title: `websocket ${new URL(url).host}`,
      run: async () => {
        const problem = await websocketProblem(url, { clock: io.clock, chainId: config.ethereum.chain_id });
        return problem === undefined
          ? ok("pushes new blocks")
          : warn(
              `${redactUrl(url)}: ${problem}`,
              "the node polls for blocks instead, every ethereum.head_poll_interval: correct ethereum.ws_url, or take it out",
            );
      },
    });
  }
}

/** Asks for the chain's id and for new blocks, and looks that both are granted. */
function websocketProblem(
  url: string,
  { clock, chainId }: { readonly clock: Patient["io"]["clock"]; readonly chainId: number },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    const end = (problem: string | undefined) => {
      timer[Symbol.dispose]();
      resolve(problem);
      socket.close();
    };
    const timer = clock.timer(WS_TIMEOUT_MS, () => end(`no answer within ${WS_TIMEOUT_MS / 1_000} s`));
    const send = (id: number, method: string, params: readonly unknown[]) =>
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    socket.addEventListener("open", () => send(1, "eth_chainId", []));
    socket.addEventListener("error", () => end("cannot be opened"));
    socket.addEventListener("close", () => end("closes the connection"));
    socket.addEventListener("message", (event) => {
      const { id, result, error } = parseReply(event.data);
      if (id === 1 && Number(result) !== chainId) end(`serves chain ${Number(result)}, not ${chainId}`);
      else if (id === 1) send(2, "eth_subscribe", ["newHeads"]);
      else if (id === 2)
        end(
          error === undefined ? undefined : `grants no subscription (${JSON.stringify(error).slice(0, 100)})`,
        );
    });
  });
}

function parseReply(data: unknown): {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
} {
  try {
    return JSON.parse(String(data)) as object;
  } catch {
    return {}; // no answer to anything that was asked
  }
}
