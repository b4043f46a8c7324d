import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCase } from "./cases.ts";
import type { CaseReport } from "./check-case.ts";

/** Where a case comes from, and where it goes. */
export interface KeepOptions {
  readonly seed: number;
  readonly real: readonly Uint8Array[];
  readonly folder: string;
}

/** Writes a module, and beside it how it was metered and what came out; gives the file's name. */
export function keepCase(report: CaseReport, { seed, real, folder }: KeepOptions): string {
  const { bytes, ...rest } = makeCase(seed, report.number, real);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${seed}-${report.number}.wasm`);
  writeFileSync(file, bytes);
  writeFileSync(`${file}.json`, `${JSON.stringify({ seed, ...rest, report }, undefined, 2)}\n`);
  return file;
}
