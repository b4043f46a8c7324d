import type { ExecutorView } from "../../ports.ts";
import type { ActiveRun } from "./active-run.ts";
import type { Room } from "./room.ts";
import type { PeerInfo } from "./session.ts";

export interface EndpointFacts extends Pick<ExecutorView, "url" | "origin" | "reason" | "roundTripMs"> {
  readonly isReady: boolean;
  readonly isClosed: boolean;
  readonly isRefused: boolean;
  readonly wasConnected: boolean;
  readonly peer: PeerInfo | undefined;
  readonly nowMs: number;
  readonly sinceMs: number;
  readonly room: Room;
  readonly runs: readonly ActiveRun[];
}

/** An endpoint as the operator sees it. */
export function viewOf(facts: EndpointFacts): ExecutorView {
  const { url, origin, reason, peer, nowMs, sinceMs, room, runs, roundTripMs } = facts;
  return {
    url,
    state: stateOf(facts),
    origin,
    reason,
    version: peer?.version ?? "",
    agent: peer?.agent ?? "",
    instanceId: peer?.instanceId ?? "",
    sinceMs: nowMs - sinceMs,
    classes: facts.isReady ? room.view() : [],
    kinds: facts.isReady ? room.kinds : [],
    runs: runs.map(({ assignment, percent, startedAtMs }) => ({
      taskId: assignment.task.id,
      runId: assignment.runId,
      percent,
      forMs: nowMs - startedAtMs,
    })),
    roundTripMs,
  };
}

function stateOf({ isReady, isClosed, isRefused, wasConnected }: EndpointFacts): ExecutorView["state"] {
  if (isReady) return isClosed ? "draining" : "ready";
  if (isRefused) return "refused";
  return wasConnected ? "away" : "connecting";
}
