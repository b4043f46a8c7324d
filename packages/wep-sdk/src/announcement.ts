import { type Envelope, envelope } from "@subnet-worker/protocol";
import type { HandlerRegistry } from "./handler-registry.ts";
import type { RunTable } from "./run-table.ts";
import type { Settings } from "./settings.ts";

/** What this process can run. Classes and kinds are additions. */
export function capabilitiesOf(
  { handlers, settings }: { readonly handlers: HandlerRegistry; readonly settings: Settings },
  hasAdditions: boolean,
): Envelope {
  const { maxConcurrency } = settings;
  const tags = [...settings.tags];
  if (!hasAdditions) return envelope("capabilities", { maxConcurrency, tags });
  const hasClasses = settings.classes.length > 0;
  return envelope("capabilities", {
    maxConcurrency,
    tags,
    kinds: handlers.all.map(({ kind, version, class: name }) => ({
      kind,
      version,
      class: hasClasses ? name : "",
    })),
    classes: settings.classes.map(({ name, slots, tags: own }) => ({
      name,
      maxConcurrency: slots,
      tags: [...own],
    })),
    inventoryFollows: true,
  });
}

/** Slots that are free right now; none while draining. */
export function capacityOf(runs: RunTable, hasAdditions: boolean): Envelope {
  const availableSlots = runs.freeSlots;
  if (!hasAdditions) return envelope("capacity", { availableSlots });
  const classes = runs.classSlots.map(({ name, free }) => ({ name, availableSlots: free }));
  return envelope("capacity", { availableSlots, classes });
}
