/**
 * `pnpm fuzz:wasm`: generated modules, and modules that were changed at random, through the meter and V8. Looks for
 * crashes, hangs, code that is not metered, and modules that do something else once they are metered.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { meterModule } from "../src/meter/meter-module.ts";
import { type CampaignOptions, runCampaign } from "./campaign.ts";
import { type FuzzOptions, makeCase, readRealModules } from "./cases.ts";
import { type CaseReport, checkCase } from "./check-case.ts";
import { Tally } from "./tally.ts";

const USAGE = `pnpm fuzz:wasm [--minutes 10] [--cases N] [--threads 2] [--seed N] [--replay FILE.wasm]
`;
const ROOT = resolve(import.meta.dirname, "../../..");
const FAILURES = join(ROOT, ".cache/fuzz-wasm");
const HANG_MS = 60_000;

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

/** Keeps what failed: the module, and how it was metered. */
function keep(report: CaseReport, seed: number): void {
  const { bytes, options } = makeCase(seed, report.number, readRealModules(ROOT));
  mkdirSync(FAILURES, { recursive: true });
  const file = join(FAILURES, `${seed}-${report.number}.wasm`);
  writeFileSync(file, bytes);
  writeFileSync(
    `${file}.json`,
    `${JSON.stringify({ seed, number: report.number, options, report }, undefined, 2)}\n`,
  );
  for (const { kind, message } of report.problems) {
    process.stdout.write(`${kind}: ${message}\n  kept; again with: pnpm fuzz:wasm --replay ${file}\n`);
  }
}

function replay(file: string): void {
  const { number, options } = JSON.parse(readFileSync(`${file}.json`, "utf8")) as {
    readonly number: number;
    readonly options: FuzzOptions;
  };
  const report = checkCase(
    { number, origin: "mutated", bytes: new Uint8Array(readFileSync(file)), options },
    meterModule,
  );
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  process.exitCode = report.problems.length > 0 ? 1 : 0;
}

async function fuzz(options: CampaignOptions): Promise<void> {
  const tally = new Tally();
  const { tookMs } = await runCampaign(options, (report) => {
    tally.add(report);
    if (report.problems.length > 0) {
      keep(report, options.seed);
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
  replay(values.replay);
} else {
  await fuzz({
    seed: Number(values.seed),
    timeMs: Number(values.minutes) * 60_000,
    cases: Number(values.cases),
    threads: Number(values.threads),
    hangMs: HANG_MS,
    root: ROOT,
    meterUrl: new URL("../src/meter/meter-module.ts", import.meta.url).href,
  });
}
