import type { AppendedTypes } from "./appended.ts";
import { BodyLocals } from "./body-locals.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { ControlFlow } from "./control-flow.ts";
import type { FunctionPlan } from "./flow-graph.ts";
import type { Helpers } from "./helpers.ts";
import {
  CODE,
  type CounterGlobals,
  type LoopLocals,
  NO_VALUES,
  writeCharge,
  writeConst,
  writeIndexed,
  writeLoopCharge,
  writeLoopStart,
  writeLoopStore,
  writeStackCheck,
} from "./injected.ts";
import { EXTERN, type ModuleParts, typeOfFunction } from "./module-parts.ts";
import { tooLargeOnceMetered } from "./refusals.ts";
import { SITE, type Sites } from "./sites.ts";

/** What V8 allows one function. */
const MAX_BODY_BYTES = 7_654_321;

/** What rewriting a module's bodies needs to know of it. */
export interface RewriteContext {
  readonly parts: ModuleParts;
  readonly flow: ControlFlow;
  readonly plans: readonly FunctionPlan[];
  readonly counters: CounterGlobals;
  readonly helpers: Helpers;
  readonly types: AppendedTypes;
  /** By own function: the function that others who are not seen call in its place, or 0. */
  readonly wrappers: Uint32Array;
  /** Added to indices of own globals. */
  readonly globalShift: number;
  /** Loops without calls keep fuel in a local. */
  readonly hasLoopFuel: boolean;
  readonly mayReenter: boolean;
  /** Type and table of the calls at entries and exits. */
  readonly profile: { readonly type: number; readonly table: number } | undefined;
}

/** Writes bodies with what their plans say, one after the other. */
export class BodyRewriter {
  readonly #context: RewriteContext;
  readonly #bytes: Uint8Array;
  readonly #imported: number;
  readonly #sites: Sites;
  readonly #code = new ByteWriter(65_536);
  readonly #header = new ByteWriter();
  /** What is before it has been copied. */
  #at = 0;
  #function = 0;
  #plan!: FunctionPlan;
  #params = 0;
  #locals!: BodyLocals;
  /** Loop that keeps fuel in a local, and its depth. */
  #loop = -1;
  #loopFrame = 0;
  #isChanged = false;

  constructor(context: RewriteContext) {
    this.#context = context;
    this.#bytes = context.parts.bytes;
    this.#imported = context.parts.imported[EXTERN.function] as number;
    this.#sites = context.flow.sites;
  }

  /** Appends the body of an own function, with its size; its sites are `from` to `to`, the last left out. */
  writeBody(out: ByteWriter, own: number, [from, to]: readonly [number, number]): void {
    const { parts, plans } = this.#context;
    const bodyFrom = parts.bodyFrom[own] as number;
    const bodyTo = parts.bodyTo[own] as number;
    this.#begin(own, plans[own] as FunctionPlan, new ByteReader(this.#bytes, bodyFrom, bodyTo));
    this.#writeEntry();
    for (let site = from; site < to; site++) {
      this.#writeSite(site);
    }
    if (!this.#isChanged) {
      out.u32(bodyTo - bodyFrom);
      out.copy(this.#bytes, bodyFrom, bodyTo);
      return;
    }
    this.#code.copy(this.#bytes, this.#at, bodyTo);
    this.#header.clear();
    this.#locals.write(this.#header);
    const length = this.#header.length + this.#code.length;
    if (length > MAX_BODY_BYTES) {
      throw tooLargeOnceMetered(`${length} bytes`, MAX_BODY_BYTES);
    }
    out.u32(length);
    out.append(this.#header);
    out.append(this.#code);
  }

  #begin(own: number, plan: FunctionPlan, body: ByteReader): void {
    this.#function = own + this.#imported;
    this.#params = typeOfFunction(this.#context.parts, this.#function).params.length;
    this.#plan = plan;
    this.#locals = new BodyLocals(body, this.#params, plan.carriesStack);
    this.#at = this.#locals.end;
    this.#code.clear();
    this.#loop = -1;
    this.#isChanged = plan.carriesStack;
  }

  /** Copies what is before a byte; what is written next stands there. */
  #copyTo(pos: number): ByteWriter {
    this.#code.copy(this.#bytes, this.#at, pos);
    this.#at = pos;
    this.#isChanged = true;
    return this.#code;
  }

  #writeEntry(): void {
    const { counters, profile, parts, types } = this.#context;
    const code = this.#code;
    if (profile !== undefined) {
      this.#isChanged = true;
      this.#writeProfileCall(0);
      const { results } = typeOfFunction(parts, this.#function);
      code.u8(CODE.block);
      if (results.length > 1) {
        code.sleb(types.indexOf([], [...results]));
      } else {
        code.u8(results[0] ?? NO_VALUES);
      }
    }
    if (this.#plan.stackBytes > 0) {
      writeStackCheck(code, this.#plan.stackBytes, { counters, left: this.#params });
    }
  }

  /** Enter (0) or leave (1). */
  #writeProfileCall(entry: 0 | 1): void {
    const { profile } = this.#context;
    if (profile !== undefined) {
      writeConst(this.#code, CODE.i32Const, this.#function);
      writeConst(this.#code, CODE.i32Const, entry);
      writeIndexed(this.#code, CODE.callIndirect, profile.type);
      this.#code.u32(profile.table);
    }
  }

  #charge(fuel: number): void {
    if (!(fuel > 0)) {
      return;
    }
    const code = this.#code;
    if (this.#loop < 0) {
      writeCharge(code, fuel, { counters: this.#context.counters, local: this.#locals.fuel() });
      return;
    }
    writeLoopCharge(code, fuel, this.#loopLocals());
  }

  #chargeAt(pos: number, fuel: number): void {
    if (fuel > 0) {
      this.#copyTo(pos);
      this.#charge(fuel);
    }
  }

  #loopLocals(): LoopLocals {
    return { counters: this.#context.counters, local: this.#locals.fuel(), burnt: this.#locals.burnt() };
  }

  /** Whether a branch to a block leaves the loop that keeps fuel. */
  #leavesLoop(frame: number): boolean {
    return this.#loop >= 0 && frame < this.#loopFrame;
  }

  #edgeCharge(edge: number): number {
    return edge < 0 ? 0 : (this.#plan.edgeCharge[edge] as number);
  }

  #writeSite(site: number): void {
    const pos = this.#sites.pos(site);
    const a = this.#sites.a(site);
    switch (this.#sites.kind(site)) {
      case SITE.node:
        this.#chargeAt(pos, this.#plan.nodeCharge[a] as number);
        break;
      case SITE.edge:
        this.#chargeAt(pos, this.#edgeCharge(a));
        break;
      case SITE.branchIf:
        this.#writeBranchIf(pos, a, this.#sites.b(site));
        break;
      case SITE.loop:
        this.#writeLoop(pos, a, this.#sites.b(site));
        break;
      case SITE.loopEnd:
        if (this.#loop === a) {
          this.#copyTo(pos);
          writeLoopStore(this.#code, this.#loopLocals());
          this.#loop = -1;
        }
        break;
      case SITE.call:
        this.#writeCall(pos, a, 0);
        break;
      case SITE.tailCall:
        this.#writeTailCall(pos, a);
        break;
      default:
        this.#writeExit(site, pos, a);
    }
  }

  #writeExit(site: number, pos: number, a: number): void {
    const b = this.#sites.b(site);
    switch (this.#sites.kind(site)) {
      case SITE.missingElse:
        if (this.#edgeCharge(a) > 0) {
          this.#copyTo(pos).u8(CODE.else);
          this.#charge(this.#edgeCharge(a));
        }
        break;
      case SITE.branch:
        this.#writeLeaving(pos, this.#edgeCharge(a), b);
        break;
      case SITE.branchTable:
        this.#writeLeaving(pos, 0, b);
        if (this.#leavesLoop(b)) {
          // Other targets of it may be in the loop, which then never has kept so much that it looks.
          writeLoopStart(this.#code, this.#loopLocals());
        }
        break;
      case SITE.return:
        this.#writeReturn(pos, a, b);
        break;
      case SITE.finish:
        this.#chargeAt(pos, this.#edgeCharge(a));
        if (this.#context.profile !== undefined) {
          this.#copyTo(pos + 1);
          this.#writeProfileCall(1);
          this.#code.u8(CODE.end);
        }
        break;
      default:
        this.#writeHelped(site, pos, a);
    }
  }

  #writeHelped(site: number, pos: number, a: number): void {
    const { helpers, wrappers, globalShift } = this.#context;
    const end = this.#sites.b(site);
    switch (this.#sites.kind(site)) {
      case SITE.memoryGrow:
        this.#replace(pos, end, [CODE.call, helpers.memoryGrow(a)]);
        break;
      case SITE.tableGrow:
        this.#replace(pos, end, [CODE.call, helpers.tableGrow(a)]);
        break;
      case SITE.bulk:
        writeIndexed(this.#copyTo(pos), CODE.call, helpers.burn());
        break;
      case SITE.refFunc: {
        const wrapper = wrappers[a - this.#imported] ?? 0;
        if (wrapper > 0) {
          this.#replace(pos, end, [CODE.refFunc, wrapper]);
        }
        break;
      }
      case SITE.global:
        this.#replace(pos, end, [this.#bytes[pos] as number, a + globalShift]);
        break;
      case SITE.firstLocal:
        if (this.#plan.carriesStack) {
          // The most of all that is replaced: no array for it.
          writeIndexed(this.#copyTo(pos), this.#bytes[pos] as number, this.#locals.movedFirst);
          this.#at = end;
        }
        break;
      default:
    }
  }

  #replace(pos: number, end: number, [operator, index]: readonly [number, number]): void {
    writeIndexed(this.#copyTo(pos), operator, index);
    this.#at = end;
  }

  #writeLeaving(pos: number, fuel: number, frame: number): void {
    this.#chargeAt(pos, fuel);
    if (this.#leavesLoop(frame)) {
      this.#copyTo(pos);
      writeLoopStore(this.#code, this.#loopLocals());
    }
  }

  #writeReturn(pos: number, edge: number, depth: number): void {
    this.#writeLeaving(pos, this.#edgeCharge(edge), -1);
    if (this.#context.profile !== undefined) {
      this.#replace(pos, pos + 1, [CODE.br, depth]);
    }
  }

  /**
   * A label's values are below the condition, where a block does not reach them: then the branch stays, and the
   * condition is kept in a local meanwhile.
   */
  #writeBranchIf(pos: number, edge: number, target: number): void {
    const fuel = this.#edgeCharge(edge);
    const leaves = this.#leavesLoop(target >> 1);
    if (!(fuel > 0) && !leaves) {
      return;
    }
    const hasValues = (target & 1) === 1;
    const code = this.#copyTo(pos);
    if (hasValues) {
      writeIndexed(code, CODE.localTee, this.#locals.condition());
    }
    code.raw(CODE.if, NO_VALUES);
    this.#charge(fuel);
    if (leaves) {
      writeLoopStore(this.#code, this.#loopLocals());
    }
    if (hasValues) {
      code.u8(CODE.end);
      writeIndexed(code, CODE.localGet, this.#locals.condition());
      return;
    }
    const label = new ByteReader(this.#bytes, pos + 1);
    writeIndexed(code, CODE.br, label.u32() + 1);
    code.u8(CODE.end);
    this.#at = label.pos;
  }

  /** The outermost loop that neither calls nor throws keeps account of its fuel in a local. */
  #writeLoop(pos: number, loop: number, frame: number): void {
    const { hasLoopFuel, flow } = this.#context;
    if (!hasLoopFuel || this.#loop >= 0 || flow.loopCalls.at(loop) === 1) {
      return;
    }
    writeLoopStart(this.#copyTo(pos), this.#loopLocals());
    this.#loop = loop;
    this.#loopFrame = frame;
  }

  /** Passes the stack that is left, with what this frame gives back. */
  #writeCall(pos: number, target: number, givenBack: number): void {
    const { plans, counters, mayReenter } = this.#context;
    const isSeen = target >= this.#imported;
    if (isSeen && plans[target - this.#imported]?.carriesStack !== true) {
      return;
    }
    if (!this.#plan.carriesStack) {
      if (isSeen) {
        // Code that cannot be reached: the plan knows of no such call, but its operands must fit.
        writeConst(this.#copyTo(pos), CODE.i32Const, 0);
      }
      return;
    }
    if (!isSeen && target >= 0 && !mayReenter) {
      return;
    }
    const code = this.#copyTo(pos);
    writeIndexed(code, CODE.localGet, this.#params);
    if (givenBack > 0) {
      writeConst(code, CODE.i32Const, givenBack);
      code.u8(CODE.i32Add);
    }
    if (!isSeen) {
      writeIndexed(code, CODE.globalSet, counters.stack);
    }
  }

  #writeTailCall(pos: number, target: number): void {
    this.#writeCall(pos, target, this.#plan.stackBytes);
    if (this.#context.profile !== undefined) {
      this.#copyTo(pos);
      this.#writeProfileCall(1);
    }
  }
}
