/** A promise and the means to settle it, so that a test decides when something happens. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/**
 * Creates a promise that the caller settles.
 *
 * @example
 * ```ts
 * import { createDeferred } from "@subnet-worker/testkit";
 *
 * const started = createDeferred<string>();
 * started.resolve("now");
 * await started.promise;
 * ```
 */
export function createDeferred<T = void>(): Deferred<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  return { promise, resolve, reject };
}
