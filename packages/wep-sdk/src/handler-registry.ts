import { WepError } from "./errors.ts";
import { type Handler, isHandler } from "./handler.ts";

/** The handlers of one server, by kind and version. */
export class HandlerRegistry {
  readonly #handlers = new Map<string, Handler>();

  /** @throws {WepError} DUPLICATE_HANDLER, or INVALID_HANDLER for what `defineHandler` did not make */
  constructor(handlers: readonly Handler[]) {
    for (const handler of handlers) {
      if (!isHandler(handler)) {
        throw new WepError("INVALID_HANDLER", "a handler was not made by defineHandler(); wrap it in one");
      }
      const name = handlerName(handler);
      if (this.#handlers.has(name)) {
        throw new WepError(
          "DUPLICATE_HANDLER",
          `two handlers are named ${name}; change the kind or version of one`,
        );
      }
      this.#handlers.set(name, handler);
    }
  }

  get isEmpty(): boolean {
    return this.#handlers.size === 0;
  }

  /** In the order they were registered. */
  get all(): readonly Handler[] {
    return [...this.#handlers.values()];
  }

  find(kind: string, version: string): Handler | undefined {
    return this.#handlers.get(handlerName({ kind, version }));
  }

  /** For messages: every handler there is. */
  describe(): string {
    return this.isEmpty ? "none" : [...this.#handlers.keys()].join(", ");
  }
}

/** How a handler is called in messages: `audio.preprocess 1.0.0`. */
export function handlerName({ kind, version }: { readonly kind: string; readonly version: string }): string {
  return `${kind} ${version}`;
}
