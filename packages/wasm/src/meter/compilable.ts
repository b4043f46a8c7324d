import { tooLarge } from "./refusals.ts";

/**
 * Slots (parameters, locals, operands) times branches of one function. V8's compilers hold a state of all slots for
 * each branch: a module of 100 KB can take all memory of the machine. The largest of real programs have a million.
 */
const MOST_STATES = 8_000_000;
/** Loops inside of loops. V8's optimizing compiler takes time by the square of it. */
const MOST_LOOP_DEPTH = 1000;

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
    throw tooLarge(`locals times branches of function ${own}`, MOST_STATES, states);
  }
  if (loopDepth > MOST_LOOP_DEPTH) {
    throw tooLarge(`loops inside of loops of function ${own}`, MOST_LOOP_DEPTH, loopDepth);
  }
}
