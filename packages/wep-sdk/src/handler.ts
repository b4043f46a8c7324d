import { type Activity, type ActivityDefinition, checkIdentity, isActivity } from "./activity.ts";
import type { WorkClass } from "./classes.ts";
import type { RunContext } from "./context.ts";
import { WepError } from "./errors.ts";
import type { Middleware } from "./middleware.ts";
import {
  isStandardSchema,
  type SchemaInput,
  type SchemaOutput,
  type StandardSchema,
} from "./standard-schema.ts";
import type { InputValue, OutputValue } from "./values.ts";

const HANDLER: unique symbol = Symbol.for("subnet-worker.wep-sdk.Handler");
declare const SENT: unique symbol;

/** What a handler does, whatever it is called. */
export interface HandlerWork<I, O> {
  /**
   * Whose slots its runs take, where the server has slots by class. In threads, runs
   * of class `io` share one, the others have one each. Default that of the activity, or `cpu`.
   */
  readonly class?: WorkClass;
  /** What is around its runs, the outermost first. Default nothing. */
  readonly use?: readonly Middleware[];
  /**
   * Does the work. Delivery is at least once, so a second run of the same
   * activity must be harmless. Handlers of modules run in threads and may compute for
   * as long as they need. Those passed to `serve({ handlers })` share their thread with
   * the stream: one that computes for seconds without awaiting loses its lease.
   *
   * @returns the outputs by parameter name
   */
  run(input: I, ctx: RunContext): Promise<O> | O;
}

/** A kind of work and what does it; its types are taken on trust. */
export interface HandlerDefinition<I, O> extends HandlerWork<I, O> {
  /** Name of the work, as activities ask for it: `audio.preprocess`. */
  readonly kind: string;
  /** Semantic version, matched exactly: `1.0.0`. */
  readonly version: string;
}

/** A kind of work whose input, and output if wanted, is held against a schema. */
export interface SchemaHandlerDefinition<
  S extends StandardSchema,
  R extends StandardSchema,
> extends HandlerDefinition<SchemaOutput<S>, SchemaInput<R>> {
  /** Of all inputs together, by parameter name. The handler is given what it makes of them. */
  readonly input: S;
  /** Of all outputs together. What it makes of them is what travels. Default: no check. */
  readonly output?: R;
}

/** A registered kind of work; made by {@link defineHandler}. `Sent`: what it takes before validation. */
export interface Handler<I = unknown, O = unknown, Sent = unknown> extends HandlerDefinition<I, O> {
  readonly [HANDLER]: true;
  /** For the compiler alone. */
  readonly [SENT]?: Sent;
  readonly class: WorkClass;
  readonly use: readonly Middleware[];
  /** What its inputs and outputs are held against; `undefined`: no activity says. */
  readonly activity?: ActivityDefinition;
  /** What its inputs are held against; `undefined`: no schema says. */
  readonly input?: StandardSchema;
  /** The same for its outputs. */
  readonly output?: StandardSchema;
}

/** A handler of an activity: its inputs and outputs have types on chain. */
export interface ActivityHandler<I = unknown, O = unknown> extends Handler<I, O, I> {
  readonly activity: Activity<I, O>;
}

/**
 * Makes a handler of an activity, whose types come from its spec by way of `wep spec types`.
 * Inputs are checked before `run` and outputs after it, against what the activity declares:
 * a run with a missing input ends as MISSING_REQUIRED_FIELD, one with an unknown or unfitting
 * input as INVALID_INPUT, one with such an output as INVALID_FORMAT, each naming the field.
 *
 * @throws {WepError} INVALID_HANDLER
 * @example
 * ```ts
 * import { type Activity, defineActivity, defineHandler } from "@subnet-worker/wep-sdk";
 *
 * // What `wep spec types` writes:
 * const greet: Activity<{ name: string }, { greeting: string }> = defineActivity({
 *   kind: "demo.greet",
 *   version: "1.0.0",
 *   inputs: [{ name: "name", type: "string" }],
 *   outputs: [{ name: "greeting", type: "string" }],
 * });
 *
 * export const greeter = defineHandler(greet, {
 *   run: ({ name }) => ({ greeting: `Hello, ${name}` }),
 * });
 * ```
 */
export function defineHandler<I, O>(
  activity: Activity<I, O>,
  // The activity alone says what is returned: else one output too few would be inferred as the type of all.
  work: HandlerWork<I, NoInfer<O>>,
): ActivityHandler<I, O>;
/**
 * Makes a handler whose input is held against a schema of any Standard Schema library,
 * before `run`; what fits not ends the run as MISSING_REQUIRED_FIELD or INVALID_INPUT and
 * names the field. With `output`, what `run` returns is checked too: INVALID_FORMAT.
 *
 * Values arrive as the worker client's spec has them: integers wider than 53 bits are `bigint`.
 *
 * @throws {WepError} INVALID_HANDLER
 * @example
 * ```ts
 * import { defineHandler } from "@subnet-worker/wep-sdk";
 * import { z } from "zod";
 *
 * export const greet = defineHandler({
 *   kind: "demo.greet",
 *   version: "1.0.0",
 *   input: z.object({ name: z.string().min(1), times: z.number().int().default(1) }),
 *   run: ({ name, times }) => ({ greeting: `Hello, ${name}! `.repeat(times) }),
 * });
 * ```
 */
export function defineHandler<S extends StandardSchema, R extends StandardSchema>(
  definition: SchemaHandlerDefinition<S, R> & { readonly output: R },
): Handler<SchemaOutput<S>, SchemaInput<R>, SchemaInput<S>>;
export function defineHandler<S extends StandardSchema, O>(
  definition: HandlerDefinition<SchemaOutput<S>, O> & { readonly input: S; readonly output?: undefined },
): Handler<SchemaOutput<S>, O, SchemaInput<S>>;
/**
 * Makes a handler out of a function. `I` is what the activity's spec declares as
 * inputs; it is taken on trust, as the sender encodes by the same spec.
 *
 * @throws {WepError} INVALID_HANDLER
 * @example
 * ```ts
 * import { defineHandler } from "@subnet-worker/wep-sdk";
 *
 * export const greet = defineHandler<{ name: string }>({
 *   kind: "demo.greet",
 *   version: "1.0.0",
 *   run: ({ name }) => ({ greeting: `Hello, ${name}` }),
 * });
 * ```
 */
export function defineHandler<I = Record<string, InputValue>, O = Record<string, OutputValue>>(
  definition: HandlerDefinition<I, O> & { readonly input?: undefined; readonly output?: undefined },
): Handler<I, O, I>;
export function defineHandler(first: Activity | Definition, work?: HandlerWork<unknown, unknown>): Handler {
  if (isActivity(first)) return ofActivity(first, work);
  if (work !== undefined) {
    throw new WepError(
      "INVALID_HANDLER",
      `the first of two arguments is no activity; pass what defineActivity() returned, or one object with kind, version and run`,
    );
  }
  return create(first);
}

interface Definition extends HandlerDefinition<unknown, unknown> {
  readonly activity?: ActivityDefinition | undefined;
  readonly input?: StandardSchema | undefined;
  readonly output?: StandardSchema | undefined;
}

function ofActivity(activity: Activity, work: HandlerWork<unknown, unknown> | undefined): Handler {
  const { kind, version } = activity;
  const { class: workClass = activity.class ?? "cpu", use = [] } = work ?? {};
  if (typeof work?.run !== "function") {
    throw new WepError("INVALID_HANDLER", `handler ${kind} ${version} has no run(input, ctx) function`);
  }
  const run: Handler["run"] = (input, ctx) => work.run(input, ctx);
  return create({ kind, version, class: workClass, use, activity, run });
}

function create(definition: Definition): Handler {
  const { kind, version, class: workClass = "cpu", use = [], activity, input, output } = definition;
  checkIdentity({ kind, version, class: workClass });
  const name = `handler ${kind} ${version}`;
  if (typeof definition.run !== "function") {
    throw new WepError("INVALID_HANDLER", `${name} has no run(input, ctx) function`);
  }
  for (const [key, schema] of Object.entries({ input, output })) {
    if (schema === undefined || isStandardSchema(schema)) continue;
    throw new WepError(
      "INVALID_HANDLER",
      `${name}: ${key} is no Standard Schema; use a library that implements it, as zod, valibot and arktype do`,
    );
  }
  if (!Array.isArray(use) || use.some((middleware) => typeof middleware !== "function")) {
    throw new WepError("INVALID_HANDLER", `${name}: use is no list of middleware; see defineMiddleware()`);
  }
  return Object.freeze({
    [HANDLER]: true as const,
    kind,
    version,
    class: workClass,
    use: Object.freeze([...use]),
    ...(activity === undefined ? {} : { activity }),
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    run: (given: unknown, ctx: RunContext) => definition.run(given, ctx),
  });
}

/** Whether `value` was made by {@link defineHandler}, of this or another installed copy. */
export function isHandler(value: unknown): value is Handler {
  return typeof value === "object" && value !== null && (value as Partial<Handler>)[HANDLER] === true;
}
