import type { AppendedFunctions, AppendedTypes } from "./appended.ts";
import { ByteWriter } from "./bytes.ts";
import { VALUE_TYPE } from "./facts.ts";
import type { FunctionPlan } from "./flow-graph.ts";
import { CODE, type CounterGlobals, writeCharge, writeIndexed } from "./injected.ts";
import { EXTERN, type FunctionType, type ModuleParts, typeOfFunction } from "./module-parts.ts";
import { tooLarge, tooLargeOnceMetered } from "./refusals.ts";

const MAX_PARAMETERS = 1000;
/** A wrapper is as long as its parameters are many, so that a megabyte of functions could ask for hundreds. */
const MAX_WRAPPER_BYTES = 16 * 1024 * 1024;

interface WrapperContext {
  readonly parts: ModuleParts;
  readonly plans: readonly FunctionPlan[];
  readonly counters: CounterGlobals;
  readonly types: AppendedTypes;
  readonly functions: AppendedFunctions;
  /** The module makes tail calls: a wrapper between two must not leave a frame. */
  readonly hasTailCalls: boolean;
}

/** Types of functions that take the stack that is left as one more parameter; -1 for the others. */
export function twinTypes(
  parts: ModuleParts,
  plans: readonly FunctionPlan[],
  types: AppendedTypes,
): Int32Array {
  const twins = new Int32Array(plans.length).fill(-1);
  // By index of the original type: a hostile module gives the same thousand parameters to each of its functions.
  const known = new Map<number, number>();
  const imported = parts.imported[EXTERN.function] as number;
  for (const [own, { carriesStack }] of plans.entries()) {
    if (carriesStack) {
      const index = parts.functions[own + imported] as number;
      const twin = known.get(index) ?? twinType(parts.types[index] as FunctionType, types);
      known.set(index, twin);
      twins[own] = twin;
    }
  }
  return twins;
}

function twinType(type: FunctionType, types: AppendedTypes): number {
  if (type.params.length >= MAX_PARAMETERS) {
    throw tooLargeOnceMetered(`${type.params.length + 1} parameters`, MAX_PARAMETERS);
  }
  return types.twinOf(type, VALUE_TYPE.i32);
}

/**
 * Appends functions of the original types for those who do not pass on the stack that is left.
 *
 * @throws {WasmError} `MODULE_TOO_LARGE`
 */
export function appendWrappers(context: WrapperContext): Uint32Array {
  const { parts, plans, functions } = context;
  const imported = parts.imported[EXTERN.function] as number;
  const wrappers = new Uint32Array(plans.length);
  const code = new ByteWriter();
  let bytes = 0;
  for (const [own, plan] of plans.entries()) {
    if (plan.needsWrapper) {
      const index = functions.declare(parts.functions[own + imported] as number);
      code.clear();
      writeWrapper(code, own + imported, context);
      functions.define(index, code.view());
      bytes += code.length;
      if (bytes > MAX_WRAPPER_BYTES) {
        throw tooLarge("bytes of wrappers of its functions", MAX_WRAPPER_BYTES, bytes);
      }
      wrappers[own] = index;
    }
  }
  return wrappers;
}

function writeWrapper(code: ByteWriter, index: number, context: WrapperContext): void {
  const { parts, plans, counters, hasTailCalls } = context;
  const type: FunctionType = typeOfFunction(parts, index);
  const { prepaid } = plans[index - (parts.imported[EXTERN.function] as number)] as FunctionPlan;
  if (prepaid > 0) {
    code.raw(1, 1, VALUE_TYPE.i64);
    writeCharge(code, prepaid, { counters, local: type.params.length });
  } else {
    code.u8(0);
  }
  for (let param = 0; param < type.params.length; param++) {
    writeIndexed(code, CODE.localGet, param);
  }
  writeIndexed(code, CODE.globalGet, counters.stack);
  writeIndexed(code, hasTailCalls ? CODE.returnCall : CODE.call, index);
  code.u8(CODE.end);
}
