/**
 * `pnpm fuzz:wasm`: generated modules, and modules that were changed at random, through the meter and V8. Looks for
 * crashes, hangs, code that is not metered, and modules that do something else once they are metered.
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type CampaignOptions, replayCase, runCampaign } from "./campaign.ts";
import { readRealModules } from "./cases.ts";
import { keepCase } from "./keep-case.ts";
import { Tally } from "./tally.ts";

const USAGE = `pnpm fuzz:wasm [--minutes 10] [--cases N] [--threads 2] [--seed N] [--replay FILE.wasm]
`;
const ROOT = resolve(import.meta.dirname, "../../..");
const FAILURES = join(ROOT, ".cache/fuzz-wasm");
const METER_URL = new URL("../src/meter/meter-module.ts", import.meta.url).href;
const HANG_MS = 150_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    cases: { type: "string", default: String(2 ** 31 - 1) },
    threads: { type: "string", default: "2" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    replay: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

function readNumber(name: "minutes" | "cases" | "threads" | "seed"): number {
  const number = Number(values[name]);
  if (!Number.isFinite(number) || number < 0) {
    throw new Error(`[BAD_OPTION] --${name} ${values[name]} is no number; ${USAGE}`);
  }
  return number;
}

async function replay(file: string): Promise<void> {
  const report = await replayCase(resolve(file), METER_URL);
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  process.exitCode = report.problems.length > 0 ? 1 : 0;
}

async function fuzz(options: CampaignOptions): Promise<void> {
  const tally = new Tally();
  const real = readRealModules(options.root);
  const { tookMs } = await runCampaign(options, (report) => {
    tally.add(report);
    if (report.problems.length > 0) {
      const file = keepCase(report, { seed: options.seed, real, folder: FAILURES });
      for (const { kind, message } of report.problems) {
        process.stdout.write(`${kind}: ${message}\n  kept; again with: pnpm fuzz:wasm --replay ${file}\n`);
      }
    }
  });
  for (const [what, count] of tally.rows()) {
    process.stdout.write(`${what.padEnd(46)}${count}\n`);
  }
  const metrics = { ...tally.metrics(), duration_s: Math.round(tookMs / 1000), seed: options.seed };
  process.stdout.write(`${JSON.stringify({ name: "fuzz-wasm", metrics })}\n`);
  process.exitCode = tally.problems > 0 ? 1 : 0;
}

if (values.help) {
  process.stdout.write(USAGE);
} else if (values.replay !== undefined) {
  await replay(values.replay);
} else {
  await fuzz({
    seed: readNumber("seed"),
    timeMs: readNumber("minutes") * 60_000,
    cases: readNumber("cases"),
    threads: readNumber("threads"),
    hangMs: HANG_MS,
    root: ROOT,
    meterUrl: METER_URL,
  });
}
