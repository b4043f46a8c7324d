import type { RunMeteredOptions } from "./_run-metered.ts";

/** Fuel counted by hand: 1 for the entry of each function, 1 for each operator that costs. */
export interface Counted {
  readonly name: string;
  /** Fields of the module; one is the function `run`. */
  readonly text: string;
  readonly args?: readonly unknown[];
  readonly value: unknown;
  readonly fuel: bigint;
  readonly options?: RunMeteredOptions;
}

/** A module whose only function is `run`, with a result of i32. */
export const run = (body: string, head = "") => `(func (export "run") ${head} (result i32) ${body})`;
/** The same with a parameter. */
export const withParam = (body: string, locals = "") =>
  `(func (export "run") (param i32) (result i32) ${locals} ${body})`;

/** `$f`, which costs 4. */
export const ADD_ONE = "(func $f (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))";

/** To `$l`, as long as the parameter is not 0; costs 5. */
export const COUNT_DOWN = "(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))";
