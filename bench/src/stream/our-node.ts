import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBenchNode } from "@subnet-worker/wcp/bench-node";
import { startChild } from "./child.ts";
import { type Peer, rateOf } from "./peer.ts";
import { TALLY_QUEUE, TallySource } from "./tally-source.ts";

export interface NodeRun extends Peer {
  /** Milliseconds from offer to settled of each of `tasks`, one after the other. */
  latencies(tasks: number): Promise<readonly number[]>;
}

/** Offers open at a time, in multiples of the slots: as many again wait for a slot, as jobs do in the peers' queues. */
const OPEN_PER_SLOT = 2;

/** Tasks offered in one turn, as many as the peers' jobs are added at a time. */
const PORTION = 500;

/** A WCP in this process with its database on disk, and a WEP in another. */
export async function startOurNode({ slots }: { readonly slots: number }): Promise<NodeRun> {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "bench-stream-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const wep = stack.use(startChild("noop-wep.ts", [String(slots)]));
  const url = `http://127.0.0.1:${await wep.line()}`;
  const source = new TallySource();
  const node = stack.use(
    await openBenchNode({ wepUrls: [url], dbPath: join(dir, "wcp.sqlite"), source, maxInflight: slots }),
  );
  const offerAndSettle = async () => (await source.offer()).settled;
  const owned = stack.move();
  return {
    async queued(tasks) {
      await node.pause(TALLY_QUEUE, true);
      const offered: { readonly settled: Promise<void> }[] = [];
      while (offered.length < tasks) {
        const count = Math.min(PORTION, tasks - offered.length);
        offered.push(...(await Promise.all(Array.from({ length: count }, () => source.offer()))));
      }
      return rateOf(tasks, () =>
        Promise.all([node.pause(TALLY_QUEUE, false), ...offered.map(({ settled }) => settled)]),
      );
    },
    offered(tasks) {
      let left = tasks;
      const work = async () => {
        while (left > 0) {
          left -= 1;
          await offerAndSettle();
        }
      };
      return rateOf(tasks, () => Promise.all(Array.from({ length: OPEN_PER_SLOT * slots }, work)));
    },
    async latencies(tasks) {
      const all: number[] = [];
      for (let index = 0; index < tasks; index += 1) {
        const startMs = performance.now();
        await offerAndSettle();
        all.push(performance.now() - startMs);
      }
      return all;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
