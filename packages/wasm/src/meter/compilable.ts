import { tooComplex } from "./refusals.ts";

/**
 * Slots (parameters, locals, operands) times branches of one function. V8's compilers hold a state of all slots for
 * each branch: a module of 100 KB can take all memory of the machine. The largest of real programs have a million.
 */
const MOST_STATES = 8_000_000;
/** Loops inside of loops. V8's optimizing compiler takes time by the square of it. */
const MOST_LOOP_DEPTH = 1000;

/**
 * Places and ways of a module's control flow. The meter holds some 20 bytes for each, and a hostile module has one in
 * every byte of it: some gigabytes at the most that a module may be. Programs have one in five to ten bytes.
 */
const MOST_SITES = 12_000_000;
const MOST_EDGES = 8_000_000;

/** What V8's compilers take for one function. */
export interface CompileCost {
  /** Slots times branches. */
  readonly states: number;
  readonly loopDepth: number;
}

/**
 * Refuses what would keep V8's compilers busy, or take their memory, beyond any use.
 *
 * @throws {WasmError} `MODULE_TOO_LARGE`
 */
export function checkCompilable(own: number, { states, loopDepth }: CompileCost): void {
  if (states > MOST_STATES) {
    throw tooComplex(`locals times branches of function ${own}`, MOST_STATES, states);
  }
  if (loopDepth > MOST_LOOP_DEPTH) {
    throw tooComplex(`loops inside of loops of function ${own}`, MOST_LOOP_DEPTH, loopDepth);
  }
}

/** What the meter holds of all functions that it has scanned. */
export interface MeterCost {
  /** Places where the metered code may differ. */
  readonly sites: number;
  /** Ways from one piece of straight code to another. */
  readonly edges: number;
}

/**
 * Refuses what would take the meter more memory than any program needs.
 *
 * @throws {WasmError} `MODULE_TOO_LARGE`
 */
export function checkMeterable({ sites, edges }: MeterCost): void {
  if (sites > MOST_SITES) {
    throw tooComplex("branches, loops and calls of the module", MOST_SITES, sites);
  }
  if (edges > MOST_EDGES) {
    throw tooComplex("targets of branches of the module", MOST_EDGES, edges);
  }
}
