import type { ModuleShape } from "./flow-graph.ts";

/** A directed graph in flat arrays: node `n` leads to `to[first[n]]` up to, not including, `to[first[n + 1]]`. */
export interface Links {
  readonly nodeCount: number;
  readonly first: Uint32Array;
  readonly to: Uint32Array;
}

/** Which nodes can reach each other. */
export interface Components {
  /** All nodes, component by component, what a component leads to before it. */
  readonly order: Uint32Array;
  /** 1 for nodes that can reach themselves. */
  readonly isCyclic: Uint8Array;
}

/** Own functions, and the direct calls between them. */
export function directCalls(shape: ModuleShape): Links {
  const pairs = new Pairs(countCalls(shape));
  addDirectCalls(shape, pairs);
  return pairs.link(shape.graphs.length);
}

/**
 * All calls that may happen: own functions, then one node for each type that is called indirectly, which leads to the
 * visible functions of that type, then one for what is outside of the module.
 */
export function allCalls(shape: ModuleShape): Links {
  const functionCount = shape.graphs.length;
  const typeCount = countTypes(shape);
  const outside = functionCount + typeCount;
  const pairs = new Pairs(
    countCalls(shape) + countIndirect(shape) + 3 * functionCount, // visible by type, visible at all, calls outside
  );
  addDirectCalls(shape, pairs);
  for (let caller = 0; caller < functionCount; caller += 1) {
    const types = shape.indirectTypes[caller] as Uint32Array;
    for (let at = 0; at < types.length; at += 1) {
      pairs.add(caller, functionCount + (types[at] as number));
    }
    if (shape.mayReenter && (types.length > 0 || callsImport(shape, caller))) {
      pairs.add(caller, outside);
    }
    if (shape.isVisible[caller] === 1) {
      pairs.add(functionCount + (shape.typeOf[caller] as number), caller);
      pairs.add(outside, caller);
    }
  }
  return pairs.link(outside + 1);
}

/** Tarjan's algorithm, with a stack of its own: call graphs may be as deep as they are large. */
export function findComponents(links: Links): Components {
  const { nodeCount } = links;
  const search = new ComponentSearch(links);
  for (let node = 0; node < nodeCount; node += 1) {
    search.from(node);
  }
  return { order: search.order, isCyclic: search.isCyclic };
}

class ComponentSearch {
  readonly order: Uint32Array;
  readonly isCyclic: Uint8Array;
  readonly #links: Links;
  /** 0: not seen yet. */
  readonly #number: Uint32Array;
  readonly #lowest: Uint32Array;
  readonly #isOpen: Uint8Array;
  /** Next link to follow. */
  readonly #cursor: Uint32Array;
  readonly #path: Uint32Array;
  readonly #open: Uint32Array;
  #openCount = 0;
  #ordered = 0;
  #numbered = 0;

  constructor(links: Links) {
    const { nodeCount } = links;
    this.#links = links;
    this.order = new Uint32Array(nodeCount);
    this.isCyclic = new Uint8Array(nodeCount);
    this.#number = new Uint32Array(nodeCount);
    this.#lowest = new Uint32Array(nodeCount);
    this.#isOpen = new Uint8Array(nodeCount);
    this.#cursor = links.first.slice(0, nodeCount);
    this.#path = new Uint32Array(nodeCount);
    this.#open = new Uint32Array(nodeCount);
  }

  from(root: number): void {
    if (this.#number[root] !== 0) {
      return;
    }
    const path = this.#path;
    let depth = 0;
    path[depth] = root;
    this.#enter(root);
    while (depth >= 0) {
      const node = path[depth] as number;
      const next = this.#nextUnseen(node);
      if (next !== undefined) {
        depth += 1;
        path[depth] = next;
        this.#enter(next);
        continue;
      }
      depth -= 1;
      if (this.#lowest[node] === this.#number[node]) {
        this.#close(node);
      } else {
        this.#lower(path[depth] as number, this.#lowest[node] as number);
      }
    }
  }

  #enter(node: number): void {
    this.#numbered += 1;
    this.#number[node] = this.#numbered;
    this.#lowest[node] = this.#numbered;
    this.#isOpen[node] = 1;
    this.#open[this.#openCount] = node;
    this.#openCount += 1;
  }

  #nextUnseen(node: number): number | undefined {
    const { to, first } = this.#links;
    const end = first[node + 1] as number;
    for (let at = this.#cursor[node] as number; at < end; at += 1) {
      const next = to[at] as number;
      if (this.#number[next] === 0) {
        this.#cursor[node] = at + 1;
        return next;
      }
      if (next === node) {
        this.isCyclic[node] = 1;
      } else if (this.#isOpen[next] === 1) {
        this.#lower(node, this.#number[next] as number);
      }
    }
    this.#cursor[node] = end;
    return undefined;
  }

  #lower(node: number, value: number): void {
    if (value < (this.#lowest[node] as number)) {
      this.#lowest[node] = value;
    }
  }

  #close(root: number): void {
    const isAlone = this.#open[this.#openCount - 1] === root;
    let node: number;
    do {
      this.#openCount -= 1;
      node = this.#open[this.#openCount] as number;
      this.#isOpen[node] = 0;
      if (!isAlone) {
        this.isCyclic[node] = 1;
      }
      this.order[this.#ordered] = node;
      this.#ordered += 1;
    } while (node !== root);
  }
}

/** Links in any order, to be sorted by where they start. */
class Pairs {
  readonly #from: Uint32Array;
  readonly #to: Uint32Array;
  #count = 0;

  constructor(capacity: number) {
    this.#from = new Uint32Array(capacity);
    this.#to = new Uint32Array(capacity);
  }

  add(from: number, to: number): void {
    this.#from[this.#count] = from;
    this.#to[this.#count] = to;
    this.#count += 1;
  }

  link(nodeCount: number): Links {
    const first = new Uint32Array(nodeCount + 1);
    for (let at = 0; at < this.#count; at += 1) {
      const slot = (this.#from[at] as number) + 1;
      first[slot] = (first[slot] as number) + 1;
    }
    for (let node = 0; node < nodeCount; node += 1) {
      first[node + 1] = (first[node + 1] as number) + (first[node] as number);
    }
    const cursor = first.slice(0, nodeCount);
    const to = new Uint32Array(this.#count);
    for (let at = 0; at < this.#count; at += 1) {
      const from = this.#from[at] as number;
      const slot = cursor[from] as number;
      to[slot] = this.#to[at] as number;
      cursor[from] = slot + 1;
    }
    return { nodeCount, first, to };
  }
}

function addDirectCalls(shape: ModuleShape, pairs: Pairs): void {
  const { graphs, importedFunctions } = shape;
  for (let caller = 0; caller < graphs.length; caller += 1) {
    const targets = (graphs[caller] as (typeof graphs)[number]).callTarget;
    for (let at = 0; at < targets.length; at += 1) {
      const target = targets[at] as number;
      if (target >= importedFunctions) {
        pairs.add(caller, target - importedFunctions);
      }
    }
  }
}

function callsImport(shape: ModuleShape, caller: number): boolean {
  const targets = shape.graphs[caller]?.callTarget ?? [];
  for (let at = 0; at < targets.length; at += 1) {
    if ((targets[at] as number) < shape.importedFunctions) {
      return true;
    }
  }
  return false;
}

function countCalls(shape: ModuleShape): number {
  let count = 0;
  for (const graph of shape.graphs) {
    count += graph.callTarget.length;
  }
  return count;
}

function countIndirect(shape: ModuleShape): number {
  let count = 0;
  for (const types of shape.indirectTypes) {
    count += types.length;
  }
  return count;
}

function countTypes(shape: ModuleShape): number {
  let highest = -1;
  for (const type of shape.typeOf) {
    highest = Math.max(highest, type);
  }
  for (const types of shape.indirectTypes) {
    for (const type of types) {
      highest = Math.max(highest, type);
    }
  }
  return highest + 1;
}
