import { EXIT, type FlowGraph } from "./flow-graph.ts";
import type { NodeFigures } from "./shortest-paths.ts";

/** Where a function's charges go: filled, all 0 before. */
export interface Charges {
  readonly node: Float64Array;
  readonly edge: Float64Array;
}

/**
 * Charges the entry for the cheapest way to the exit, and each edge for what its way costs more than the cheapest from
 * there. So whatever way is taken, what was charged on it is what it costs, and never ahead of what must still come.
 * What has no way out is charged node by node.
 */
export function placeCharges(graph: FlowGraph, figures: NodeFigures, charges: Charges): void {
  const { own, rest, ahead } = figures;
  for (let node = 0; node < graph.nodeCount; node += 1) {
    const total = rest[node] as number;
    if (total === Infinity) {
      charges.node[node] = own[node] as number;
      continue;
    }
    if (node === 0 || graph.isLanding[node] === 1) {
      charges.node[node] = total;
    }
    const cheapest = total - (own[node] as number);
    const end = graph.firstEdge[node + 1] as number;
    for (let edge = graph.firstEdge[node] as number; edge < end; edge += 1) {
      const target = graph.edgeTarget[edge] as number;
      const behind = target === EXIT ? 0 : (ahead[target] as number);
      charges.edge[edge] = behind === Infinity ? 0 : behind - cheapest;
    }
  }
  mergeEqualEdges(graph, figures, charges);
}

/** What all edges to a node charge alike is charged in the node: it needs no code of its own on a branch. */
function mergeEqualEdges(graph: FlowGraph, figures: NodeFigures, charges: Charges): void {
  const { nodeCount, firstEdge, edgeTarget } = graph;
  const { rest, ahead: shared } = figures;
  // From here on nobody asks what is charged ahead: its array holds what the edges to each node charge alike.
  shared.fill(UNSEEN, 0, nodeCount);
  for (let node = 0; node < nodeCount; node += 1) {
    if (rest[node] === Infinity) {
      continue;
    }
    const end = firstEdge[node + 1] as number;
    for (let edge = firstEdge[node] as number; edge < end; edge += 1) {
      const target = edgeTarget[edge] as number;
      if (target !== EXIT) {
        const seen = shared[target];
        const charge = charges.edge[edge] as number;
        shared[target] = seen === UNSEEN || seen === charge ? charge : 0;
      }
    }
  }
  for (let edge = 0; edge < edgeTarget.length; edge += 1) {
    const target = edgeTarget[edge] as number;
    if (target !== EXIT && (shared[target] as number) > 0) {
      charges.edge[edge] = 0;
    }
  }
  for (let node = 0; node < nodeCount; node += 1) {
    if ((shared[node] as number) > 0) {
      charges.node[node] = (charges.node[node] as number) + (shared[node] as number);
    }
  }
}

const UNSEEN = -1;
