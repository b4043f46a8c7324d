import type { ExternFact, ModuleFacts } from "../src/meter/facts.ts";
import type { Metered, MeterModule } from "../src/meter/meter.ts";
import { Wasm } from "../src/web-assembly.ts";
import { Dice } from "../tests/_generate-bytes.ts";
import {
  type Burnt,
  type Call,
  observeMetered,
  observePlain,
  type Runnable,
  runnable,
  type Seen,
} from "../tests/_observe-module.ts";
import type { FuzzCase } from "./cases.ts";
import { stubImports, valueOf } from "./stub-imports.ts";

/** What is wrong with the meter, as far as a case shows. */
export interface Problem {
  readonly kind: "crash" | "invalid_output" | "unmetered" | "mismatch" | "hang";
  readonly message: string;
}

export interface CaseReport {
  readonly number: number;
  readonly origin: FuzzCase["origin"];
  /** `accepted`, or the code of the error that refused it. */
  readonly verdict: string;
  /** By how they ended, metered. */
  readonly ends: Readonly<Record<"returned" | "trapped" | "out_of_fuel" | "out_of_stack", number>>;
  /** Calls that were compared with the module as it came. */
  readonly compared: number;
  readonly problems: readonly Problem[];
}

/** A run may do little, so that one that is not metered stands out. */
const FUEL = 300_000n;
/** What `FUEL` cannot possibly take, on a machine that is busy. */
const MAX_RUN_MS = 8_000;
/** The system takes up to half a millisecond for it, or more when it is busy; a memory has 65,536 pages at most. */
const MAX_MS_PER_GROWN_PAGE = 2;
const STACK_BYTES = 256 * 1024;
const MAX_CALLS = 4;
const MAX_PAGES = 256;
const MAX_ELEMENTS = 100_000;
const LIMITS = { functionBytes: 4 * 1024 * 1024, functions: 100_000 };

/** Meters a module, runs it with little fuel, and compares what ends with the module as it came. */
export function checkCase(fuzzCase: FuzzCase, meterModule: MeterModule): CaseReport {
  const report = new ReportDraft(fuzzCase);
  const metered = meterCase(fuzzCase, meterModule, report);
  if (metered === undefined) {
    return report.done();
  }
  let modules: Pick<CaseModules, "metered" | "original">;
  try {
    modules = {
      metered: runnable(metered.bytes, metered.start),
      original: runnable(fuzzCase.bytes),
    };
  } catch (error) {
    report.problem("invalid_output", `V8 does not take what the meter made: ${String(error)}`);
    return report.done();
  }
  if (isRunnable(metered.facts)) {
    const { facts } = metered;
    const oracle = meterEvery(fuzzCase, meterModule);
    for (const call of callsOf(facts, fuzzCase.options.callSeed)) {
      checkCall(call, { ...modules, oracle, facts }, report);
    }
  }
  return report.done();
}

interface CaseModules {
  readonly metered: Runnable;
  readonly original: Runnable;
  /** With a charge of its own for every operator; `undefined` where that is too large for V8. */
  readonly oracle: Runnable | undefined;
  readonly facts: ModuleFacts;
}

function meterEvery({ bytes, options }: FuzzCase, meterModule: MeterModule): Runnable | undefined {
  try {
    const every = meterModule(bytes, { placement: "every", counters: options.counters, limits: LIMITS });
    return runnable(every.bytes, every.start);
  } catch (error) {
    if (error instanceof Error && (error.name === "WasmError" || error instanceof Wasm.CompileError)) {
      return undefined;
    }
    throw error;
  }
}

function meterCase(fuzzCase: FuzzCase, meterModule: MeterModule, report: ReportDraft): Metered | undefined {
  const { placement, counters } = fuzzCase.options;
  try {
    const metered = meterModule(fuzzCase.bytes, { placement, counters, limits: LIMITS });
    report.verdict = "accepted";
    return metered;
  } catch (error) {
    if (error instanceof Error && error.name === "WasmError") {
      report.verdict = (error as Error & { readonly code: string }).code;
    } else {
      report.verdict = "crashed";
      report.problem("crash", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return undefined;
  }
}

/** Whether stubs can be made for it, and it fits into this process. */
function isRunnable(facts: ModuleFacts): boolean {
  const fits = (type: ExternFact): boolean => {
    switch (type.kind) {
      case "memory":
        return type.min <= MAX_PAGES;
      case "table":
        return type.min <= MAX_ELEMENTS;
      case "global":
        return type.type !== "v128";
      default:
        return true;
    }
  };
  return (
    facts.memoryMinPages <= MAX_PAGES &&
    facts.tableMinElements <= MAX_ELEMENTS &&
    facts.imports.every(({ type }) => fits(type))
  );
}

function callsOf(facts: ModuleFacts, seed: number): readonly Call[] {
  const dice = new Dice(seed);
  const calls: Call[] = [];
  for (const { name, type } of facts.exports) {
    if (type.kind === "function" && calls.length < MAX_CALLS) {
      const small = dice.once(2);
      const args = type.params.map((param) => valueOf(param, dice.roll(small ? 20 : 100_000)));
      calls.push({ name, args: args as number[] });
    }
  }
  return calls;
}

function observeCall(module: Runnable, call: Call, facts: ModuleFacts): Seen & Burnt {
  return observeMetered(module, call, {
    imports: stubImports(facts),
    allowance: { fuel: FUEL, stackBytes: STACK_BYTES },
  });
}

function checkCall(call: Call, modules: CaseModules, report: ReportDraft): void {
  const startedMs = performance.now();
  const run = observeCall(modules.metered, call, modules.facts);
  const tookMs = performance.now() - startedMs;
  if (tookMs > MAX_RUN_MS + run.grownPages * MAX_MS_PER_GROWN_PAGE) {
    report.problem(
      "unmetered",
      `${call.name} burnt ${FUEL - run.fuelLeft} and took ${Math.round(tookMs)} ms`,
    );
  }
  report.count(run);
  if (run.end.startsWith("RangeError: Maximum call stack")) {
    report.problem("unmetered", `${call.name} came to the end of V8's stack before that of the meter's`);
    return;
  }
  if (run.fuelLeft < 0n || run.fault !== 0) {
    return;
  }
  // It ends, so the module as it came does too.
  const expected = observePlain(modules.original, call, stubImports(modules.facts));
  report.compared += 1;
  const { fuelLeft: _, fault: __, grownPages: ___, ...seen } = run;
  if (!isSame(expected, seen)) {
    report.problem("mismatch", `${call.name}: ${JSON.stringify(expected)} became ${JSON.stringify(seen)}`);
  }
  if (run.end === "returned") {
    checkFuel(call, { modules, burnt: FUEL - run.fuelLeft }, report);
  }
}

/** What returns has burnt as much as when every operator is charged by itself. */
function checkFuel(
  call: Call,
  { modules, burnt }: { readonly modules: CaseModules; readonly burnt: bigint },
  report: ReportDraft,
): void {
  const { oracle, facts } = modules;
  const expected = oracle === undefined ? burnt : FUEL - observeCall(oracle, call, facts).fuelLeft;
  if (burnt !== expected) {
    const kind = burnt < expected ? "unmetered" : "mismatch";
    report.problem(kind, `${call.name} burnt ${burnt}, and ${expected} when every operator is charged`);
  }
}

function isSame(expected: Seen, seen: Seen): boolean {
  return (
    JSON.stringify([withoutPlace(expected.end), expected.values, expected.state]) ===
    JSON.stringify([withoutPlace(seen.end), seen.values, seen.state])
  );
}

/** Messages of some errors name indices, of which there are more once it is metered. */
function withoutPlace(end: string): string {
  return end.replaceAll(/\d+/g, "0");
}

class ReportDraft {
  verdict = "";
  compared = 0;
  readonly #case: FuzzCase;
  readonly #ends = { returned: 0, trapped: 0, out_of_fuel: 0, out_of_stack: 0 };
  readonly #problems: Problem[] = [];

  constructor(fuzzCase: FuzzCase) {
    this.#case = fuzzCase;
  }

  problem(kind: Problem["kind"], message: string): void {
    this.#problems.push({ kind, message });
  }

  count(run: Seen & Burnt): void {
    if (run.fuelLeft < 0n) {
      this.#ends.out_of_fuel += 1;
    } else if (run.fault !== 0) {
      this.#ends.out_of_stack += 1;
    } else {
      this.#ends[run.end === "returned" ? "returned" : "trapped"] += 1;
    }
  }

  done(): CaseReport {
    const { number, origin } = this.#case;
    const { verdict, compared } = this;
    return { number, origin, verdict, ends: this.#ends, compared, problems: this.#problems };
  }
}
