import { systemClock } from "@subnet-worker/kit";
import type { Random } from "./_random.ts";
import { CLEAR, STALLED, type StreamProxy } from "./_stream-proxy.ts";

/** What the storm does to a way; each is over within seconds, and then the way is clear. */
const FAULTS = [
  "fin",
  "rst",
  "refuse",
  "stall",
  "stall_old",
  "swallow_to_wep",
  "swallow_to_wcp",
  "duplicate",
  "slow",
  "late",
] as const;

type StreamFault = (typeof FAULTS)[number];

/** Faults one after the other, until it is ended. */
export interface StreamStorm {
  /** How often each fault came. */
  readonly counts: ReadonlyMap<StreamFault, number>;
  /** The way is clear when it resolves. Connections that a fault has spoiled for good are still there. */
  end(): Promise<void>;
}

export interface StormOptions {
  readonly random: Random;
  /** Clear weather between two faults, at most. */
  readonly mostClearMs: number;
  /** How long a fault lasts that lasts, at most. Longer than the silence that a peer may keep, or a stall goes unseen. */
  readonly mostFaultMs: number;
}

/** Starts one on a way to a WEP. */
export function startStreamStorm(proxy: StreamProxy, options: StormOptions): StreamStorm {
  const over = new AbortController();
  const counts = new Map<StreamFault, number>();
  const blow = async () => {
    const { random, mostClearMs, mostFaultMs } = options;
    const draw = shuffledForEver(random);
    while (!over.signal.aborted) {
      await systemClock.sleep(random.between(mostClearMs / 10, mostClearMs), over.signal);
      if (over.signal.aborted) break;
      const fault = draw();
      counts.set(fault, (counts.get(fault) ?? 0) + 1);
      if (strike(proxy, fault, random)) {
        await systemClock.sleep(random.between(mostFaultMs / 10, mostFaultMs), over.signal);
      }
      clear(proxy);
    }
    clear(proxy);
  };
  const done = blow();
  done.catch(() => undefined); // `end` rejects with it
  return {
    counts,
    async end() {
      over.abort();
      await done;
    },
  };
}

/** Each fault once, in any order, again and again: a short storm has all of them. */
function shuffledForEver(random: Random): () => StreamFault {
  let left: StreamFault[] = [];
  return () => {
    if (left.length === 0) left = [...FAULTS];
    const fault = random.pick(left);
    left = left.filter((other) => other !== fault);
    return fault;
  };
}

function clear(proxy: StreamProxy): void {
  proxy.setRefusing(false);
  proxy.setWeather(CLEAR);
}

/** Whether the fault lasts. */
function strike(proxy: StreamProxy, fault: StreamFault, random: Random): boolean {
  switch (fault) {
    case "fin":
    case "rst":
      proxy.cut(fault);
      return false;
    case "refuse":
      proxy.setRefusing(true);
      proxy.cut("rst");
      return true;
    case "stall":
      proxy.setWeather(STALLED);
      return true;
    case "stall_old":
      proxy.setWeather(STALLED, false);
      return true;
    case "swallow_to_wep":
      proxy.setWeather({ ...CLEAR, toWep: "swallowed" }, false);
      return true;
    case "swallow_to_wcp":
      proxy.setWeather({ ...CLEAR, toWcp: "swallowed" }, false);
      return true;
    case "duplicate":
      proxy.duplicate(random.between(100, 2_000));
      return false;
    case "slow":
      proxy.setWeather({ ...CLEAR, bytesPerS: random.between(500, 20_000) });
      return true;
    case "late":
      proxy.setWeather({ ...CLEAR, latencyMs: random.between(10, 400) });
      return true;
    default:
      return unreachable(fault);
  }
}

function unreachable(value: never): never {
  throw new Error(`unknown fault ${String(value)}`);
}
