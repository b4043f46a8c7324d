import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@subnet-worker/kit";
import { auditChain, type Audit, type OpenWork, readOpenWork } from "./_chaos-audit.ts";
import { type Death, MortalNode } from "./_chaos-node.ts";
import { type ChaosPlan, type ChaosSize, drawSpell, planChaos, type Round } from "./_chaos-plan.ts";
import { type Life, startLife } from "./_life.ts";
import { createRandom, type Random } from "./_random.ts";
import { reorgChain } from "./_reorg.ts";
import { FAIR, type FaultyRpc, startFaultyRpc } from "./_rpc-faults.ts";
import { freePort } from "./_rpc-proxy.ts";
import {
  type Requester,
  startTaskChain,
  TALLY_HANDLERS,
  TALLY_QUEUE,
  TALLY_SPEC_PATH,
  type TaskChain,
} from "./_task-chain.ts";
import { until } from "./_until.ts";
import { configWith, makeWcp, type TestWallet, type WcpHome, wcpConfig } from "./_wcp.ts";

export interface ChaosOptions extends ChaosSize {
  readonly seed: number;
  /** Whether the node puts many intents into one transaction. */
  readonly batching: boolean;
  /** For logs, the database and the plan. */
  readonly dir: string;
  /** How long what is left after the last kill may take. */
  readonly finishWithinMs: number;
  /** Told how far it is. */
  readonly say: (line: string) => void;
}

export interface ChaosResult extends Audit, StormResult {
  readonly kills: number;
  readonly dbDeletions: number;
  readonly reorgs: number;
  readonly openWork: OpenWork;
  readonly faults: Readonly<Record<string, number>>;
  /** How the process ended when it was asked to stop at last. */
  readonly lastExit: number | NodeJS.Signals;
  readonly durationS: number;
}

interface StormResult {
  /** Ends of the process that nobody asked for. */
  readonly crashes: readonly Death[];
  /** Activities that were completed when the last kill was over. */
  readonly completedInStorm: number;
  /** Transactions that a reorg took out of the chain. */
  readonly reorgedOut: number;
}

const SLOTS = 16;
const BLOCK_TIME_S = 1;
/** Long beside a fault, short enough that leases are renewed. */
const LEASE_S = 60;
/** So that an endpoint that lags never forgets the contracts. */
const FIRST_BLOCKS = 20;

/** What all of it happens to. */
interface Scene {
  readonly chain: TaskChain;
  readonly requester: Requester;
  readonly endpoints: readonly FaultyRpc[];
  readonly wallet: TestWallet;
  readonly home: WcpHome;
  readonly node: MortalNode;
  readonly wep: Life;
  readonly tallyFile: string;
}

/** Runs a whole node through kills, RPC faults, lost databases and reorgs, and looks at what came of its work. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const startedMs = systemClock.monotonicMs();
  const random = createRandom(options.seed);
  const plan = planChaos(options, random.fork());
  writeFileSync(
    join(options.dir, "plan.json"),
    JSON.stringify({ seed: options.seed, ...plan }, undefined, 1),
  );
  await using stack = new AsyncDisposableStack();
  const scene = await setScene(options, stack, random);
  const storm = new Storm(scene, { plan, random: random.fork(), say: options.say });
  stack.defer(() => storm.end());
  const stormed = await storm.run();

  const last = scene.node.start();
  await untilAllCompleted(scene, options, last);
  await storm.end();
  const database = join(scene.home.dir, "wcp.sqlite");
  const openWork = await untilNothingOpen(database);
  const audit = await auditChain({ ...scene, wallet: scene.wallet.address });
  last.signal("SIGTERM");
  return {
    ...audit,
    kills: plan.rounds.length,
    dbDeletions: plan.rounds.filter(({ deletesDb }) => deletesDb).length,
    reorgs: plan.rounds.filter(({ reorg }) => reorg !== undefined).length,
    ...stormed,
    openWork,
    faults: sumFaults(scene.endpoints),
    lastExit: await last.ended,
    durationS: (systemClock.monotonicMs() - startedMs) / 1_000,
  };
}

async function setScene(options: ChaosOptions, stack: AsyncDisposableStack, random: Random): Promise<Scene> {
  const chain = stack.use(await startTaskChain({ blockTimeS: BLOCK_TIME_S, leaseDurationS: LEASE_S }));
  await chain.anvil.rpc("anvil_mine", [`0x${FIRST_BLOCKS.toString(16)}`]);
  const endpoints = [
    stack.use(await startFaultyRpc(chain.facts.rpcUrl, random.fork())),
    stack.use(await startFaultyRpc(chain.facts.rpcUrl, random.fork())),
  ];
  const [wallet, requester, wepPort] = await Promise.all([chain.worker(), chain.requester(), freePort()]);
  const tallyFile = join(options.dir, "tally.txt");
  const logDir = join(options.dir, "logs");
  mkdirSync(logDir);
  const wep = startWepLife({ port: wepPort, logDir, tallyFile });
  stack.defer(() => stop(wep));
  const config = chaosConfig(chain, { ...options, endpoints, wepPort });
  const env = {
    WCP__ETHEREUM__WALLET_PRIVATE_KEY: wallet.privateKey,
    SUBNET_WORKER_LOCK_DIR: join(options.dir, "locks"),
  };
  const home = makeWcp({ dir: options.dir, config, env });
  const database = join(home.dir, "wcp.sqlite");
  const node = new MortalNode({ home, env, endpoints, database, logDir });
  return { chain, requester, endpoints, wallet, home, node, wep, tallyFile };
}

function startWepLife(options: {
  readonly port: number;
  readonly logDir: string;
  readonly tallyFile: string;
}): Life {
  const { port, logDir, tallyFile } = options;
  return startLife({
    program: "wep",
    args: ["run", "--handlers", TALLY_HANDLERS, "--port", String(port), "--health-port", "0"],
    env: { TALLY_FILE: tallyFile, WEP__RUNTIME__MAX_CONCURRENCY: String(SLOTS) },
    cwd: logDir,
    logPath: join(logDir, "wep.log"),
  });
}

function chaosConfig(
  chain: TaskChain,
  options: {
    readonly endpoints: readonly FaultyRpc[];
    readonly wepPort: number;
    readonly confirmations: number;
    readonly batching: boolean;
  },
) {
  const config = wcpConfig(chain.facts, `http://127.0.0.1:${options.wepPort}`, TALLY_SPEC_PATH);
  return configWith(config, {
    ethereum: {
      rpc_url: options.endpoints.map(({ url }) => url),
      ws_url: undefined,
      batch_executor_address: chain.facts.batchExecutor,
      rpc_timeout: "2s",
      head_poll_interval: "250ms",
    },
    scheduler: {
      queue_name: [TALLY_QUEUE],
      max_inflight: SLOTS,
      heartbeat_interval: "2s",
      lost_cooldown: "3s",
      reconcile_interval: "5s",
    },
    tx_policy: {
      confirmations: options.confirmations,
      batching: options.batching,
      resend_after: "3s",
      bump_after: "6s",
      repair_after: "6s",
    },
    log: { level: "debug" },
  });
}

/** The kills, with everything else that goes wrong meanwhile. */
class Storm {
  readonly #scene: Scene;
  readonly #plan: ChaosPlan;
  readonly #say: (line: string) => void;
  readonly #stop = new AbortController();
  readonly #background: Promise<unknown>;
  #reorgedOut = 0;

  constructor(
    scene: Scene,
    options: { readonly plan: ChaosPlan; readonly random: Random; readonly say: (line: string) => void },
  ) {
    this.#scene = scene;
    this.#plan = options.plan;
    this.#say = options.say;
    const weathers = scene.endpoints.map((endpoint) => this.#blow(endpoint, options.random.fork()));
    this.#background = Promise.all([...weathers, this.#repair()]);
    this.#background.catch(() => undefined); // `end` rejects with it
  }

  async run(): Promise<StormResult> {
    const crashes: Death[] = [];
    for (const [index, round] of this.#plan.rounds.entries()) {
      const death = await this.#live(round);
      if (death.kind === "crashed") crashes.push(death);
      if ((index + 1) % 10 === 0) this.#say(`${index + 1} kills, ${await this.#completed()} completed`);
    }
    return { crashes, completedInStorm: await this.#completed(), reorgedOut: this.#reorgedOut };
  }

  /** Fair weather from now on. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#background;
  }

  async #completed(): Promise<number> {
    return countCompleted(this.#scene.chain);
  }

  async #live({ enqueue, moment, reorg, deletesDb }: Round): Promise<Death> {
    const { requester, node } = this.#scene;
    const durationsMs = this.#plan.durationsMs;
    await requester.enqueue(enqueue.map((number) => ({ number, durationMs: durationsMs[number] ?? 0 })));
    const [death] = await Promise.all([node.liveUntil(moment), this.#reorg(reorg)]);
    if (deletesDb) {
      node.deleteDatabase();
      this.#say("database deleted");
    }
    return death;
  }

  async #reorg(reorg: Round["reorg"]): Promise<void> {
    if (reorg === undefined) return;
    await systemClock.sleep(reorg.afterMs);
    const dropped = await reorgChain(this.#scene.chain, reorg);
    this.#reorgedOut += dropped;
    this.#say(`reorg of ${reorg.depth} blocks, ${dropped} transactions lost`);
  }

  async #blow(endpoint: FaultyRpc, random: Random): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const { weather, ms } = drawSpell(random);
      endpoint.weather = weather;
      await systemClock.sleep(ms, this.#stop.signal);
    }
    endpoint.weather = FAIR;
  }

  /** The requester looks after its own transactions: a reorg or a full pool loses them too. */
  async #repair(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await systemClock.sleep(1_000, this.#stop.signal);
      await this.#scene.requester.repair();
    }
  }
}

async function countCompleted(chain: TaskChain): Promise<number> {
  const events = await chain.anvil.events(chain.facts);
  return events.filter(({ name }) => name === "ActivityCompleted").length;
}

/** Returns also when they never are: the audit says what is missing. */
async function untilAllCompleted(scene: Scene, options: ChaosOptions, life: Life): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + options.finishWithinMs;
  while (systemClock.monotonicMs() < deadlineMs && !life.isOver) {
    const completed = await countCompleted(scene.chain);
    if (completed >= options.activities) return;
    await systemClock.sleep(500);
  }
  options.say("not all are completed, and the time is over");
}

/** What is open when nothing has changed for long. */
async function untilNothingOpen(database: string): Promise<OpenWork> {
  let work = readOpenWork(database);
  const isDone = () => {
    work = readOpenWork(database);
    return work.tasks + work.intents + work.transactions === 0;
  };
  await until("the database to have nothing open", isDone, { withinMs: 40_000 }).catch(() => undefined);
  return work;
}

function sumFaults(endpoints: readonly FaultyRpc[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { faults } of endpoints) {
    for (const [name, count] of faults) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

async function stop(life: Life): Promise<void> {
  life.signal("SIGKILL");
  await life.ended;
}

/** What must not be, in sentences; empty when the node came through. */
export function problemsOf(result: ChaosResult, wanted: number): readonly string[] {
  const { openWork } = result;
  const must = (holds: boolean, problem: string) => (holds ? [] : [problem]);
  return [
    ...must(
      result.activities === wanted,
      `${result.activities} of ${wanted} activities are on the final chain`,
    ),
    ...must(
      result.completedOnce === wanted,
      `${result.completedOnce} of ${wanted} were completed once, by us`,
    ),
    ...must(result.duplicates === 0, `${result.duplicates} completions too many`),
    ...must(result.lost === 0, `${result.lost} were never completed`),
    ...must(result.failed === 0, `${result.failed} failed`),
    ...must(result.wrongResults === 0, `${result.wrongResults} have the result of another`),
    ...must(result.held === 0, `${result.held} are still held`),
    ...must(
      openWork.tasks + openWork.intents + openWork.transactions === 0,
      `the database has open ${JSON.stringify(openWork)}`,
    ),
    ...must(result.crashes.length === 0, `ended by itself: ${JSON.stringify(result.crashes)}`),
    ...must(result.lastExit === 0, `it ended with ${result.lastExit} when asked to stop`),
  ];
}
