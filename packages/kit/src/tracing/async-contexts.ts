import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, type ContextManager, ROOT_CONTEXT } from "@opentelemetry/api";

/** Which span is active, kept by Node along calls and what they await. */
export class AsyncContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  readonly with: ContextManager["with"] = (context, fn, ...rest) => {
    const [thisArg, ...args] = rest;
    return this.#storage.run(context, () => fn.apply(thisArg as ThisParameterType<typeof fn>, args));
  };

  /** Functions only: listeners of an emitter run where they were added, as Node has it. */
  bind<T>(context: Context, target: T): T {
    if (typeof target !== "function") return target;
    const bound = (...args: unknown[]): unknown =>
      this.#storage.run(context, () => target(...args) as unknown);
    return bound as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}
