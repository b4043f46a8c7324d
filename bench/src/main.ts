import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Benchmark } from "./benchmark.ts";
import { printReport } from "./report.ts";

const folder = new URL("./benchmarks/", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -3));

async function load(name: string): Promise<Benchmark> {
  const { benchmark } = (await import(new URL(`${name}.ts`, folder).href)) as {
    readonly benchmark: Benchmark;
  };
  return benchmark;
}

// What a benchmark started is killed when this process exits, which a signal alone would not do.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const [name] = parseArgs({ allowPositionals: true }).positionals;
if (name === undefined || !names.includes(name)) {
  process.stdout.write("pnpm bench NAME\n\n");
  for (const known of names) process.stdout.write(`  ${known.padEnd(12)} ${(await load(known)).about}\n`);
  process.exitCode = name === undefined ? 0 : 78;
} else {
  const report = await (await load(name)).run();
  printReport(name, report);
}
