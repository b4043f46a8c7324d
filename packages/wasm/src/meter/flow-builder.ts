import { ArrayPool, NumberList } from "./bytes.ts";
import { EXIT, type FlowGraph } from "./flow-graph.ts";

/**
 * Builds the flow graphs of a module's functions, one after the other. Nodes are numbered in the order of the code,
 * so every edge that leads back goes to the header of a loop. Edges are added when their node ends, and may lead to a
 * label whose node is not known yet.
 *
 * 1. `current` is the open node, -1 in code that cannot be reached.
 * 2. The edges of a node are added after it began and before the next one does, all but those of {@link addHandler}.
 */
export class FlowBuilder {
  current = -1;
  /** Nodes so far; the number of the next. */
  nodeCount = 0;
  /** Cost of the open node so far. */
  cost = 0;
  readonly #costs = new NumberList();
  readonly #landings = new NumberList();
  readonly #firstEdges = new NumberList();
  readonly #edgeTargets = new NumberList();
  readonly #edgeSources = new NumberList();
  readonly #labels = new NumberList();
  readonly #callNodes = new NumberList();
  readonly #callTargets = new NumberList();
  readonly #pool = new ArrayPool();
  #hasHandlers = false;

  /** Begins with a function; its entry costs 1. */
  beginFunction(): void {
    this.current = -1;
    this.nodeCount = 0;
    this.cost = 0;
    for (const list of [
      this.#costs,
      this.#landings,
      this.#firstEdges,
      this.#edgeTargets,
      this.#edgeSources,
      this.#labels,
      this.#callNodes,
      this.#callTargets,
    ]) {
      list.length = 0;
    }
    this.#hasHandlers = false;
    this.beginNode(0);
    this.cost = 1;
  }

  /** Begins a node; the open one, if any, must have its edges. */
  beginNode(isLanding: number): number {
    this.#closeNode();
    const node = this.nodeCount++;
    this.current = node;
    this.#costs.push(0);
    this.#landings.push(isLanding);
    this.#firstEdges.push(this.#edgeTargets.length);
    return node;
  }

  /** The open node ends, and code that cannot be reached begins. */
  endNode(): void {
    this.#closeNode();
    this.current = -1;
  }

  #closeNode(): void {
    if (this.current >= 0) {
      this.#costs.values[this.current] = this.cost;
    }
    this.cost = 0;
  }

  /** An edge from the open node to a node, to EXIT, or to what {@link toLabel} says. */
  addEdge(target: number): number {
    this.#edgeSources.push(this.current);
    return this.#edgeTargets.push(target);
  }

  /** An edge from a node that has ended to the next one, which handles what is thrown after it. */
  addHandler(source: number): void {
    this.#hasHandlers = true;
    this.#edgeSources.push(source);
    this.#edgeTargets.push(this.nodeCount);
  }

  /** A label that has no node yet. */
  newLabel(): number {
    return this.#labels.push(-1);
  }

  /** Target of edges to a label. */
  toLabel(label: number): number {
    return -2 - label;
  }

  placeLabel(label: number, node: number): void {
    this.#labels.values[label] = node;
  }

  /** Edges to the node of a label that is placed bear no charge. */
  makeLabelLanding(label: number): void {
    this.#landings.values[this.#labels.at(label)] = 1;
  }

  /** The open node calls a function. */
  addCall(target: number): void {
    this.#callNodes.push(this.current);
    this.#callTargets.push(target);
  }

  /** The finished graph. `rank` says the new number of each edge, where they have other ones now. */
  finish(): { readonly graph: FlowGraph; readonly rank: Int32Array | undefined } {
    this.#closeNode();
    const edgeCount = this.#edgeTargets.length;
    const { values } = this.#edgeTargets;
    for (let edge = 0; edge < edgeCount; edge++) {
      const target = values[edge] as number;
      if (target < EXIT) {
        values[edge] = this.#labels.at(-2 - target);
      }
    }
    const sorted = this.#hasHandlers ? this.#sorted(values.slice(0, edgeCount)) : undefined;
    this.#firstEdges.push(edgeCount);
    const pool = this.#pool;
    return {
      graph: {
        nodeCount: this.nodeCount,
        cost: pool.uint32(this.#costs),
        isLanding: pool.uint8(this.#landings),
        callNode: pool.uint32(this.#callNodes),
        callTarget: pool.uint32(this.#callTargets),
        firstEdge: sorted?.firstEdge ?? pool.uint32(this.#firstEdges),
        edgeTarget: sorted?.edgeTarget ?? pool.int32(this.#edgeTargets),
      },
      rank: sorted?.rank,
    };
  }

  /** Edges by their nodes, in the order in which they were added. */
  #sorted(targets: Int32Array): { firstEdge: Uint32Array; edgeTarget: Int32Array; rank: Int32Array } {
    const firstEdge = new Uint32Array(this.nodeCount + 1);
    for (let edge = 0; edge < targets.length; edge++) {
      const next = this.#edgeSources.at(edge) + 1;
      firstEdge[next] = (firstEdge[next] as number) + 1;
    }
    for (let node = 0; node < this.nodeCount; node++) {
      firstEdge[node + 1] = (firstEdge[node + 1] as number) + (firstEdge[node] as number);
    }
    const free = firstEdge.slice();
    const edgeTarget = new Int32Array(targets.length);
    const rank = new Int32Array(targets.length);
    for (let edge = 0; edge < targets.length; edge++) {
      const source = this.#edgeSources.at(edge);
      const place = free[source] as number;
      free[source] = place + 1;
      edgeTarget[place] = targets[edge] as number;
      rank[edge] = place;
    }
    return { firstEdge, edgeTarget, rank };
  }
}
