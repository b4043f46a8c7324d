import type { RunHost } from "../../thread/protocol.ts";
import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./link-imports.ts";

/** What the clocks of a seeded world advance by with each reading, and what a live one's are good for. */
const RESOLUTION_NS = 1000n;

const CLOCK = { realtime: 0, monotonic: 1, processCpu: 2, threadCpu: 3 } as const;

/**
 * Nanoseconds on one of WASI's clocks; `undefined` when there is no such clock. The two of CPU time are the time since
 * the run began, since a run has its thread to itself and a seeded world has no other.
 */
export function readClock(host: RunHost, clockId: number): bigint | undefined {
  switch (clockId) {
    case CLOCK.realtime:
      return host.wallClockNs();
    case CLOCK.monotonic:
    case CLOCK.processCpu:
    case CLOCK.threadCpu:
      return host.monotonicNs();
    default:
      return undefined;
  }
}

export function isClock(clockId: number): boolean {
  return clockId >= CLOCK.realtime && clockId <= CLOCK.threadCpu;
}

export function clockResGet({ memory }: GuestCall, clockId: number, resolution: number): number {
  if (!isClock(clockId)) return ERRNO.inval;
  memory.setU64(resolution, RESOLUTION_NS);
  return ERRNO.success;
}

export function clockTimeGet(
  { host, memory }: GuestCall,
  ...[clockId, _precisionNs, time]: [clockId: number, precisionNs: bigint, time: number]
): number {
  // A call that fails must not advance the clock of a seeded world.
  memory.check(time, 8);
  const nowNs = readClock(host, clockId);
  if (nowNs === undefined) return ERRNO.inval;
  memory.setU64(time, nowNs);
  return ERRNO.success;
}
