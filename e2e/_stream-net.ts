import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { taskQueueInterface } from "@subnet-worker/contracts";
import { auditChain, type Audit, readOpenWork } from "./_chaos-audit.ts";
import { makeLeakProbe, type LeakProbe } from "./_leak-probe.ts";
import { parseMetrics } from "./_prometheus.ts";
import { freePort } from "./_rpc-proxy.ts";
import { type StreamProxy, startStreamProxy } from "./_stream-proxy.ts";
import {
  type Requester,
  startTaskChain,
  TALLY_HANDLERS,
  TALLY_QUEUE,
  TALLY_SPEC_PATH,
  type TaskChain,
} from "./_task-chain.ts";
import { until } from "./_until.ts";
import { configWith, makeWcp, wcpConfig, type WcpHome, type WcpProcess } from "./_wcp.ts";
import { startWep, type WepProcess } from "./_wep.ts";

export interface StreamNetOptions {
  readonly weps: number;
  /** Of each WEP. */
  readonly slots: number;
  /** A module with a handler for `test.tally`. Default {@link TALLY_HANDLERS}. */
  readonly handlers?: string;
  /** Most activities of the node at once. */
  readonly maxInflight: number;
  readonly leaseDurationS?: number;
  readonly blockTimeS?: number;
  /** Whether the WCP puts many transactions into one. */
  readonly batching?: boolean;
  /** WEPs from this one on are not in the WCP's configuration. Default: all are. */
  readonly configured?: number;
  /** Laid over the WCP's configuration. */
  readonly changes?: Parameters<typeof configWith>[1];
  readonly wepEnv?: Readonly<Record<string, string>>;
}

/** A place for a WEP, with a way to it that never changes. */
export interface WepSeat {
  readonly port: number;
  readonly proxy: StreamProxy;
  readonly probe: LeakProbe;
  /** The last that was started. */
  readonly wep: WepProcess;
  start(): Promise<WepProcess>;
  /** All that ever sat here have logged. */
  lines(): ReturnType<WepProcess["lines"]>;
}

/** A chain, one WCP, and its WEPs behind proxies. */
export interface StreamNet extends AsyncDisposable {
  readonly dir: string;
  readonly chain: TaskChain;
  readonly requester: Requester;
  readonly wallet: string;
  readonly seats: readonly WepSeat[];
  readonly home: WcpHome;
  readonly wcpProbe: LeakProbe;
  /** The last that was started. */
  readonly wcp: WcpProcess;
  startWcp(): Promise<WcpProcess>;
  /** Activities that the chain has as completed. */
  completed(): Promise<number>;
  untilCompleted(count: number, withinMs?: number): Promise<void>;
  /** How often each activity's handler was begun, by the activity's number. */
  starts(): ReadonlyMap<number, number>;
  /** A sample of the WCP's metrics, by its series. */
  metric(series: string): Promise<number>;
  /** The WCP has nothing left to do. */
  untilIdle(): Promise<void>;
  audit(): Promise<Audit>;
}

export async function startStreamNet(options: StreamNetOptions): Promise<StreamNet> {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "stream-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const { leaseDurationS = 600, blockTimeS } = options;
  const chain = stack.use(
    await startTaskChain({ leaseDurationS, ...(blockTimeS === undefined ? {} : { blockTimeS }) }),
  );
  const [wallet, requester] = await Promise.all([chain.worker(), chain.requester()]);
  const tallyFile = join(dir, "tally.txt");
  writeFileSync(tallyFile, "");
  const seats: WepSeat[] = [];
  for (let index = 0; index < options.weps; index += 1) {
    const seat = await makeSeat({ ...options, dir, tallyFile, name: `wep-${index}` });
    stack.use(seat);
    seats.push(seat);
  }
  const wcpProbe = makeLeakProbe(dir, "wcp");
  const env = { WCP__ETHEREUM__WALLET_PRIVATE_KEY: wallet.privateKey, ...wcpProbe.env };
  const home = makeWcp({ dir, config: netConfig(chain, seats, options), env });
  let wcp: WcpProcess | undefined;
  stack.defer(async () => wcp?.[Symbol.asyncDispose]());
  const countCompleted = () => completedOn(chain);
  const current = () => {
    if (wcp === undefined) throw new Error("start the WCP first");
    return wcp;
  };
  const owned = stack.move();
  return {
    dir,
    chain,
    requester,
    wallet: wallet.address,
    seats,
    home,
    wcpProbe,
    get wcp() {
      return current();
    },
    async startWcp() {
      wcp = await home.start();
      return wcp;
    },
    completed: countCompleted,
    untilCompleted: (count, withinMs = 120_000) =>
      until(`${count} to be completed`, async () => (await countCompleted()) >= count, {
        withinMs,
        instead: () => story(current(), seats),
      }).then(() => undefined),
    starts: () => startsIn(tallyFile),
    async metric(series) {
      const text = await (await fetch(`${await current().adminUrl()}/metrics`)).text();
      return parseMetrics(text).find(({ name, labels }) => seriesOf(name, labels) === series)?.value ?? 0;
    },
    async untilIdle() {
      const isIdle = () => {
        const { tasks, intents, transactions } = readOpenWork(join(home.dir, "wcp.sqlite"));
        return tasks + intents + transactions === 0;
      };
      await until("the WCP to have nothing left to do", isIdle, { instead: () => story(current(), seats) });
    },
    audit: () => auditChain({ chain, wallet: wallet.address, tallyFile }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function seriesOf(name: string, labels: string): string {
  return labels === "" ? name : `${name}{${labels}}`;
}

function story(wcp: WcpProcess, seats: readonly WepSeat[]): string {
  return [wcp, ...seats.map(({ wep }) => wep)]
    .map((process) => (process.stdout() + process.stderr()).slice(-3_000))
    .join("\n---\n");
}

async function makeSeat(options: {
  readonly dir: string;
  readonly name: string;
  readonly tallyFile: string;
  readonly slots: number;
  readonly handlers?: string;
  readonly wepEnv?: Readonly<Record<string, string>>;
}): Promise<WepSeat & AsyncDisposable> {
  const { dir, name, tallyFile, slots, handlers = TALLY_HANDLERS, wepEnv = {} } = options;
  const port = await freePort();
  const proxy = await startStreamProxy(port);
  const probe = makeLeakProbe(dir, name);
  const env = {
    TALLY_FILE: tallyFile,
    WEP__RUNTIME__MAX_CONCURRENCY: String(slots),
    ...probe.env,
    ...wepEnv,
  };
  const lives: WepProcess[] = [];
  return {
    port,
    proxy,
    probe,
    get wep() {
      const last = lives.at(-1);
      if (last === undefined) throw new Error(`${name} was never started`);
      return last;
    },
    async start() {
      const wep = await startWep({ handlers, port, env });
      lives.push(wep);
      await wep.healthUrl();
      return wep;
    },
    lines: () => lives.flatMap((wep) => wep.lines()),
    async [Symbol.asyncDispose]() {
      await Promise.all(lives.map((wep) => wep[Symbol.asyncDispose]()));
      await proxy[Symbol.asyncDispose]();
    },
  };
}

function netConfig(chain: TaskChain, seats: readonly WepSeat[], options: StreamNetOptions) {
  const { configured = seats.length, maxInflight, batching = false, changes = {} } = options;
  const [first, ...more] = seats.slice(0, configured).map(({ proxy }) => proxy.url);
  const base = configWith(wcpConfig(chain.facts, first ?? "", TALLY_SPEC_PATH), {
    wep_grpc_endpoint: [first ?? "", ...more],
    scheduler: { queue_name: [TALLY_QUEUE], max_inflight: maxInflight },
    ethereum: batching ? { batch_executor_address: chain.facts.batchExecutor } : {},
    tx_policy: { batching },
  });
  return configWith(base, changes);
}

const COMPLETED_TOPIC = taskQueueInterface.getEvent("ActivityCompleted")?.topicHash;

async function completedOn(chain: TaskChain): Promise<number> {
  const filter = { address: chain.facts.taskQueue, fromBlock: "0x0", topics: [COMPLETED_TOPIC] };
  return ((await chain.anvil.rpc("eth_getLogs", [filter])) as readonly unknown[]).length;
}

function startsIn(tallyFile: string): ReadonlyMap<number, number> {
  const starts = new Map<number, number>();
  for (const line of readFileSync(tallyFile, "utf8").trim().split("\n")) {
    if (line !== "") starts.set(Number(line), (starts.get(Number(line)) ?? 0) + 1);
  }
  return starts;
}
