import type { FlowGraph, FunctionPlan } from "./flow-graph.ts";

/** Every node charges its own cost, nothing is paid ahead; stack as the plan has it. */
export function plainPlacement(graph: FlowGraph, plan: FunctionPlan | undefined): FunctionPlan {
  return {
    prepaid: 0,
    nodeCharge: Float64Array.from(graph.cost),
    edgeCharge: new Float64Array(graph.edgeTarget.length),
    neverReturns: plan?.neverReturns ?? false,
    carriesStack: plan?.carriesStack ?? false,
    stackBytes: plan?.stackBytes ?? 0,
    needsWrapper: plan?.needsWrapper ?? false,
  };
}
