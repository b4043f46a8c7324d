import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBenchNode } from "@subnet-worker/wcp/bench-node";
import { startChild } from "./child.ts";
import { TallySource } from "./tally-source.ts";

export interface NodeRun extends AsyncDisposable {
  /** Offers tasks, `atOnce` of them open at a time. @returns tasks per second, offer to settled */
  run(tasks: number, atOnce: number): Promise<number>;
  /** Milliseconds that each of `tasks` took, one after the other. */
  latencies(tasks: number): Promise<readonly number[]>;
}

/** A WCP in this process with its database on disk, and a WEP in another. */
export async function startOurNode({ slots }: { readonly slots: number }): Promise<NodeRun> {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "bench-stream-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const wep = stack.use(startChild("noop-wep.ts", [String(slots)]));
  const url = `http://127.0.0.1:${await wep.line()}`;
  const source = new TallySource();
  stack.use(
    await openBenchNode({ wepUrls: [url], dbPath: join(dir, "wcp.sqlite"), source, maxInflight: slots }),
  );
  const owned = stack.move();
  return {
    async run(tasks, atOnce) {
      let left = tasks;
      const work = async () => {
        while (left > 0) {
          left -= 1;
          await source.task();
        }
      };
      const startMs = performance.now();
      await Promise.all(Array.from({ length: atOnce }, work));
      return tasks / ((performance.now() - startMs) / 1_000);
    },
    async latencies(tasks) {
      const all: number[] = [];
      for (let index = 0; index < tasks; index += 1) {
        const startMs = performance.now();
        await source.task();
        all.push(performance.now() - startMs);
      }
      return all;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
