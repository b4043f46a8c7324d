import * as fc from "fast-check";
import { EXIT, type FlowGraph, type FunctionPlan, type ModuleShape } from "../src/meter/flow-graph.ts";
import { type DrawnNode, drawGraph, drawModule, edgesOf } from "./_flow-graphs.ts";

/** Draws functions at random. Jumps back are from nodes that cost something, as in code they do. */
export function arbitraryModule(mayCatch: boolean): fc.Arbitrary<ModuleShape> {
  return fc.integer({ min: 1, max: 4 }).chain((functionCount) =>
    fc
      .record({
        graphs: fc.array(arbitraryGraph(functionCount, mayCatch), {
          minLength: functionCount,
          maxLength: functionCount,
        }),
        visible: fc.subarray(Array.from({ length: functionCount }, (_, own) => own)),
      })
      .map(({ graphs, visible }) => drawModule(graphs, { visible: [0, ...visible], imports: 1, mayCatch })),
  );
}

function arbitraryGraph(functionCount: number, mayCatch: boolean): fc.Arbitrary<FlowGraph> {
  const node = (index: number, count: number): fc.Arbitrary<DrawnNode> =>
    fc
      .record({
        cost: fc.integer({ min: index === 0 ? 1 : 0, max: 6 }),
        to: fc.array(
          fc.oneof(
            { weight: 3, arbitrary: fc.integer({ min: Math.min(index + 1, count - 1), max: count - 1 }) },
            { weight: 1, arbitrary: fc.integer({ min: Math.min(1, count - 1), max: count - 1 }) },
            { weight: 1, arbitrary: fc.constant(EXIT) },
          ),
          { maxLength: 3 },
        ),
        isLanding: fc.integer({ min: 0, max: 4 }).map((roll) => roll === 0 && index > 0),
        calls: fc.array(fc.integer({ min: 0, max: functionCount }), { maxLength: 2 }),
      })
      .map((drawn) => {
        const to = drawn.to.filter((target) => target !== 0);
        return {
          ...drawn,
          to,
          cost: to.some((target) => target !== EXIT && target <= index) ? drawn.cost + 1 : drawn.cost,
        };
      });
  return fc
    .integer({ min: 1, max: 8 })
    .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => node(index, count))))
    .map((nodes) => drawGraph(mayCatch ? splitAfterCalls(nodes) : nodes));
}

/** With exceptions a call ends its node, and all that it leads to are landings. */
function splitAfterCalls(nodes: readonly DrawnNode[]): readonly DrawnNode[] {
  const landings = new Set<number>();
  const drawn = nodes.map((node) => {
    const calls = (node.calls ?? []).slice(0, 1);
    if (calls.length > 0) {
      for (const target of node.to ?? []) {
        landings.add(target);
      }
    }
    return { ...node, calls };
  });
  return drawn.map((node, index) => ({ ...node, isLanding: node.isLanding === true || landings.has(index) }));
}

/** Cheapest way from each node to the exit, by plain repetition; calls that never return have none. */
function cheapestRests(shape: ModuleShape, plans: readonly FunctionPlan[], own: number): readonly number[] {
  const graph = shape.graphs[own]!;
  const rests = Array.from({ length: graph.nodeCount }, () => Infinity);
  for (let round = 0; round <= graph.nodeCount; round += 1) {
    for (let node = 0; node < graph.nodeCount; node += 1) {
      const edges = edgesOf(graph, node);
      const ways = edges.map(({ target }) => (target === EXIT ? 0 : rests[target]!));
      if (shape.mayCatch && (edges.length === 0 || callsOf(graph, node).length > 0)) {
        ways.push(0);
      }
      if (shape.mayCatch || !isStuck(shape, plans, { own, node })) {
        rests[node] = ownCost(shape, plans, { own, node }) + Math.min(Infinity, ...ways);
      }
    }
  }
  return rests;
}

interface Place {
  readonly own: number;
  readonly node: number;
}

function callsOf(graph: FlowGraph, node: number): readonly number[] {
  return [...graph.callTarget].filter((_, at) => graph.callNode[at] === node);
}

function ownCost(shape: ModuleShape, plans: readonly FunctionPlan[], { own, node }: Place): number {
  const graph = shape.graphs[own]!;
  return callsOf(graph, node).reduce(
    (sum, callee) => sum + (plans[callee - shape.importedFunctions]?.prepaid ?? 0),
    graph.cost[node]!,
  );
}

export function isStuck(shape: ModuleShape, plans: readonly FunctionPlan[], { own, node }: Place): boolean {
  return callsOf(shape.graphs[own]!, node).some(
    (callee) => plans[callee - shape.importedFunctions]?.neverReturns === true,
  );
}

/** Ways through a function from its entry, each as the edges that it takes, none longer than `maxEdges`. */
function* walks(graph: FlowGraph, maxEdges: number): Generator<readonly { edge: number; target: number }[]> {
  const open: (readonly { edge: number; target: number }[])[] = [[]];
  for (let way = open.pop(); way !== undefined; way = open.pop()) {
    const node = way.at(-1)?.target ?? 0;
    const edges = node === EXIT ? [] : edgesOf(graph, node);
    if (edges.length === 0 || way.length >= maxEdges) {
      yield way;
    }
    for (const edge of way.length >= maxEdges ? [] : edges) {
      open.push([...way, edge]);
    }
  }
}

/** Goes all ways through all functions, and says what is wrong. */
export function findFaults(shape: ModuleShape, plans: readonly FunctionPlan[]): readonly string[] {
  const faults: string[] = [];
  for (const [own, graph] of shape.graphs.entries()) {
    const plan = plans[own]!;
    if ([...plan.nodeCharge, ...plan.edgeCharge].some((charge) => !(charge >= 0))) {
      faults.push(`function ${own} has a negative charge`);
    }
    const rests = cheapestRests(shape, plans, own);
    for (const way of walks(graph, 7)) {
      const fault = followWay({ shape, plans, own, rests }, way);
      if (fault !== undefined) {
        faults.push(`function ${own}, 0>${way.map(({ target }) => target).join(">")}: ${fault}`);
      }
    }
  }
  return faults;
}

function followWay(
  at: { shape: ModuleShape; plans: readonly FunctionPlan[]; own: number; rests: readonly number[] },
  way: readonly { edge: number; target: number }[],
): string | undefined {
  const { shape, plans, own, rests } = at;
  const plan = plans[own]!;
  let charged = plan.prepaid + plan.nodeCharge[0]!;
  let spent = 0;
  let node = 0;
  for (let step = 0; ; step += 1) {
    const isWay = rests[node] !== Infinity;
    if (charged < spent + ownCost(shape, plans, { own, node })) {
      return `node ${node} is not paid`;
    }
    if (isWay && charged - spent > rests[node]!) {
      return `${charged - spent} is charged ahead of node ${node}, and ${rests[node]} may be all that comes`;
    }
    spent += ownCost(shape, plans, { own, node });
    const edge = way[step];
    if (edge === undefined || (isStuck(shape, plans, { own, node }) && !shape.mayCatch)) {
      return undefined;
    }
    charged += plan.edgeCharge[edge.edge]!;
    if (edge.target === EXIT) {
      return charged === spent ? undefined : `charged ${charged} of ${spent}`;
    }
    if (shape.graphs[own]!.isLanding[edge.target] === 1 && plan.edgeCharge[edge.edge] !== 0) {
      return `an edge to the landing ${edge.target} bears a charge`;
    }
    node = edge.target;
    charged += plan.nodeCharge[node]!;
  }
}

/** Nodes that can be come back to without a charge. */
export function freeCycleNodes(
  graph: FlowGraph,
  plan: FunctionPlan,
  isEnd: (node: number) => boolean,
): readonly number[] {
  const nodes = Array.from({ length: graph.nodeCount }, (_, node) => node);
  return nodes.filter((start) => {
    const seen = new Set<number>();
    const open = [start];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      for (const { edge, target } of plan.nodeCharge[node]! > 0 || isEnd(node) ? [] : edgesOf(graph, node)) {
        if (target === start && plan.edgeCharge[edge] === 0) {
          return true;
        }
        if (target !== EXIT && plan.edgeCharge[edge] === 0 && !seen.has(target)) {
          seen.add(target);
          open.push(target);
        }
      }
    }
    return false;
  });
}

/** Runs the functions as dice say, and counts both ways. */
export class Simulation {
  charged = 0;
  spent = 0;
  readonly #shape: ModuleShape;
  readonly #plans: readonly FunctionPlan[];
  readonly #dice: Iterator<number>;
  #steps = 0;
  #depth = 0;

  constructor(shape: ModuleShape, plans: readonly FunctionPlan[], dice: Iterable<number>) {
    this.#shape = shape;
    this.#plans = plans;
    this.#dice = dice[Symbol.iterator]();
  }

  call(own: number, isPrepaid: boolean): "returned" | "thrown" | "stopped" {
    const graph = this.#shape.graphs[own]!;
    const plan = this.#plans[own]!;
    // Those who are not seen call a wrapper that pays, or the function pays itself.
    this.charged += isPrepaid ? 0 : plan.prepaid;
    this.#depth += 1;
    let node = 0;
    for (;;) {
      this.#steps += 1;
      if (this.#steps > 200 || this.#depth > 20) {
        return "stopped";
      }
      this.charged += plan.nodeCharge[node]!;
      this.spent += graph.cost[node]!;
      const end = this.#callAll(own, node);
      if (end === "stopped") {
        return end;
      }
      const edges = edgesOf(graph, node);
      if (end === "thrown" && (edges.length === 0 || this.#roll(2) === 0)) {
        this.#depth -= 1;
        return end;
      }
      if (edges.length === 0) {
        this.#depth -= 1;
        return this.#shape.mayCatch ? "thrown" : "stopped";
      }
      const { edge, target } = edges[this.#roll(edges.length)]!;
      this.charged += plan.edgeCharge[edge]!;
      if (target === EXIT) {
        // A handler is a node: what is thrown does not come back as if the call had returned.
        this.#depth -= 1;
        return end;
      }
      node = target;
    }
  }

  #callAll(own: number, node: number): "returned" | "thrown" | "stopped" {
    for (const callee of callsOf(this.#shape.graphs[own]!, node)) {
      if (callee >= this.#shape.importedFunctions) {
        const end = this.call(callee - this.#shape.importedFunctions, true);
        if (end !== "returned") {
          return end;
        }
      }
    }
    return "returned";
  }

  #roll(sides: number): number {
    return this.#dice.next().value! % sides;
  }
}
