import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { problemsOf, runChaos } from "./_chaos.ts";

/** The short form of `pnpm chaos`. */
const SIZE = { activities: 30, kills: 6, dbDeletions: 1, reorgs: 1, confirmations: 3 };
/** Replayed with `pnpm chaos --seed` and the sizes above. */
const SEED = 20_261_121;

test("a node that is killed, loses its database and sees a reorg completes every activity once", async () => {
  const dir = mkdtempSync(join(tmpdir(), "chaos-"));
  const said: string[] = [];
  const result = await runChaos({
    ...SIZE,
    seed: SEED,
    batching: false,
    dir,
    finishWithinMs: 90_000,
    say: (line) => said.push(line),
  });
  expect(problemsOf(result, SIZE.activities), `${said.join("\n")}\nkept: ${dir}`).toEqual([]);
  rmSync(dir, { recursive: true, force: true });
});
