import type { QueuePolicy } from "./domain/scheduler/queue-policy.ts";

/** What distinguishes a queue from the others: an entry of `scheduler.queues`. */
export interface QueueSettings {
  readonly name: string;
  /** Share of the claims, beside the weights of the others. Default 1. */
  readonly weight?: number;
  /** Higher goes first, whatever the weights. Default 0. */
  readonly priority?: number;
  /** Most activities of it at once. Default no limit of its own. */
  readonly max_inflight?: number;
  /** Most claims per second. Default no limit. */
  readonly rate_per_s?: number;
  /** Claims that may come at once after a pause. Default one second's worth, at least 1. */
  readonly burst?: number;
  readonly paused?: boolean;
}

interface Rule {
  readonly isFine: (value: unknown) => boolean;
  readonly must: string;
}

const isNumber = (value: unknown) => typeof value === "number" && Number.isFinite(value);
const ABOVE_ZERO: Rule = {
  isFine: (value) => isNumber(value) && (value as number) > 0,
  must: "a number above 0",
};
const COUNT: Rule = {
  isFine: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
  must: "a whole number of at least 1",
};

const RULES: Readonly<Record<string, Rule>> = {
  name: { isFine: (value) => typeof value === "string" && value !== "", must: "the name of a queue" },
  weight: ABOVE_ZERO,
  priority: { isFine: (value) => Number.isSafeInteger(value), must: "a whole number" },
  max_inflight: COUNT,
  rate_per_s: ABOVE_ZERO,
  burst: COUNT,
  paused: { isFine: (value) => typeof value === "boolean", must: "true or false" },
};

/** What is wrong with `scheduler.queues`, as sentences for the operator. */
export function queueProblems(
  queues: readonly QueueSettings[],
  watched: readonly string[],
): readonly string[] {
  return queues.flatMap((queue, index) => {
    const where = `scheduler.queues[${index}]`;
    const unknown = Object.keys(queue).filter((key) => !Object.hasOwn(RULES, key));
    const wrong = Object.entries(RULES).filter(
      ([key, { isFine }]) =>
        (key in queue || key === "name") && !isFine((queue as unknown as Record<string, unknown>)[key]),
    );
    const isTwice = queues.findIndex(({ name }) => name === queue.name) !== index;
    const isWatched = watched.includes(queue.name);
    return [
      ...unknown.map((key) => `${where}.${key}: no such setting; there are ${Object.keys(RULES).join(", ")}`),
      ...wrong.map(([key, { must }]) => `${where}.${key}: must be ${must}`),
      ...(isTwice ? [`${where}: ${queue.name} is there twice; keep one`] : []),
      ...(isWatched || wrong.some(([key]) => key === "name")
        ? []
        : [`${where}: ${queue.name} is not in scheduler.queue_name; add it there, or leave it out here`]),
    ];
  });
}

/** The queues that are watched, each with what its settings say of it. */
export function queuePolicies(
  settings: readonly QueueSettings[],
  watched: readonly string[],
): readonly QueuePolicy[] {
  return watched.map((name) => {
    const own: Partial<QueueSettings> = settings.find((queue) => queue.name === name) ?? {};
    const perS = own.rate_per_s;
    return {
      name,
      weight: own.weight ?? 1,
      priority: own.priority ?? 0,
      maxInflight: own.max_inflight,
      rate: perS === undefined ? undefined : { perS, burst: own.burst ?? Math.max(1, Math.floor(perS)) },
      isPaused: own.paused ?? false,
    };
  });
}
