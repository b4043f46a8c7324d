import type { Lease } from "./task.ts";

/**
 * When to renew: a third into the lease, so that two renewals can fail before it
 * is lost, or after `intervalMs` when that is sooner.
 */
export function heartbeatDueAtMs(lease: Lease, intervalMs: number): number {
  const startedAtMs = lease.expiresAtMs - lease.durationMs;
  return startedAtMs + Math.min(lease.durationMs / 3, intervalMs);
}

/** Seconds between progress messages asked of the executor: often enough for a heartbeat to have news. */
export function progressIntervalS(lease: Lease): number {
  return Math.max(1, Math.min(30, Math.floor(lease.durationMs / 6_000)));
}
