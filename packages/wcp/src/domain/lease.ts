import type { Lease } from "./task.ts";

type Term = Pick<Lease, "expiresAtMs" | "durationMs">;

/**
 * When to renew: a third into the lease, so that two renewals can fail before it
 * is lost, or after `intervalMs` when that is sooner.
 */
export function heartbeatDueAtMs(lease: Term, intervalMs: number): number {
  const startedAtMs = lease.expiresAtMs - lease.durationMs;
  return startedAtMs + Math.min(lease.durationMs / 3, intervalMs);
}

/** Seconds between progress messages asked of the executor: often enough for a heartbeat to have news. */
export function progressIntervalS(lease: Term): number {
  return Math.max(1, Math.min(30, Math.floor(lease.durationMs / 6_000)));
}

/**
 * Whether a lease of this length can be held at all: a renewal is asked for after a third of it and has
 * the rest of it to take effect.
 */
export function isHoldable(leaseMs: number, renewalMs: number): boolean {
  return renewalMs < (leaseMs * 2) / 3;
}
