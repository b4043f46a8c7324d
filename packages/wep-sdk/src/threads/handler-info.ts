import type { Handler } from "../handler.ts";
import type { HandlerInfo } from "../server-options.ts";

/** What there is to know of handlers without running them. */
export function infosOf(handlers: readonly Handler[]): HandlerInfo[] {
  return handlers.map((handler) => {
    // One that an older copy of this package made has no class.
    const { kind, version, class: workClass = "cpu" } = handler as Omit<Handler, "class"> & Partial<Handler>;
    return { kind, version, class: workClass };
  });
}
