import { EXIT, type FlowGraph, type ModuleShape } from "../src/meter/flow-graph.ts";

/** A node of a graph that a test draws: its cost, where it goes to, what it calls. */
export interface DrawnNode {
  readonly cost: number;
  /** Nodes, or `EXIT`. */
  readonly to?: readonly number[];
  readonly isLanding?: boolean;
  /** Functions by index. */
  readonly calls?: readonly number[];
}

export function drawGraph(nodes: readonly DrawnNode[]): FlowGraph {
  const firstEdge = new Uint32Array(nodes.length + 1);
  for (const [index, node] of nodes.entries()) {
    firstEdge[index + 1] = firstEdge[index]! + (node.to?.length ?? 0);
  }
  return {
    nodeCount: nodes.length,
    cost: Uint32Array.from(nodes, (node) => node.cost),
    firstEdge,
    edgeTarget: Int32Array.from(nodes.flatMap((node) => node.to ?? [])),
    isLanding: Uint8Array.from(nodes, (node) => (node.isLanding === true ? 1 : 0)),
    callNode: Uint32Array.from(nodes.flatMap((node, index) => (node.calls ?? []).map(() => index))),
    callTarget: Uint32Array.from(nodes.flatMap((node) => node.calls ?? [])),
  };
}

/** A module of these functions; only the first is visible unless `visible` says otherwise. */
export function drawModule(
  graphs: readonly FlowGraph[],
  options: {
    readonly visible?: readonly number[];
    readonly imports?: number;
    readonly frameBytes?: readonly number[];
    readonly typeOf?: readonly number[];
    readonly indirectTypes?: readonly (readonly number[])[];
    readonly mayReenter?: boolean;
    readonly mayCatch?: boolean;
  } = {},
): ModuleShape {
  const visible = new Set(options.visible ?? [0]);
  return {
    importedFunctions: options.imports ?? 0,
    graphs,
    frameBytes: Uint32Array.from(graphs, (_, own) => options.frameBytes?.[own] ?? 100),
    typeOf: Uint32Array.from(graphs, (_, own) => options.typeOf?.[own] ?? 0),
    indirectTypes: graphs.map((_, own) => Uint32Array.from(options.indirectTypes?.[own] ?? [])),
    isVisible: Uint8Array.from(graphs, (_, own) => (visible.has(own) ? 1 : 0)),
    mayReenter: options.mayReenter ?? false,
    mayCatch: options.mayCatch ?? false,
  };
}

export function edgesOf(graph: FlowGraph, node: number): readonly { edge: number; target: number }[] {
  const edges = [];
  for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge += 1) {
    edges.push({ edge, target: graph.edgeTarget[edge]! });
  }
  return edges;
}

/** The item at an index, which must be there. */
export function at<T>(items: ArrayLike<T>, index: number): T {
  if (index >= items.length) {
    throw new RangeError(`no item ${index} of ${items.length}`);
  }
  return items[index]!;
}

export { EXIT };
