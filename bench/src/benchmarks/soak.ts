import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { taskQueueReads } from "@subnet-worker/contracts";
import { readOpenWork } from "@subnet-worker/e2e/lab/chaos-audit";
import { type Life, startLife } from "@subnet-worker/e2e/lab/life";
import { createRandom } from "@subnet-worker/e2e/lab/random";
import { type FaultyRpc, startFaultyRpc } from "@subnet-worker/e2e/lab/rpc-faults";
import { freePort } from "@subnet-worker/e2e/lab/rpc-proxy";
import {
  type Requester,
  startTaskChain,
  TALLY_HANDLERS,
  TALLY_QUEUE,
  TALLY_SPEC_PATH,
  type TaskChain,
} from "@subnet-worker/e2e/lab/task-chain";
import { until } from "@subnet-worker/e2e/lab/until";
import { configWith, makeWcp, wcpConfig } from "@subnet-worker/e2e/lab/wcp";
import { systemClock } from "@subnet-worker/kit";
import type { Benchmark, Report } from "../benchmark.ts";
import { residentMb } from "../process-memory.ts";
import { round } from "../report.ts";

/** `SOAK_ACTIVITIES` shortens a try; figures worth keeping come from the default. */
const ACTIVITIES = Number(process.env["SOAK_ACTIVITIES"] ?? 20_000);
const FIRST = Math.min(1_000, ACTIVITIES);
const SLOTS = 64;
const BACKLOG = 2_000;
const PORTION = 500;
/** Blocks that hold many of our single transactions, or the chain would be what is measured. */
const BLOCK_GAS = 200_000_000;
const IDLE_MS = Number(process.env["SOAK_IDLE_MS"] ?? 150_000);
const SETTLE_MS = 15_000;
const SAMPLE_MS = 1_000;
const STUCK_MS = 120_000;

/** The whole node for a long time, then with nothing to do. */
export const benchmark: Benchmark = {
  about: "memory of the WCP over 20,000 activities, and its RPC calls per minute when idle",
  run,
};

interface SoakedNode {
  readonly chain: TaskChain;
  readonly requester: Requester;
  readonly wcp: Life;
  readonly rpc: FaultyRpc;
  readonly database: string;
}

interface Memory {
  readonly afterFirstMb: number;
  readonly afterAllMb: number;
  readonly highestMb: number;
  readonly seconds: number;
}

async function run(): Promise<Report> {
  const dir = await mkdtemp(join(tmpdir(), "bench-soak-"));
  await using stack = new AsyncDisposableStack();
  buildPrograms();
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const node = await startNode(dir, stack);
  const memory = await work(node);
  const idle = await idleCalls(node);
  return toReport(memory, idle);
}

/** What its users run: the sources would cost 15 MB for the compiler that strips their types. */
function buildPrograms(): void {
  const references = ["../../../packages/wcp", "../../../packages/wep"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const { status, error, stdout } = spawnSync("tsc", ["-b", ...references], { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`the programs cannot be built:\n${stdout}`);
}

async function startNode(dir: string, stack: AsyncDisposableStack): Promise<SoakedNode> {
  const args = ["--gas-limit", String(BLOCK_GAS), "--prune-history"];
  const chain = stack.use(await startTaskChain({ blockTimeS: 1, args }));
  const rpc = stack.use(await startFaultyRpc(chain.facts.rpcUrl, createRandom(1)));
  const [wallet, requester, port] = await Promise.all([chain.worker(), chain.requester(), freePort()]);
  const start = (options: Pick<Parameters<typeof startLife>[0], "program" | "args" | "env">) => {
    const life = startLife({
      ...options,
      isBuilt: true,
      cwd: dir,
      logPath: join(dir, `${options.program}.log`),
    });
    stack.defer(async () => {
      life.signal("SIGKILL");
      await life.ended;
    });
    return life;
  };
  start({
    program: "wep",
    args: ["run", "--handlers", TALLY_HANDLERS, "--port", String(port), "--health-port", "0"],
    env: { WEP__RUNTIME__MAX_CONCURRENCY: String(SLOTS) },
  });
  const env = {
    WCP__ETHEREUM__WALLET_PRIVATE_KEY: wallet.privateKey,
    SUBNET_WORKER_LOCK_DIR: join(dir, "locks"),
  };
  const home = makeWcp({ dir, env, config: configOf(chain, { rpcUrl: rpc.url, port }) });
  const wcp = start({ program: "wcp", args: ["run", "--config", home.configPath], env });
  return { chain, requester, wcp, rpc, database: join(home.dir, "wcp.sqlite") };
}

/** The defaults of the node, with room for more at once. */
function configOf(chain: TaskChain, { rpcUrl, port }: { readonly rpcUrl: string; readonly port: number }) {
  return configWith(wcpConfig(chain.facts, `http://127.0.0.1:${port}`, TALLY_SPEC_PATH), {
    ethereum: { rpc_url: rpcUrl, ws_url: undefined, head_poll_interval: undefined },
    scheduler: { queue_name: [TALLY_QUEUE], max_inflight: SLOTS * 4, poll_interval: undefined },
    tx_policy: { max_pending: SLOTS * 4 },
    log: { level: "warn" },
  });
}

async function work(node: SoakedNode): Promise<Memory> {
  const startMs = systemClock.monotonicMs();
  let enqueued = 0;
  let afterFirstMb: number | undefined;
  let highestMb = 0;
  let progress = { completed: 0, atMs: startMs };
  while (progress.completed < ACTIVITIES) {
    if (enqueued < Math.min(ACTIVITIES, progress.completed + BACKLOG)) {
      enqueued += await enqueuePortion(node.requester, enqueued);
    }
    await systemClock.sleep(SAMPLE_MS);
    if (node.wcp.isOver) throw new Error(`the WCP ended by itself: ${String(await node.wcp.ended)}`);
    const mb = residentMb(node.wcp.pid);
    highestMb = Math.max(highestMb, mb);
    const completed = await countCompleted(node.chain, enqueued);
    const nowMs = systemClock.monotonicMs();
    if (completed > progress.completed) progress = { completed, atMs: nowMs };
    if (completed >= FIRST) afterFirstMb ??= mb;
    if (nowMs - progress.atMs > STUCK_MS)
      throw new Error(`nothing was completed for ${STUCK_MS / 1_000} s, after ${completed} activities`);
  }
  return {
    afterFirstMb: afterFirstMb ?? Number.NaN,
    afterAllMb: residentMb(node.wcp.pid),
    highestMb,
    seconds: (systemClock.monotonicMs() - startMs) / 1_000,
  };
}

async function enqueuePortion(requester: Requester, from: number): Promise<number> {
  const count = Math.min(PORTION, ACTIVITIES - from);
  await requester.enqueue(
    Array.from({ length: count }, (_, index) => ({ number: from + index, durationMs: 0 })),
  );
  await requester.untilMined();
  return count;
}

/** What is neither waiting nor leased is settled; that it is settled with success is the node's e2e tests' to show. */
async function countCompleted(chain: TaskChain, enqueued: number): Promise<number> {
  const read = taskQueueReads(chain.facts.taskQueue).getQueueDepth(TALLY_QUEUE, 0);
  // Anvil without history fails a call that a block overtakes.
  const call = () => chain.anvil.rpc("eth_call", [{ to: read.to, data: read.data }, "latest"]);
  const answer = await call().catch(call);
  const { waiting, leased } = read.decode(String(answer));
  return enqueued - waiting - leased;
}

interface Idle {
  readonly perMinute: number;
  /** Per minute, most frequent first. */
  readonly byMethod: readonly (readonly [string, number])[];
}

/** Counts calls, not HTTP requests: several calls in one request are several. */
async function idleCalls({ rpc, database }: SoakedNode): Promise<Idle> {
  await until(
    "the node to have nothing to do",
    () => Object.values(readOpenWork(database)).every((count) => count === 0),
    { withinMs: 60_000, instead: () => JSON.stringify(readOpenWork(database)) },
  );
  await systemClock.sleep(SETTLE_MS);
  const before = new Map(rpc.calls);
  await systemClock.sleep(IDLE_MS);
  const byMethod = [...rpc.calls]
    .map(([method, count]) => [method, ((count - (before.get(method) ?? 0)) * 60_000) / IDLE_MS] as const)
    .filter(([, count]) => count > 0)
    .toSorted((a, b) => b[1] - a[1]);
  return { perMinute: byMethod.reduce((sum, [, count]) => sum + count, 0), byMethod };
}

function toReport(memory: Memory, idle: Idle): Report {
  const methods = idle.byMethod.map(([method, count]) => `${method} ${round(count, 1)}`).join(", ");
  return {
    rows: [
      {
        what: `RSS of the WCP after ${FIRST} activities`,
        value: `${round(memory.afterFirstMb, 1)} MB`,
        beside: "limit 150 MB",
      },
      {
        what: `RSS of the WCP after ${ACTIVITIES}`,
        value: `${round(memory.afterAllMb, 1)} MB`,
        beside: "limit 150 MB",
      },
      {
        what: "highest in between",
        value: `${round(memory.highestMb, 1)} MB`,
        beside: "looked at each second",
      },
      {
        what: "activities",
        value: `${round(ACTIVITIES / memory.seconds, 1)}/s`,
        beside: `blocks of 1 s, ${SLOTS} slots, single transactions`,
      },
      {
        what: "idle RPC calls per minute",
        value: `${round(idle.perMinute, 1)}`,
        beside: `limit 90; no websocket, blocks of 1 s, over ${IDLE_MS / 1_000} s: ${methods}`,
      },
    ],
    metrics: {
      activities: ACTIVITIES,
      rss_mb_after_1k: round(memory.afterFirstMb, 1),
      rss_mb_after_20k: round(memory.afterAllMb, 1),
      rss_mb_highest: round(memory.highestMb, 1),
      activities_per_s: round(ACTIVITIES / memory.seconds, 1),
      idle_rpc_per_min: round(idle.perMinute, 1),
    },
  };
}
