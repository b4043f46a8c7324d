import { directCalls, findComponents } from "./call-graph.ts";
import type { FlowGraph, FunctionPlan, ModuleShape } from "./flow-graph.ts";
import { type Charges, placeCharges } from "./plan-charges.ts";
import { findReturning } from "./plan-returns.ts";
import { findCheapestRests, type NodeFigures } from "./shortest-paths.ts";
import { planStack } from "./stack-plan.ts";

/**
 * What a caller pays for a callee at most. Without a bound, functions that call the next one twice would double it
 * each time, beyond what numbers hold.
 */
const MAX_PREPAID = 2 ** 20;

/**
 * Decides what is charged where, and how the stack is counted. Pure; the time is about linear in the size of the
 * module, and nothing is recursive, since hostile modules are as deep as they are large.
 *
 * No edge may lead to a function's node 0.
 */
export function planModule(shape: ModuleShape): readonly FunctionPlan[] {
  const returns = findReturning(shape);
  const stack = planStack(shape, returns);
  const planner = new ChargePlanner(shape, { returns, carries: stack.carries });
  planner.run();
  return shape.graphs.map((_, own) => {
    const carriesStack = stack.carries[own] === 1;
    const { node, edge } = planner.charges[own] as Charges;
    return {
      prepaid: planner.prepaid[own] as number,
      nodeCharge: node,
      edgeCharge: edge,
      neverReturns: returns[own] === 0,
      carriesStack,
      stackBytes: stack.takesBytes[own] as number,
      needsWrapper: carriesStack && shape.isVisible[own] === 1,
    };
  });
}

interface FunctionFacts {
  readonly returns: Uint8Array;
  readonly carries: Uint8Array;
}

class ChargePlanner {
  readonly prepaid: Float64Array;
  readonly charges: readonly Charges[];
  readonly #shape: ModuleShape;
  readonly #facts: FunctionFacts;
  /** 1 for functions of which it is found what is prepaid. */
  readonly #isKnown: Uint8Array;
  /** For the function that is being looked at; as long as the longest. */
  readonly #figures: NodeFigures;

  constructor(shape: ModuleShape, facts: FunctionFacts) {
    this.#shape = shape;
    this.#facts = facts;
    this.prepaid = new Float64Array(shape.graphs.length);
    this.#isKnown = new Uint8Array(shape.graphs.length);
    this.charges = allocateCharges(shape.graphs);
    let longest = 0;
    for (const graph of shape.graphs) {
      longest = Math.max(longest, graph.nodeCount);
    }
    this.#figures = {
      own: new Float64Array(longest),
      isStuck: new Uint8Array(longest),
      rest: new Float64Array(longest),
      ahead: new Float64Array(longest),
    };
  }

  run(): void {
    // Callees first. Of functions that call each other, what is prepaid is found with what is known by then, which is
    // never more than in the end, and what is missing they charge at their entries.
    const { order, isCyclic } = findComponents(directCalls(this.#shape));
    const again: number[] = [];
    for (const own of order) {
      this.#findRests(own);
      this.prepaid[own] = this.#mayPrepay(own);
      const isFinal = isCyclic[own] === 0 || this.#knowsCallees(own);
      this.#isKnown[own] = 1;
      if (isFinal) {
        this.#place(own);
      } else {
        again.push(own);
      }
    }
    for (const own of again) {
      this.#findRests(own);
      this.#place(own);
    }
  }

  /** Whether all that is prepaid for its callees is found. */
  #knowsCallees(own: number): boolean {
    const { callTarget } = this.#shape.graphs[own] as FlowGraph;
    for (let at = 0; at < callTarget.length; at += 1) {
      const callee = (callTarget[at] as number) - this.#shape.importedFunctions;
      if (callee >= 0 && this.#isKnown[callee] === 0) {
        return false;
      }
    }
    return true;
  }

  #findRests(own: number): void {
    const graph = this.#shape.graphs[own] as FlowGraph;
    const { importedFunctions, mayCatch } = this.#shape;
    const { own: costs, isStuck } = this.#figures;
    costs.set(graph.cost);
    isStuck.fill(0, 0, graph.nodeCount);
    for (let at = 0; at < graph.callNode.length; at += 1) {
      const callee = (graph.callTarget[at] as number) - importedFunctions;
      if (callee >= 0) {
        const node = graph.callNode[at] as number;
        costs[node] = (costs[node] as number) + (this.prepaid[callee] as number);
        if (this.#facts.returns[callee] === 0 && !mayCatch) {
          isStuck[node] = 1;
        }
      }
    }
    findCheapestRests(graph, this.#figures, mayCatch);
  }

  /** A function that somebody calls who is not seen charges itself, or has a wrapper that does. */
  #mayPrepay(own: number): number {
    const isPaidFor = this.#shape.isVisible[own] === 0 || this.#facts.carries[own] === 1;
    const rest = this.#figures.rest[0] as number;
    return isPaidFor && this.#facts.returns[own] === 1 && rest < Infinity ? Math.min(rest, MAX_PREPAID) : 0;
  }

  #place(own: number): void {
    const charges = this.charges[own] as Charges;
    placeCharges(this.#shape.graphs[own] as FlowGraph, this.#figures, charges);
    charges.node[0] = (charges.node[0] as number) - (this.prepaid[own] as number);
  }
}

/** Views of one array for the whole module: a module has thousands of functions, most of them small. */
function allocateCharges(graphs: readonly FlowGraph[]): readonly Charges[] {
  let length = 0;
  for (const graph of graphs) {
    length += graph.nodeCount + graph.edgeTarget.length;
  }
  const { buffer } = new Float64Array(length);
  let at = 0;
  return graphs.map(({ nodeCount, edgeTarget }) => {
    const node = new Float64Array(buffer, at, nodeCount);
    at += node.byteLength;
    const edge = new Float64Array(buffer, at, edgeTarget.length);
    at += edge.byteLength;
    return { node, edge };
  });
}
