/**
 * Control flow of one function as the meter sees it: straight code, and edges between it. Flat arrays, since a module
 * has hundreds of thousands. Code that cannot be reached is in no node.
 */
export interface FlowGraph {
  readonly nodeCount: number;
  /** Cost of each node by the cost model; node 0 is the entry and includes 1 for the function's entry. */
  readonly cost: Uint32Array;
  /** Edges of node `n` are `firstEdge[n]` to `firstEdge[n + 1] - 1`; has `nodeCount + 1` entries. */
  readonly firstEdge: Uint32Array;
  /** Node that an edge goes to, or {@link EXIT}. A node without edges never goes on: `unreachable`, `throw`. */
  readonly edgeTarget: Int32Array;
  /**
   * 1 where edges can bear no charge, so that all must be charged in the node itself: targets of `br_table`, handlers of
   * exceptions, and what follows a call when exceptions may be caught.
   */
  readonly isLanding: Uint8Array;
  /** Node of each direct call, in the order of the code, tail calls too. */
  readonly callNode: Uint32Array;
  /** Function that it calls, by index. */
  readonly callTarget: Uint32Array;
}

/** Edge target: the function returns. */
export const EXIT = -1;

/** What the planner needs to know of a module besides its graphs. */
export interface ModuleShape {
  /** Functions that are imported: indices below it. */
  readonly importedFunctions: number;
  /** By index of own functions (0 is the first that is not imported). */
  readonly graphs: readonly FlowGraph[];
  /** Bytes that a frame weighs: 8 for each parameter, local and operand at its height (16 with v128), and 64. */
  readonly frameBytes: Uint32Array;
  /** Canonical number of each own function's type: equal types, equal numbers. */
  readonly typeOf: Uint32Array;
  /** Canonical types that each own function calls indirectly. */
  readonly indirectTypes: readonly Uint32Array[];
  /** 1 for own functions that somebody may call who is not seen: exported, in an element, `ref.func`, start. */
  readonly isVisible: Uint8Array;
  /** An import may call back into exports: true for modules of components. */
  readonly mayReenter: boolean;
  /** Exceptions may be caught: nothing is charged ahead of a call. */
  readonly mayCatch: boolean;
}

/** What is to be injected into one function. All of it is a matter of cost: what is counted does not depend on it. */
export interface FunctionPlan {
  /** Charged by whoever calls it directly, as part of the call; 0 when the function charges itself. */
  readonly prepaid: number;
  /** Charged at the start of each node; 0: nothing. */
  readonly nodeCharge: Float64Array;
  /** Charged on each edge; 0: nothing. */
  readonly edgeCharge: Float64Array;
  /** It never returns: what follows a call of it is not reached. */
  readonly neverReturns: boolean;
  /** It takes one more parameter, i32: the bytes of stack that are left. */
  readonly carriesStack: boolean;
  /** Bytes that it takes from the stack, and checks; 0: it passes on what it got. */
  readonly stackBytes: number;
  /** It is visible and carries the stack: those who are not seen call a wrapper of its original type. */
  readonly needsWrapper: boolean;
}
