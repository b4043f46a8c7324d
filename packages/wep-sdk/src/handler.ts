import { parseVersion } from "@subnet-worker/protocol/version";
import { WORK_CLASSES, type WorkClass } from "./classes.ts";
import type { RunContext } from "./context.ts";
import { WepError } from "./errors.ts";
import type { InputValue, OutputValue } from "./values.ts";

const HANDLER: unique symbol = Symbol.for("subnet-worker.wep-sdk.Handler");

export interface HandlerDefinition<I, O> {
  /** Name of the work, as activities ask for it: `audio.preprocess`. */
  readonly kind: string;
  /** Semantic version, matched exactly: `1.0.0`. */
  readonly version: string;
  /**
   * Whose slots its runs take, where the server has slots by class. In threads, runs
   * of class `io` share one, the others have one each. Default `cpu`.
   */
  readonly class?: WorkClass;
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

/** A registered kind of work; made by {@link defineHandler}. */
export interface Handler<I = unknown, O = unknown> extends HandlerDefinition<I, O> {
  readonly [HANDLER]: true;
  readonly class: WorkClass;
}

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
  definition: HandlerDefinition<I, O>,
): Handler<I, O> {
  const { kind, version } = definition;
  if (typeof kind !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(kind)) {
    throw new WepError(
      "INVALID_HANDLER",
      `"${kind}" is not a kind; use letters, digits and . _ / - as in "audio.preprocess"`,
    );
  }
  try {
    parseVersion(version);
  } catch (error) {
    throw new WepError(
      "INVALID_HANDLER",
      `handler ${kind}: "${version}" is not a version; write it as 1.0.0`,
      { cause: error },
    );
  }
  if (typeof definition.run !== "function") {
    throw new WepError("INVALID_HANDLER", `handler ${kind} ${version} has no run(input, ctx) function`);
  }
  const workClass = definition.class ?? "cpu";
  if (!WORK_CLASSES.includes(workClass)) {
    throw new WepError(
      "INVALID_HANDLER",
      `handler ${kind} ${version}: "${workClass}" is no class; use ${WORK_CLASSES.join(", ")}`,
    );
  }
  return Object.freeze({
    [HANDLER]: true as const,
    kind,
    version,
    class: workClass,
    run: (input: I, ctx: RunContext) => definition.run(input, ctx),
  });
}

/** Whether `value` was made by {@link defineHandler}, of this or another installed copy. */
export function isHandler(value: unknown): value is Handler {
  return typeof value === "object" && value !== null && (value as Partial<Handler>)[HANDLER] === true;
}
