import { EXIT, type FlowGraph } from "./flow-graph.ts";
import { NodeHeap } from "./shortest-paths-heap.ts";

/** What each node of a function costs, and what is found of it. Arrays may be longer than the function. */
export interface NodeFigures {
  /** What is to be charged for the node itself. */
  readonly own: Float64Array;
  /** 1 for nodes that call a function which never returns. */
  readonly isStuck: Uint8Array;
  /** Found: what the cheapest way to the exit costs, the node included; `Infinity` where there is none. */
  readonly rest: Float64Array;
  /** Found: how much of `rest` is charged before the node; 0 for landings, which charge all by themselves. */
  readonly ahead: Float64Array;
}

/** Rounds from the last node to the first. Each settles what lies behind one more jump back. */
const MAX_SWEEPS = 6;

/**
 * Finds the cheapest ways to the exit. With `mayCatch` a node may be left by an exception: what ends in a call or a
 * throw counts as a way out.
 */
export function findCheapestRests(graph: FlowGraph, figures: NodeFigures, mayCatch: boolean): void {
  reset(graph, figures, mayCatch);
  for (let round = 0; round < MAX_SWEEPS; round += 1) {
    if (!sweep(graph, figures, mayCatch)) {
      return;
    }
  }
  reset(graph, figures, mayCatch);
  searchByCost(graph, figures, mayCatch);
}

function reset(graph: FlowGraph, figures: NodeFigures, mayCatch: boolean): void {
  figures.rest.fill(Infinity, 0, graph.nodeCount);
  figures.ahead.fill(Infinity, 0, graph.nodeCount);
  if (mayCatch) {
    for (let node = 0; node < graph.nodeCount; node += 1) {
      if (graph.isLanding[node] === 1) {
        figures.ahead[node] = 0;
      }
    }
  }
}

/** Lowers the figures along all edges once. False when they are final. */
function sweep(graph: FlowGraph, figures: NodeFigures, mayCatch: boolean): boolean {
  const { firstEdge, edgeTarget } = graph;
  const { own, isStuck, rest, ahead } = figures;
  let isLowered = false;
  let jumpsBack = false;
  for (let node = graph.nodeCount - 1; node >= 0; node -= 1) {
    const start = firstEdge[node] as number;
    const end = firstEdge[node + 1] as number;
    let cheapest = mayCatch && start === end ? 0 : Infinity;
    for (let edge = start; edge < end; edge += 1) {
      const target = edgeTarget[edge] as number;
      cheapest = Math.min(cheapest, target === EXIT ? 0 : (ahead[target] as number));
      jumpsBack ||= target <= node && target !== EXIT;
    }
    const total = (own[node] as number) + cheapest;
    if (total < (rest[node] as number) && isStuck[node] === 0) {
      rest[node] = total;
      ahead[node] = aheadOf(graph, node, total);
      isLowered = true;
    }
  }
  return isLowered && jumpsBack;
}

function aheadOf(graph: FlowGraph, node: number, total: number): number {
  return graph.isLanding[node] === 1 ? 0 : total;
}

/** Dijkstra's algorithm from the exits backwards, for functions that jump back more often. */
function searchByCost(graph: FlowGraph, figures: NodeFigures, mayCatch: boolean): void {
  const { own, rest, ahead } = figures;
  const before = reverseEdges(graph);
  const isLive = findLive(graph, { before, isStuck: figures.isStuck }, mayCatch);
  const heap = new NodeHeap(graph.edgeTarget.length + graph.nodeCount);
  for (let node = 0; node < graph.nodeCount; node += 1) {
    const isOut =
      isThrow(graph, node, mayCatch) || leadsOut(graph, node, mayCatch ? graph.isLanding : isLive);
    if (isLive[node] === 1 && isOut) {
      rest[node] = own[node] as number;
      heap.push(rest[node] as number, node);
    }
  }
  while (heap.size > 0) {
    const total = heap.lowestKey;
    const node = heap.pop();
    if (total > (rest[node] as number)) {
      continue;
    }
    ahead[node] = aheadOf(graph, node, total);
    const end = graph.isLanding[node] === 1 ? 0 : (before.first[node + 1] as number);
    for (let at = before.first[node] as number; at < end; at += 1) {
      const source = before.from[at] as number;
      const sum = (own[source] as number) + total;
      if (isLive[source] === 1 && sum < (rest[source] as number)) {
        rest[source] = sum;
        heap.push(sum, source);
      }
    }
  }
}

interface EdgesBefore {
  readonly first: Uint32Array;
  readonly from: Uint32Array;
}

function reverseEdges(graph: FlowGraph): EdgesBefore {
  const { nodeCount, firstEdge, edgeTarget } = graph;
  const first = new Uint32Array(nodeCount + 1);
  for (let edge = 0; edge < edgeTarget.length; edge += 1) {
    const target = edgeTarget[edge] as number;
    if (target !== EXIT) {
      first[target + 1] = (first[target + 1] as number) + 1;
    }
  }
  for (let node = 0; node < nodeCount; node += 1) {
    first[node + 1] = (first[node + 1] as number) + (first[node] as number);
  }
  const cursor = first.slice(0, nodeCount);
  const from = new Uint32Array(first[nodeCount] as number);
  for (let node = 0; node < nodeCount; node += 1) {
    const end = firstEdge[node + 1] as number;
    for (let edge = firstEdge[node] as number; edge < end; edge += 1) {
      const target = edgeTarget[edge] as number;
      if (target !== EXIT) {
        const slot = cursor[target] as number;
        from[slot] = node;
        cursor[target] = slot + 1;
      }
    }
  }
  return { first, from };
}

/** 1 for nodes from which there is a way out. */
function findLive(
  graph: FlowGraph,
  known: { readonly before: EdgesBefore; readonly isStuck: Uint8Array },
  mayCatch: boolean,
): Uint8Array {
  const { nodeCount } = graph;
  const { before, isStuck } = known;
  const isLive = new Uint8Array(nodeCount);
  const todo = new Uint32Array(nodeCount);
  let todoCount = 0;
  const add = (node: number): void => {
    if (isLive[node] === 0 && isStuck[node] === 0) {
      isLive[node] = 1;
      todo[todoCount] = node;
      todoCount += 1;
    }
  };
  for (let node = 0; node < nodeCount; node += 1) {
    if (isThrow(graph, node, mayCatch) || leadsOut(graph, node, mayCatch ? graph.isLanding : undefined)) {
      add(node);
    }
  }
  while (todoCount > 0) {
    todoCount -= 1;
    const node = todo[todoCount] as number;
    const end = before.first[node + 1] as number;
    for (let at = before.first[node] as number; at < end; at += 1) {
      add(before.from[at] as number);
    }
  }
  return isLive;
}

function isThrow(graph: FlowGraph, node: number, mayCatch: boolean): boolean {
  return mayCatch && graph.firstEdge[node] === graph.firstEdge[node + 1];
}

/** Whether a node has an edge out of the function, or to a landing that is marked. */
function leadsOut(graph: FlowGraph, node: number, isMarked: Uint8Array | undefined): boolean {
  const end = graph.firstEdge[node + 1] as number;
  for (let edge = graph.firstEdge[node] as number; edge < end; edge += 1) {
    const target = graph.edgeTarget[edge] as number;
    if (target === EXIT || (graph.isLanding[target] === 1 && isMarked?.[target] === 1)) {
      return true;
    }
  }
  return false;
}
