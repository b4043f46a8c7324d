import { allCalls, findComponents, type Links } from "./call-graph.ts";
import type { ModuleShape } from "./flow-graph.ts";

/** How the frames of open calls are counted. By own function. */
export interface StackPlan {
  /** 1 for functions that are handed the bytes which are left: those that count, and all that can reach one. */
  readonly carries: Uint8Array;
  /** What a function takes from them; 0 for those that do not count. */
  readonly takesBytes: Float64Array;
}

/** What functions that do not count may weigh, one calling the other: a run's frames are off by this at most. */
const CHAIN_BYTES = 4096;

/**
 * What such a chain may weigh where it leads from recursive code to a function that counts. Its weight is taken by the
 * function above it on each of its calls, whether they go that way or not, so it has to be small.
 */
const LEAD_BYTES = 512;

/**
 * Chooses functions that count so that every cycle of calls has one. Frames between two of them are taken by the upper
 * one; what is below the last is not taken, and weighs at most `CHAIN_BYTES`.
 */
export function planStack(shape: ModuleShape, returns: Uint8Array): StackPlan {
  const links = allCalls(shape);
  const { isCyclic } = findComponents(links);
  const search = new CycleSearch(links, shape.graphs.length);
  for (let own = 0; own < returns.length; own += 1) {
    if (isCyclic[own] === 1 && returns[own] === 0) {
      search.count(own); // panics: they are on many cycles, and run once
    }
  }
  search.run();
  return weighChains(shape, {
    links,
    order: search.order,
    counts: search.counts,
    isDeep: findReachable(links, isCyclic),
  });
}

/** Walks the calls, and counts functions until no cycle is left without. */
class CycleSearch {
  /** 1 for functions that count. */
  readonly counts: Uint8Array;
  readonly #links: Links;
  readonly #functionCount: number;
  readonly #state: Uint8Array;
  readonly #cursor: Uint32Array;
  readonly #path: Uint32Array;
  readonly #order: Uint32Array;
  #ordered = 0;

  constructor(links: Links, functionCount: number) {
    this.#links = links;
    this.#functionCount = functionCount;
    this.counts = new Uint8Array(links.nodeCount);
    this.#state = new Uint8Array(links.nodeCount);
    this.#cursor = links.first.slice(0, links.nodeCount);
    this.#path = new Uint32Array(links.nodeCount);
    this.#order = new Uint32Array(links.nodeCount);
  }

  /** Nodes, but those that counted before, in an order in which what they call comes before them. */
  get order(): Uint32Array {
    return this.#order.subarray(0, this.#ordered);
  }

  count(own: number): void {
    this.counts[own] = 1;
    this.#state[own] = DONE;
  }

  run(): void {
    // Nodes of types and of the outside come first: those who call them count then, and not all that they lead to.
    for (let node = this.#links.nodeCount - 1; node >= 0; node -= 1) {
      if (this.#state[node] === UNSEEN) {
        this.#walk(node);
      }
    }
  }

  #walk(root: number): void {
    let depth = 0;
    this.#path[depth] = root;
    this.#state[root] = OPEN;
    while (depth >= 0) {
      const node = this.#path[depth] as number;
      const next = this.#nextUnseen(node);
      if (next === undefined) {
        this.#state[node] = DONE;
        this.#order[this.#ordered] = node;
        this.#ordered += 1;
        depth -= 1;
      } else {
        this.#state[next] = OPEN;
        depth += 1;
        this.#path[depth] = next;
      }
    }
  }

  #nextUnseen(node: number): number | undefined {
    const { to, first } = this.#links;
    const end = first[node + 1] as number;
    for (let at = this.#cursor[node] as number; at < end; at += 1) {
      const next = to[at] as number;
      if (this.#state[next] === UNSEEN) {
        this.#cursor[node] = at + 1;
        return next;
      }
      if (this.#state[next] === OPEN && this.counts[next] === 0 && this.counts[node] === 0) {
        // One of the two is a function: nodes that are none lead to functions only.
        this.counts[next < this.#functionCount ? next : node] = 1;
      }
    }
    this.#cursor[node] = end;
    return undefined;
  }
}

const UNSEEN = 0;
const OPEN = 1;
const DONE = 2;

interface CallFacts {
  readonly links: Links;
  readonly order: Uint32Array;
  readonly counts: Uint8Array;
  /** 1 for what can be called from a cycle. */
  readonly isDeep: Uint8Array;
}

const NO_LEAD = -1;

/** Counts functions too where chains of others weigh too much, and weighs what is left. */
function weighChains(shape: ModuleShape, facts: CallFacts): StackPlan {
  const { order, counts } = facts;
  const functionCount = shape.graphs.length;
  const weights = new ChainWeights(shape, facts);
  for (const node of order) {
    if (counts[node] === 0) {
      weights.weigh(node);
      counts[node] = node < functionCount && weights.isTooHeavy(node) ? 1 : 0;
    }
  }
  const carries = new Uint8Array(functionCount);
  const takesBytes = new Float64Array(functionCount);
  for (let own = 0; own < functionCount; own += 1) {
    carries[own] = counts[own] === 1 || weights.leadsToCount(own) ? 1 : 0;
    if (counts[own] === 1) {
      weights.weigh(own);
      takesBytes[own] = weights.takenBytes(own);
    }
  }
  return { carries, takesBytes };
}

class ChainWeights {
  /** Heaviest chain that begins with a node. */
  readonly #chain: Float64Array;
  /** Heaviest of those that lead to a function that counts, without it. */
  readonly #lead: Float64Array;
  readonly #facts: CallFacts;
  readonly #frameBytes: Uint32Array;

  constructor(shape: ModuleShape, facts: CallFacts) {
    const { nodeCount } = facts.links;
    this.#facts = facts;
    this.#frameBytes = new Uint32Array(nodeCount);
    this.#frameBytes.set(shape.frameBytes);
    this.#chain = new Float64Array(nodeCount);
    this.#lead = new Float64Array(nodeCount).fill(NO_LEAD);
  }

  weigh(node: number): void {
    const { links, counts } = this.#facts;
    const end = links.first[node + 1] as number;
    let chain = 0;
    let lead = NO_LEAD;
    for (let at = links.first[node] as number; at < end; at += 1) {
      const next = links.to[at] as number;
      const counted = counts[next] === 1;
      chain = Math.max(chain, counted ? 0 : (this.#chain[next] as number));
      lead = Math.max(lead, counted ? 0 : (this.#lead[next] as number));
    }
    const frame = this.#frameBytes[node] as number;
    this.#chain[node] = frame + chain;
    this.#lead[node] = lead === NO_LEAD ? NO_LEAD : frame + lead;
  }

  isTooHeavy(node: number): boolean {
    const isLong = (this.#chain[node] as number) > CHAIN_BYTES;
    return isLong || (this.#facts.isDeep[node] === 1 && (this.#lead[node] as number) > LEAD_BYTES);
  }

  leadsToCount(own: number): boolean {
    return this.#lead[own] !== NO_LEAD;
  }

  /** For a function that counts: its frame, and what it may call before the next that counts. */
  takenBytes(own: number): number {
    return Math.max(this.#frameBytes[own] as number, this.#lead[own] as number);
  }
}

function findReachable(links: Links, isRoot: Uint8Array): Uint8Array {
  const isReached = isRoot.slice();
  const todo = new Uint32Array(links.nodeCount);
  let todoCount = 0;
  for (let node = 0; node < links.nodeCount; node += 1) {
    if (isRoot[node] === 1) {
      todo[todoCount] = node;
      todoCount += 1;
    }
  }
  while (todoCount > 0) {
    todoCount -= 1;
    const node = todo[todoCount] as number;
    const end = links.first[node + 1] as number;
    for (let at = links.first[node] as number; at < end; at += 1) {
      const next = links.to[at] as number;
      if (isReached[next] === 0) {
        isReached[next] = 1;
        todo[todoCount] = next;
        todoCount += 1;
      }
    }
  }
  return isReached;
}
