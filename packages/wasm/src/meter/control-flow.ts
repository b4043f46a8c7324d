import { NumberList } from "./bytes.ts";
import { ControlFrames, FIELD, FRAME } from "./control-frames.ts";
import { FlowBuilder } from "./flow-builder.ts";
import { EXIT } from "./flow-graph.ts";
import type { FunctionType } from "./module-parts.ts";
import { badModule } from "./refusals.ts";
import { SITE, Sites } from "./sites.ts";

/**
 * What the open blocks, the height of the stack and the graph of a body come to, operator by operator; `at` is the first
 * byte of one, `after` the byte after it.
 */
export class ControlFlow {
  readonly sites: Sites;
  readonly graph: FlowBuilder = new FlowBuilder();
  readonly frames: ControlFrames = new ControlFrames();
  /** By number of a loop: the loop around it, or -1. */
  readonly loopParents: NumberList = new NumberList();
  /** By number of a loop: 1 when it may give up control or burn fuel elsewhere: calls, throws, bulk operators. */
  readonly loopCalls: NumberList = new NumberList();
  /** Operands on the stack now, and at most. In code that cannot be reached the first means nothing. */
  height = 0;
  maxHeight = 0;
  /** Loops that were open at the same time, at most. */
  maxLoopDepth = 0;
  /** By number of a loop: how many are open with it. */
  readonly #loopDepths = new NumberList();
  #loop = -1;

  /** For a module of so many bytes. */
  constructor(moduleBytes: number) {
    this.sites = new Sites(moduleBytes);
  }

  /** Begins with a body whose code begins at a byte. */
  begin(pos: number, type: FunctionType): void {
    this.height = 0;
    this.maxHeight = 0;
    this.maxLoopDepth = 0;
    this.#loop = -1;
    this.graph.beginFunction();
    this.sites.add(SITE.node, pos, 0);
    this.frames.depth = 0;
    const frame = this.#open(FRAME.function, type);
    this.frames.set(frame, FIELD.base, 0);
    this.frames.set(frame, FIELD.params, 0);
  }

  /** Whether the code can be reached. */
  get isLive(): boolean {
    return this.graph.current >= 0;
  }

  /** What an operator takes and leaves. */
  changeHeight(change: number): void {
    this.height += change;
    if (change > 0 && this.height > this.maxHeight && this.isLive) {
      this.maxHeight = this.height;
    }
  }

  /** Begins a node after the open one; both the edge and the node bear charges at the byte. */
  continueAt(pos: number, isLanding: number = 0): void {
    const edge = this.graph.addEdge(this.graph.nodeCount);
    this.sites.add(SITE.edge, pos, edge);
    this.sites.add(SITE.node, pos, this.graph.beginNode(isLanding));
  }

  /** The innermost open loop does what keeps it from having fuel of its own. */
  markLoop(): void {
    if (this.#loop >= 0) {
      this.loopCalls.values[this.#loop] = 1;
    }
  }

  #open(kind: number, { params, results }: FunctionType): number {
    const { frames } = this;
    const frame = frames.push(kind);
    frames.set(frame, FIELD.label, this.graph.newLabel());
    frames.set(frame, FIELD.base, this.height - params.length);
    frames.set(frame, FIELD.params, params.length);
    frames.set(frame, FIELD.results, results.length);
    frames.set(frame, FIELD.isLive, this.isLive ? 1 : 0);
    frames.set(frame, FIELD.stamp, -1);
    return frame;
  }

  block(type: FunctionType): void {
    this.#open(FRAME.block, type);
  }

  loop(at: number, after: number, type: FunctionType): void {
    const frame = this.#open(FRAME.loop, type);
    if (!this.isLive) {
      return;
    }
    this.sites.add(SITE.edge, at, this.graph.addEdge(this.graph.nodeCount));
    const loop = this.loopParents.push(this.#loop);
    this.loopCalls.push(0);
    const depth = this.#loop < 0 ? 1 : (this.#loopDepths.values[this.#loop] as number) + 1;
    this.#loopDepths.push(depth);
    this.maxLoopDepth = Math.max(this.maxLoopDepth, depth);
    this.#loop = loop;
    this.frames.set(frame, FIELD.extra, loop);
    this.sites.add(SITE.loop, at, loop);
    this.sites.also(frame);
    const header = this.graph.beginNode(0);
    this.graph.placeLabel(this.frames.get(frame, FIELD.label), header);
    this.sites.add(SITE.node, after, header);
  }

  if(after: number, type: FunctionType): void {
    this.height--;
    const frame = this.#open(FRAME.if, type);
    if (!this.isLive) {
      return;
    }
    const label = this.graph.newLabel();
    const taken = this.graph.addEdge(this.graph.nodeCount);
    this.frames.set(frame, FIELD.extra, label);
    this.frames.set(frame, FIELD.elseEdge, this.graph.addEdge(this.graph.toLabel(label)));
    this.sites.add(SITE.edge, after, taken);
    this.sites.add(SITE.node, after, this.graph.beginNode(0));
  }

  else(at: number, after: number): void {
    const { frames } = this;
    const frame = frames.depth - 1;
    this.#fallToEnd(frame, at);
    frames.set(frame, FIELD.kind, FRAME.else);
    this.height = frames.get(frame, FIELD.base) + frames.get(frame, FIELD.params);
    if (frames.get(frame, FIELD.isLive) === 0) {
      return;
    }
    this.sites.add(SITE.edge, after, frames.get(frame, FIELD.elseEdge));
    const node = this.graph.beginNode(0);
    this.graph.placeLabel(frames.get(frame, FIELD.extra), node);
    this.sites.add(SITE.node, after, node);
  }

  /** The open node, if any, goes on after the block. */
  #fallToEnd(frame: number, at: number): void {
    if (this.isLive) {
      const label = this.graph.toLabel(this.frames.get(frame, FIELD.label));
      this.sites.add(SITE.edge, at, this.graph.addEdge(label));
      this.frames.set(frame, FIELD.isBranchedTo, 1);
    }
    this.graph.endNode();
  }

  /** What its handlers do may follow on the code before it, for which the planner need not know what throws. */
  try(after: number, type: FunctionType): void {
    const frame = this.#open(FRAME.try, type);
    if (this.isLive) {
      this.frames.set(frame, FIELD.extra, this.graph.current);
      this.continueAt(after);
    }
  }

  /** A handler that gets so many values. */
  handler(at: number, after: number, values: number): void {
    const { frames } = this;
    const frame = frames.depth - 1;
    this.#fallToEnd(frame, at);
    frames.set(frame, FIELD.kind, FRAME.catch);
    this.height = frames.get(frame, FIELD.base);
    if (frames.get(frame, FIELD.isLive) === 1) {
      this.graph.addHandler(frames.get(frame, FIELD.extra));
      this.sites.add(SITE.node, after, this.graph.beginNode(1));
    }
    this.changeHeight(values);
  }

  /** `end` of whatever is open. */
  end(at: number, after: number): void {
    const frame = this.frames.depth - 1;
    const kind = this.frames.get(frame, FIELD.kind);
    if (kind === FRAME.function) {
      this.frames.depth--;
      this.sites.add(SITE.finish, at, this.isLive ? this.graph.addEdge(EXIT) : -1);
    } else if (kind === FRAME.loop) {
      this.#loopEnd(frame, at);
    } else {
      this.close(at, after);
    }
  }

  #loopEnd(frame: number, at: number): void {
    const { frames } = this;
    frames.depth--;
    this.height = frames.get(frame, FIELD.base) + frames.get(frame, FIELD.results);
    if (frames.get(frame, FIELD.isLive) === 0) {
      return;
    }
    const loop = frames.get(frame, FIELD.extra);
    this.sites.add(SITE.loopEnd, at, loop);
    this.#loop = this.loopParents.at(loop);
    if (this.loopCalls.at(loop) === 1) {
      this.markLoop();
    }
  }

  /** `end` or `delegate` of a block that branches lead to. */
  close(at: number, after: number): void {
    const { frames } = this;
    const frame = frames.depth - 1;
    const isLoneIf = frames.get(frame, FIELD.kind) === FRAME.if && frames.get(frame, FIELD.isLive) === 1;
    if (isLoneIf || frames.get(frame, FIELD.isBranchedTo) === 1) {
      this.#fallToEnd(frame, at);
      if (isLoneIf) {
        this.sites.add(SITE.missingElse, at, frames.get(frame, FIELD.elseEdge));
      }
      const node = this.graph.beginNode(frames.get(frame, FIELD.isLanding));
      this.graph.placeLabel(frames.get(frame, FIELD.label), node);
      if (isLoneIf) {
        this.graph.placeLabel(frames.get(frame, FIELD.extra), node);
      }
      this.sites.add(SITE.node, after, node);
    }
    frames.depth--;
    this.height = frames.get(frame, FIELD.base);
    this.changeHeight(frames.get(frame, FIELD.results));
  }

  /** The open block that a label names. */
  #target(label: number): number {
    const frame = this.frames.depth - 1 - label;
    if (frame < 0) {
      throw badModule(`a branch to label ${label} leads out of its function`);
    }
    return frame;
  }

  #edgeTo(frame: number): number {
    if (frame === 0) {
      return this.graph.addEdge(EXIT);
    }
    this.frames.set(frame, FIELD.isBranchedTo, 1);
    return this.graph.addEdge(this.graph.toLabel(this.frames.get(frame, FIELD.label)));
  }

  br(at: number, label: number): void {
    const frame = this.#target(label);
    if (this.isLive) {
      this.sites.add(SITE.branch, at, this.#edgeTo(frame));
      this.sites.also(frame);
    }
    this.graph.endNode();
  }

  brIf(at: number, after: number, label: number): void {
    const frame = this.#target(label);
    this.height--;
    if (!this.isLive) {
      return;
    }
    const isLoop = this.frames.get(frame, FIELD.kind) === FRAME.loop;
    const values = this.frames.get(frame, isLoop ? FIELD.params : FIELD.results);
    this.sites.add(SITE.branchIf, at, this.#edgeTo(frame));
    this.sites.also(frame * 2 + (values > 0 ? 1 : 0));
    this.continueAt(after);
  }

  /** One of the targets of a `br_table`, which may come more than once; gives the depth of its block. */
  brTableTarget(at: number, label: number): number {
    const frame = this.#target(label);
    if (this.isLive && this.frames.get(frame, FIELD.stamp) !== at) {
      this.frames.set(frame, FIELD.stamp, at);
      this.#edgeTo(frame);
      this.frames.set(frame, FIELD.isLanding, 1);
      if (this.frames.get(frame, FIELD.kind) === FRAME.loop) {
        this.graph.makeLabelLanding(this.frames.get(frame, FIELD.label));
      }
    }
    return frame;
  }

  /** `br_table`, after its targets, with the depth of the outermost. */
  brTable(at: number, outermost: number): void {
    if (this.isLive) {
      this.sites.add(SITE.branchTable, at, 0);
      this.sites.also(outermost);
    }
    this.graph.endNode();
  }

  return(at: number): void {
    if (this.isLive) {
      this.sites.add(SITE.return, at, this.graph.addEdge(EXIT));
      this.sites.also(this.frames.depth - 1);
    }
    this.graph.endNode();
  }

  /** The function ends with a call. */
  tailCall(): void {
    if (this.isLive) {
      this.graph.addEdge(EXIT);
    }
    this.graph.endNode();
  }
}
