import { EXIT, type FlowGraph, type ModuleShape } from "./flow-graph.ts";

/**
 * 1 for own functions that may return. A call is gone past only once its function is known to return, so of functions
 * that call each other without an end none does. Where exceptions may be caught, whatever has a way out may return.
 */
export function findReturning(shape: ModuleShape): Uint8Array {
  if (shape.mayCatch) {
    return Uint8Array.from(shape.graphs, (graph) => (graph.edgeTarget.includes(EXIT) ? 1 : 0));
  }
  const search = new ReturnSearch(shape);
  for (let own = 0; own < shape.graphs.length; own += 1) {
    search.enter(own);
  }
  return search.returns;
}

const NONE = -1;

/**
 * Walks all functions from their entries at once. A node whose next call does not return, as far as is known, waits
 * in a list of the called function. Nodes have numbers of the whole module.
 */
class ReturnSearch {
  readonly returns: Uint8Array;
  readonly #shape: ModuleShape;
  readonly #firstNode: Uint32Array;
  readonly #functionOf: Uint32Array;
  readonly #isReached: Uint8Array;
  /** Calls of a node, in a list: the next to go past, and after each call the next one. */
  readonly #nextCall: Int32Array;
  readonly #callAfter: Int32Array;
  readonly #callTarget: Int32Array;
  /** Nodes that wait for a function, in a list. */
  readonly #firstWaiting: Int32Array;
  readonly #waitingAfter: Int32Array;
  /** Nodes to look at. A node is in it once at most. */
  readonly #todo: Uint32Array;
  #todoCount = 0;

  constructor(shape: ModuleShape) {
    const { graphs } = shape;
    let nodeCount = 0;
    let callCount = 0;
    this.#firstNode = new Uint32Array(graphs.length);
    for (const [own, graph] of graphs.entries()) {
      this.#firstNode[own] = nodeCount;
      nodeCount += graph.nodeCount;
      callCount += graph.callTarget.length;
    }
    this.#shape = shape;
    this.returns = new Uint8Array(graphs.length);
    this.#functionOf = new Uint32Array(nodeCount);
    this.#isReached = new Uint8Array(nodeCount);
    this.#nextCall = new Int32Array(nodeCount).fill(NONE);
    this.#callAfter = new Int32Array(callCount);
    this.#callTarget = new Int32Array(callCount);
    this.#firstWaiting = new Int32Array(graphs.length).fill(NONE);
    this.#waitingAfter = new Int32Array(nodeCount);
    this.#todo = new Uint32Array(nodeCount);
    let calls = 0;
    for (const [own, graph] of graphs.entries()) {
      const base = this.#firstNode[own] as number;
      this.#functionOf.fill(own, base, base + graph.nodeCount);
      calls = this.#listCalls(graph, base, calls);
    }
  }

  enter(own: number): void {
    this.#reach(this.#firstNode[own] as number);
    while (this.#todoCount > 0) {
      this.#todoCount -= 1;
      this.#look(this.#todo[this.#todoCount] as number);
    }
  }

  #listCalls(graph: FlowGraph, base: number, first: number): number {
    let call = first;
    for (let at = 0; at < graph.callNode.length; at += 1) {
      const target = (graph.callTarget[at] as number) - this.#shape.importedFunctions;
      if (target >= 0) {
        const node = base + (graph.callNode[at] as number);
        this.#callTarget[call] = target;
        this.#callAfter[call] = this.#nextCall[node] as number;
        this.#nextCall[node] = call;
        call += 1;
      }
    }
    return call;
  }

  #reach(node: number): void {
    if (this.#isReached[node] === 0) {
      this.#isReached[node] = 1;
      this.#todo[this.#todoCount] = node;
      this.#todoCount += 1;
    }
  }

  #look(node: number): void {
    const own = this.#functionOf[node] as number;
    if (this.returns[own] === 1 || this.#waits(node)) {
      return;
    }
    const graph = this.#shape.graphs[own] as FlowGraph;
    const base = this.#firstNode[own] as number;
    const end = graph.firstEdge[node - base + 1] as number;
    for (let edge = graph.firstEdge[node - base] as number; edge < end; edge += 1) {
      const target = graph.edgeTarget[edge] as number;
      if (target === EXIT) {
        this.#settle(own);
        return;
      }
      this.#reach(base + target);
    }
  }

  #waits(node: number): boolean {
    let call = this.#nextCall[node] as number;
    while (call !== NONE && this.returns[this.#callTarget[call] as number] === 1) {
      call = this.#callAfter[call] as number;
    }
    this.#nextCall[node] = call;
    if (call === NONE) {
      return false;
    }
    const target = this.#callTarget[call] as number;
    this.#waitingAfter[node] = this.#firstWaiting[target] as number;
    this.#firstWaiting[target] = node;
    return true;
  }

  #settle(own: number): void {
    this.returns[own] = 1;
    let node = this.#firstWaiting[own] as number;
    while (node !== NONE) {
      this.#todo[this.#todoCount] = node;
      this.#todoCount += 1;
      node = this.#waitingAfter[node] as number;
    }
  }
}
