import type { FunctionPlan, ModuleShape } from "../src/meter/flow-graph.ts";
import { planModule } from "../src/meter/plan.ts";

const CHAIN_BYTES = 4096;
const LEAD_BYTES = 512;

/** Who may call whom, seen from the definition: an indirect call reaches every visible function of its type. */
function callees(shape: ModuleShape, own: number): readonly number[] {
  const targets = [...shape.graphs[own]!.callTarget];
  const found = new Set(
    targets.filter((t) => t >= shape.importedFunctions).map((t) => t - shape.importedFunctions),
  );
  const leaves = targets.some((t) => t < shape.importedFunctions) || shape.indirectTypes[own]!.length > 0;
  for (const [other] of shape.graphs.entries()) {
    const isOfType = shape.indirectTypes[own]!.includes(shape.typeOf[other]!);
    if (shape.isVisible[other] === 1 && (isOfType || (shape.mayReenter && leaves))) {
      found.add(other);
    }
  }
  return [...found];
}

function reachable(next: (own: number) => readonly number[], start: number): ReadonlySet<number> {
  const seen = new Set<number>();
  const open = [...next(start)];
  for (let own = open.pop(); own !== undefined; own = open.pop()) {
    if (!seen.has(own)) {
      seen.add(own);
      open.push(...next(own));
    }
  }
  return seen;
}

/** Says what is wrong with how a module's stack is counted. */
export function findFaults(shape: ModuleShape): readonly string[] {
  const judge = new Judge(shape);
  const all = shape.graphs.map((_, own) => own);
  const uncounted = all.filter((own) => judge.isOnFreeCycle(own));
  if (uncounted.length > 0) {
    return uncounted.map((own) => `${own} is on a cycle without a function that counts`);
  }
  return all.flatMap((own) => [...judge.weightFaults(own), ...judge.carryFaults(own)]);
}

class Judge {
  readonly #shape: ModuleShape;
  readonly #plans: readonly FunctionPlan[];

  constructor(shape: ModuleShape) {
    this.#shape = shape;
    this.#plans = planModule(shape);
  }

  isOnFreeCycle(own: number): boolean {
    return !this.#counts(own) && reachable((from) => this.#uncounted(from), own).has(own);
  }

  *weightFaults(own: number): Iterable<string> {
    const heaviest = this.#heaviest(own);
    if (heaviest > CHAIN_BYTES) {
      yield `a chain from ${own} weighs ${heaviest} bytes`;
    }
    if (!this.#counts(own)) {
      return;
    }
    const lead = Math.max(0, this.#lead(own));
    const { stackBytes } = this.#plans[own]!;
    if (stackBytes !== this.#shape.frameBytes[own]! + lead) {
      yield `${own} takes ${stackBytes} bytes`;
    }
    if (lead > LEAD_BYTES && reachable((from) => callees(this.#shape, from), own).has(own)) {
      yield `${own} takes ${lead} bytes for others on each of its calls`;
    }
  }

  *carryFaults(own: number): Iterable<string> {
    const plan = this.#plans[own]!;
    const reached = [...reachable((from) => callees(this.#shape, from), own)];
    const needsStack = [own, ...reached].some((other) => this.#counts(other));
    if (plan.carriesStack !== needsStack) {
      yield `${own} carries the stack: ${plan.carriesStack}`;
    }
    if (plan.needsWrapper !== (needsStack && this.#shape.isVisible[own] === 1)) {
      yield `${own} has a wrapper: ${plan.needsWrapper}`;
    }
  }

  #counts(own: number): boolean {
    return this.#plans[own]!.stackBytes > 0;
  }

  #uncounted(own: number): readonly number[] {
    return callees(this.#shape, own).filter((callee) => !this.#counts(callee));
  }

  #heaviest(own: number): number {
    const below = this.#uncounted(own).map((callee) => this.#heaviest(callee));
    return (this.#counts(own) ? 0 : this.#shape.frameBytes[own]!) + Math.max(0, ...below);
  }

  /** Heaviest chain below it that leads to a function that counts. */
  #lead(own: number): number {
    const ways = callees(this.#shape, own).map((callee) =>
      this.#counts(callee) ? 0 : this.#shape.frameBytes[callee]! + this.#lead(callee),
    );
    return Math.max(-Infinity, ...ways);
  }
}
