import { NumberList } from "./bytes.ts";
import { checkCompilable } from "./compilable.ts";
import { ControlFlow } from "./control-flow.ts";
import {
  ACTION,
  ACTION_OF,
  COST_OF,
  HEIGHT_OF,
  nameOfRefused,
  OP,
  PREFIX_BASE,
  STRAIGHT,
  STRAIGHT_ACTION,
  STRAIGHT_COST_SHIFT,
  STRAIGHT_HEIGHT_SHIFT,
} from "./decode-table.ts";
import type { FlowGraph } from "./flow-graph.ts";
import { EXTERN, type FunctionType, type ModuleParts, typeOfFunction } from "./module-parts.ts";
import { OperatorReader } from "./operator-reader.ts";
import { badModule, unsupported } from "./refusals.ts";
import { SITE } from "./sites.ts";
import { checkValueType, hasVectors, V128 } from "./value-types.ts";

/** How a module is scanned. */
export interface ScanOptions {
  /** Each operator that costs is a node of its own. */
  readonly isEvery: boolean;
  /** A call may end in a handler: what follows it is a landing. */
  readonly mayCatch: boolean;
  /** Global indices move. */
  readonly movesGlobals: boolean;
}

/** What one body is. */
export interface ScannedBody {
  readonly graph: FlowGraph;
  readonly frameBytes: number;
  /** Canonical types that it calls indirectly. */
  readonly indirectTypes: Uint32Array;
}

const FRAME_BYTES = 64;
const SLOT_BYTES = 8;
/**
 * A compiler may keep what a body computes for later, beyond its locals and operands: a value for some 8 bytes of code.
 * So code weighs, too, at a fraction that leaves room for real recursion; the engine's threads have as many times the
 * stack.
 */
const CODE_BYTES_PER_BYTE = 32;
/** By {@link ACTION} up to `memarg`: the first byte of an immediate that needs more of a look is this or above. */
const LONG_FROM = new Uint16Array([0, 0x100, 0x80, 0x40]);
const NO_TYPES = new Uint32Array();

/**
 * Scans bodies one after the other, each once. It is iterative, since a hostile module nests millions of blocks, and
 * makes no object per operator.
 */
export class BodyScanner extends OperatorReader {
  readonly flow: ControlFlow;
  /** Functions of `ref.func`. */
  readonly referenced: NumberList = new NumberList();
  /** A handler was found. */
  hasHandlers = false;
  /** A tail call was found. */
  hasTailCalls = false;
  readonly #parts: ModuleParts;
  readonly #options: ScanOptions;
  readonly #indirectTypes = new NumberList();
  #usesSimd = false;
  /** Locals before it are parameters; -1 when there are no others. */
  #firstLocal = -1;

  constructor(parts: ModuleParts, options: ScanOptions) {
    super(parts.bytes);
    this.flow = new ControlFlow(parts.bytes.length);
    this.#parts = parts;
    this.#options = options;
  }

  /** Scans the body of an own function, appending to the sites. */
  scan(own: number): ScannedBody {
    this.pos = this.#parts.bodyFrom[own] as number;
    this.end = this.#parts.bodyTo[own] as number;
    const type = typeOfFunction(this.#parts, own + (this.#parts.imported[EXTERN.function] as number));
    this.#indirectTypes.length = 0;
    this.#usesSimd = hasVectors(type);
    const locals = this.#readLocals(type.params.length);
    const { flow } = this;
    const firstSite = flow.sites.count;
    flow.begin(this.pos, type);
    while (flow.frames.depth > 0) {
      if (!this.#options.isEvery) {
        this.#skipStraightCode();
      }
      this.#step();
    }
    this.expectEnd(`body ${own}`);
    const { graph, rank } = flow.graph.finish();
    if (rank !== undefined) {
      flow.sites.renumberEdges(firstSite, rank);
    }
    const slots = type.params.length + locals + flow.maxHeight;
    checkCompilable(own, {
      states: this.#options.isEvery ? 0 : slots * graph.edgeTarget.length,
      loopDepth: flow.maxLoopDepth,
    });
    const slotBytes = this.#usesSimd ? 2 * SLOT_BYTES : SLOT_BYTES;
    const codeBytes = this.end - (this.#parts.bodyFrom[own] as number);
    const types = this.#indirectTypes;
    return {
      graph,
      frameBytes: FRAME_BYTES + slotBytes * slots + Math.floor(codeBytes / CODE_BYTES_PER_BYTE),
      indirectTypes:
        types.length === 0 ? NO_TYPES : Uint32Array.from(new Set(types.values.subarray(0, types.length))),
    };
  }

  #readLocals(params: number): number {
    let locals = 0;
    for (let groups = this.count(); groups > 0; groups--) {
      locals += this.u32();
      this.#usesSimd = checkValueType(this.u8()) === V128 || this.#usesSimd;
    }
    this.#firstLocal = locals > 0 ? params : -1;
    return locals;
  }

  /**
   * Steps over code that neither branches, calls nor needs rewriting, which most code is; up to what needs more of a
   * look, such as a long index.
   */
  #skipStraightCode(): void {
    const { bytes, flow, end } = this;
    const { isLive } = flow;
    const firstLocal = this.#firstLocal;
    let { pos } = this;
    let { height, maxHeight } = flow;
    let cost = 0;
    while (pos < end) {
      const figures = STRAIGHT[bytes[pos] as number] as number;
      const action = figures & STRAIGHT_ACTION;
      if (action === ACTION.plain) {
        pos++;
      } else if (action <= ACTION.memarg) {
        const first = bytes[pos + 1] as number;
        if (first >= (LONG_FROM[action] as number) || (action === ACTION.local && first === firstLocal)) {
          break;
        }
        pos += action === ACTION.memarg ? 2 : 1;
        while ((bytes[pos++] as number) >= 0x80) {
          // An immediate of LEB128 ends with a byte below.
        }
      } else {
        break;
      }
      cost += (figures >> STRAIGHT_COST_SHIFT) & 1;
      height += figures >> STRAIGHT_HEIGHT_SHIFT;
      maxHeight = height > maxHeight && isLive ? height : maxHeight;
    }
    this.pos = pos;
    flow.height = height;
    flow.maxHeight = maxHeight;
    flow.graph.cost += cost;
  }

  #step(): void {
    const at = this.pos;
    let op = this.u8();
    if (op >= 0xfb) {
      op = this.#prefixed(op);
    }
    const { flow } = this;
    const { graph } = flow;
    if (COST_OF[op] !== 0) {
      if (this.#options.isEvery && graph.current >= 0 && graph.cost > 0) {
        flow.continueAt(at);
      }
      graph.cost++;
    }
    const action = ACTION_OF[op] as number;
    if (action === ACTION.own || action === ACTION.local) {
      this.#ownStep(op, at);
      return;
    }
    flow.changeHeight(HEIGHT_OF[op] as number);
    if (action !== ACTION.plain) {
      this.skipImmediates(op, action);
    }
  }

  #prefixed(prefix: number): number {
    const code = this.u32();
    const isKnown = (prefix === 0xfc && code < 256) || (prefix === 0xfd && code < 256);
    if (!isKnown) {
      throw unsupported(nameOfRefused(prefix, code));
    }
    if (prefix === 0xfd) {
      this.#usesSimd = true;
    }
    const op = (prefix === 0xfd ? PREFIX_BASE[0xfd] : PREFIX_BASE[0xfc]) + code;
    if (ACTION_OF[op] === ACTION.refused) {
      throw unsupported(nameOfRefused(prefix, code));
    }
    return op;
  }

  #ownStep(op: number, at: number): void {
    if (op <= OP.return || op === OP.delegate || op === OP.catchAll) {
      this.#controlStep(op, at);
    } else if (op <= OP.returnCallIndirect) {
      this.#callStep(op, at);
    } else if (op >= OP.localGet && op <= OP.globalSet) {
      this.#variableStep(op, at);
    } else {
      this.#helpedStep(op, at);
    }
  }

  #controlStep(op: number, at: number): void {
    switch (op) {
      case OP.block:
        this.flow.block(this.blockType(this.#parts.types));
        break;
      case OP.loop: {
        const type = this.blockType(this.#parts.types);
        this.flow.loop(at, this.pos, type);
        break;
      }
      case OP.if: {
        const type = this.blockType(this.#parts.types);
        this.flow.if(this.pos, type);
        break;
      }
      case OP.else:
        this.flow.else(at, this.pos);
        break;
      case OP.end:
        this.flow.end(at, this.pos);
        break;
      case OP.br:
      case OP.brIf:
      case OP.brTable:
      case OP.return:
        this.#branchStep(op, at);
        break;
      default:
        this.#exceptionStep(op, at);
    }
  }

  #branchStep(op: number, at: number): void {
    switch (op) {
      case OP.br:
        this.flow.br(at, this.u32());
        break;
      case OP.brIf: {
        const label = this.u32();
        this.flow.brIf(at, this.pos, label);
        break;
      }
      case OP.brTable: {
        let outermost = this.flow.frames.depth;
        for (let left = this.count() + 1; left > 0; left--) {
          outermost = Math.min(outermost, this.flow.brTableTarget(at, this.u32()));
        }
        this.flow.brTable(at, outermost);
        break;
      }
      default:
        this.flow.return(at);
    }
  }

  #exceptionStep(op: number, at: number): void {
    switch (op) {
      case OP.try: {
        const type = this.blockType(this.#parts.types);
        this.flow.try(this.pos, type);
        break;
      }
      case OP.catch: {
        const tag = this.#parts.types[this.#parts.tags[this.u32()] as number] as FunctionType;
        this.#catch(at, tag.params.length);
        break;
      }
      case OP.catchAll:
        this.#catch(at, 0);
        break;
      case OP.delegate:
        this.skipLeb();
        this.flow.close(at, this.pos);
        break;
      default:
        if (op !== OP.unreachable) {
          this.skipLeb();
          this.flow.markLoop();
        }
        this.flow.graph.endNode();
    }
  }

  #catch(at: number, values: number): void {
    this.hasHandlers = true;
    this.flow.handler(at, this.pos, values);
  }

  #callStep(op: number, at: number): void {
    const { flow } = this;
    const isTail = op >= OP.returnCall;
    const isIndirect = op === OP.callIndirect || op === OP.returnCallIndirect;
    const index = this.u32();
    if (isIndirect) {
      this.skipLeb();
      flow.height--;
    }
    flow.sites.add(isTail ? SITE.tailCall : SITE.call, at, isIndirect ? -1 : index);
    this.#countCall(index, isIndirect);
    if (isTail) {
      this.hasTailCalls = true;
      flow.tailCall();
    } else if (flow.isLive && this.#options.mayCatch) {
      flow.continueAt(this.pos, 1);
    }
  }

  #countCall(index: number, isIndirect: boolean): void {
    const { flow } = this;
    const type = isIndirect ? this.#parts.types[index] : typeOfFunction(this.#parts, index);
    if (type === undefined) {
      throw badModule(`the call before byte ${this.pos} has no such type`);
    }
    if (flow.isLive) {
      flow.markLoop();
      if (isIndirect) {
        this.#indirectTypes.push(this.#parts.canonicalTypes[index] as number);
      } else {
        flow.graph.addCall(index);
      }
    }
    this.#usesSimd = this.#usesSimd || hasVectors(type);
    flow.changeHeight(type.results.length - type.params.length);
  }

  #variableStep(op: number, at: number): void {
    this.flow.changeHeight(HEIGHT_OF[op] as number);
    const index = this.u32();
    if (op <= OP.localTee) {
      if (index === this.#firstLocal) {
        this.#addNamed(SITE.firstLocal, at, index);
      }
    } else if (this.#options.movesGlobals && index >= (this.#parts.imported[EXTERN.global] as number)) {
      this.#addNamed(SITE.global, at, index);
    }
  }

  /** A site that says where its operator ends. */
  #addNamed(kind: number, at: number, index: number): void {
    this.flow.sites.add(kind, at, index);
    this.flow.sites.also(this.pos);
  }

  /** Operators that a helper does, or that cost by size. */
  #helpedStep(op: number, at: number): void {
    this.flow.changeHeight(HEIGHT_OF[op] as number);
    const index = this.u32();
    if (op === OP.memoryGrow) {
      this.#addNamed(SITE.memoryGrow, at, index);
      return;
    }
    if (op === OP.refFunc) {
      this.referenced.push(index);
      this.#addNamed(SITE.refFunc, at, index);
      return;
    }
    this.flow.markLoop();
    if (op === OP.tableGrow) {
      this.#addNamed(SITE.tableGrow, at, index);
      return;
    }
    const hasOneIndex = op === OP.memoryFill || op === OP.tableFill;
    if (!hasOneIndex) {
      this.skipLeb();
    }
    this.flow.sites.add(SITE.bulk, at, 0);
  }
}
