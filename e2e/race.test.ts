import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Sample, parseMetrics } from "./_prometheus.ts";
import { freePort } from "./_rpc-proxy.ts";
import {
  readTally,
  startTaskChain,
  TALLY_HANDLERS,
  TALLY_QUEUE,
  TALLY_SPEC_PATH,
  type TaskChain,
} from "./_task-chain.ts";
import { until } from "./_until.ts";
import { configWith, makeWcp, wcpConfig, type WcpProcess } from "./_wcp.ts";
import { startWep } from "./_wep.ts";

const ACTIVITIES = 200;
const SLOTS = 16;
const MOST_LOST_SHARE = 0.05;
const MOST_PAID_SHARE = 0.02;

/** Claims of both workers, by how they ended. */
interface Claims {
  readonly mined: number;
  /** Lost, and paid for. */
  readonly reverted: number;
  /** Lost, and found out by the simulation. */
  readonly refused: number;
}

describe("two workers on one queue", () => {
  let dir: string;
  let chain: TaskChain;
  let workers: readonly { readonly address: string; readonly wcp: WcpProcess }[];
  const stack = new AsyncDisposableStack();

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "race-"));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    chain = stack.use(await startTaskChain({ blockTimeS: 1 }));
    workers = await Promise.all([startWorker(), startWorker()]);
    await Promise.all(workers.map(({ wcp }) => wcp.untilReady()));
  });

  afterAll(() => stack.disposeAsync());

  async function startWorker() {
    const [port, wallet] = await Promise.all([freePort(), chain.worker()]);
    const env = { WEP__RUNTIME__MAX_CONCURRENCY: String(SLOTS) };
    stack.use(await startWep({ handlers: TALLY_HANDLERS, port, env }));
    const config = configWith(wcpConfig(chain.facts, `http://127.0.0.1:${port}`, TALLY_SPEC_PATH), {
      scheduler: { queue_name: [TALLY_QUEUE], max_inflight: SLOTS },
    });
    const home = makeWcp({
      dir,
      config,
      env: { WCP__ETHEREUM__WALLET_PRIVATE_KEY: wallet.privateKey },
    });
    return { address: wallet.address, wcp: stack.use(await home.start()) };
  }

  test("complete all of it, and lose at most one claim in twenty to each other, next to none at the cost of gas", async () => {
    const requester = await chain.requester();
    const wishes = Array.from({ length: ACTIVITIES }, (_, number) => ({ number, durationMs: 300 }));
    await requester.enqueue(wishes);
    await until("all to be completed", async () => (await completions()).length >= ACTIVITIES, {
      withinMs: 150_000,
      instead: () => workers.map(({ wcp }) => wcp.stdout().slice(-2_000)).join("\n"),
    });

    const done = await completions();
    const tallies = await Promise.all(done.map(({ id }) => readTally(chain, id)));
    expect(new Set(tallies.map(({ answered }) => answered)).size).toBe(ACTIVITIES);
    expect(done).toHaveLength(ACTIVITIES);
    const share = (address: string) =>
      done.filter(({ by }) => by === address.toLowerCase()).length / done.length;
    // Neither starves: with equal slots each does about half.
    for (const { address } of workers) expect(share(address)).toBeGreaterThan(0.25);

    await until("every claim to be counted", async () => (await countClaims()).mined >= ACTIVITIES);
    const claims = await countClaims();
    const lost = claims.reverted + claims.refused;
    expect(claims.mined).toBe(ACTIVITIES);
    expect(lost / (claims.mined + lost), JSON.stringify(claims)).toBeLessThanOrEqual(MOST_LOST_SHARE);
    // What a rival took leaves the backlog before it is tried. Only claims of one block meet, and cost gas.
    const paid = claims.reverted / (claims.mined + lost);
    expect(paid, JSON.stringify(claims)).toBeLessThanOrEqual(MOST_PAID_SHARE);
  });

  async function completions(): Promise<readonly { readonly id: string; readonly by: string }[]> {
    const events = await chain.anvil.events(chain.facts);
    return events
      .filter(({ name }) => name === "ActivityCompleted")
      .map(({ args }) => ({ id: String(args["activityId"]), by: String(args["worker"]).toLowerCase() }));
  }

  async function countClaims(): Promise<Claims> {
    const samples = (await Promise.all(workers.map(({ wcp }) => scrape(wcp)))).flat();
    const count = (outcome: string) =>
      samples
        .filter(({ name, labels }) => name === "wcp_transactions_total" && isClaim(labels, outcome))
        .reduce((sum, { value }) => sum + value, 0);
    return { mined: count("mined"), reverted: count("reverted"), refused: count("refused") };
  }
});

async function scrape(wcp: WcpProcess): Promise<readonly Sample[]> {
  const response = await fetch(`${await wcp.adminUrl()}/metrics`);
  return parseMetrics(await response.text());
}

function isClaim(labels: string, outcome: string): boolean {
  return labels.includes('kind="claim"') && labels.includes(`outcome="${outcome}"`);
}
