import { Bytes, Dice } from "./_generate-bytes.ts";
import { CodeGenerator } from "./_generate-code.ts";
import { TYPE, type Type } from "./_generate-operators.ts";
import type { Signature, Surroundings } from "./_generate-values.ts";
import { Wasm, type WasmImports } from "../src/web-assembly.ts";

const { i32, i64, f32, f64, v128, funcref, externref } = TYPE;

/** A valid module. */
export interface GeneratedModule {
  readonly seed: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What to call, with what. All its globals, memories and tables that JavaScript can read are exported too. */
  readonly calls: readonly { readonly name: string; readonly args: readonly (number | bigint)[] }[];
}

/** How many functions may be entered in a run, and how often its loops may go around together. */
const MAX_ENTRIES = 300;
const MAX_LOOPS = 2000;
const SLOTS = 12;

function mix(value: number): number {
  return (Math.imul(value, 31) + 7) | 0;
}

/** What every generated module may import, new for each instance. */
export function generatedImports(): WasmImports {
  return {
    env: {
      mix,
      risky: (value: number): number => {
        if (value % 3 === 0) {
          throw new Error("of the host"); // which only catch_all catches
        }
        return mix(value);
      },
      nothing: (): void => undefined,
      sum: (a: bigint, b: number): bigint =>
        BigInt.asIntN(64, a + BigInt(Math.trunc(Math.abs(b) < 1e9 ? b : 0))),
      base: 3,
      state: new Wasm.Global({ value: "i64", mutable: true }, 5n),
    },
  };
}

const IMPORTED_TYPES: readonly Signature[] = [
  { params: [i32], results: [i32] },
  { params: [], results: [] },
  { params: [i64, f64], results: [i64] },
];

/** The first globals are imported. */
const IMPORTED_GLOBALS = 2;

interface Drawing {
  readonly plan: Plan;
  readonly dice: Dice;
}

interface Plan extends Surroundings {
  readonly hasStart: boolean;
  /** Functions of the module that are exported, by index. */
  readonly exported: readonly number[];
}

/** The same seed gives the same module. It ends whatever is called, unless it may be endless. */
export function generateModule(seed: number, isEndless: boolean = false): GeneratedModule {
  const dice = new Dice(seed);
  const plan = drawPlan(dice, isEndless);
  const { types, functions } = plan;
  const bodies = functions
    .slice(plan.importedFunctions)
    .map((type) => new CodeGenerator(dice, plan, types[type]!).write());
  const module = new Bytes().raw(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  writeHead(module, plan);
  writeMiddle(module, { plan, dice });
  section(module, 10, (out) => out.vector(bodies, (body) => out.sized(body)));
  section(module, 11, (out) => writeData(out, { plan, dice }));
  return {
    seed,
    bytes: Uint8Array.from(module.list),
    calls: plan.exported.map((index) => ({
      name: `f${index}`,
      args: types[functions[index]!]!.params.map((type) =>
        type === i64 ? BigInt(dice.bits() | 0) : type === i32 ? dice.bits() | 0 : dice.roll(1000) / 8,
      ),
    })),
  };
}

function drawPlan(dice: Dice, isEndless: boolean): Plan {
  const simd = dice.once(3);
  const exceptions = dice.once(3);
  const types = drawTypes(dice, simd);
  const importedFunctions = IMPORTED_TYPES.length;
  const ownCount = dice.between(2, 7);
  const own = Array.from({ length: ownCount }, () => dice.roll(types.length));
  const functions = [...IMPORTED_TYPES.keys(), ...own];
  const all = [...functions.keys()];
  const canExport = all.filter(
    (index) => index >= importedFunctions && isCallable(types[functions[index]!]!),
  );
  const globals = drawGlobals(dice, simd);
  const tailCalls = dice.once(3);
  return {
    types,
    functions,
    importedFunctions,
    globals: [...globals, { type: i32, isMutable: true }, { type: i32, isMutable: true }],
    entriesGlobal: globals.length,
    loopsGlobal: globals.length + 1,
    memories: dice.once(5) ? 2 : 1,
    slots: Array.from({ length: SLOTS }, () => dice.pick(all)),
    tags:
      exceptions && !dice.once(3)
        ? [
            { params: [], results: [] },
            { params: [i32], results: [] },
          ]
        : [],
    dataSegments: dice.roll(3),
    elementSegments: dice.roll(3),
    declared: all.filter(() => dice.once(3)),
    simd,
    exceptions,
    tailCalls,
    isEndless,
    size: dice.pick([40, 120, 300]),
    hasStart: dice.once(4),
    exported: canExport.filter((_, place) => place === 0 || dice.once(2)).slice(0, 3),
  };
}

/** JavaScript has no values of SIMD; references are not passed in. */
function isCallable({ params, results }: Signature): boolean {
  return params.every(isNumber) && !results.includes(v128);
}

function isNumber(type: Type): boolean {
  return type === i32 || type === i64 || type === f32 || type === f64;
}

function drawTypes(dice: Dice, simd: boolean): readonly Signature[] {
  const numbers: readonly Type[] = [i32, i32, i64, f32, f64];
  const any = (): Type => {
    if (simd && dice.once(6)) {
      return v128;
    }
    return dice.once(12) ? dice.pick([funcref, externref]) : dice.pick(numbers);
  };
  const drawn = Array.from({ length: dice.between(2, 6) }, () => ({
    params: Array.from({ length: dice.roll(4) }, any),
    results: Array.from({ length: dice.roll(3) }, any),
  }));
  return [
    ...IMPORTED_TYPES,
    { params: [i32], results: [] },
    { params: [], results: [i32, i64] },
    { params: [dice.pick(numbers), dice.pick(numbers)], results: [dice.pick(numbers)] },
    ...drawn,
  ];
}

function drawGlobals(dice: Dice, simd: boolean): Plan["globals"] {
  const types: readonly Type[] = [i32, i64, f32, f64, funcref, externref, ...(simd ? [v128] : [])];
  return [
    { type: i32, isMutable: false },
    { type: i64, isMutable: true },
    ...Array.from({ length: dice.roll(5) }, () => ({ type: dice.pick(types), isMutable: !dice.once(4) })),
  ];
}

function section(out: Bytes, id: number, write: (content: Bytes) => unknown): void {
  const content = new Bytes();
  write(content);
  out.raw(id).sized(content);
}

/** Types to tags. */
function writeHead(out: Bytes, plan: Plan): void {
  const { types, functions, importedFunctions, tags, memories } = plan;
  section(out, 1, (to) => {
    to.vector(types, ({ params, results }) => {
      to.raw(0x60).vector(params, (type) => to.raw(type));
      to.vector(results, (type) => to.raw(type));
    });
  });
  section(out, 2, (to) => {
    to.u32(5);
    for (const [index, name] of [plan.exceptions ? "risky" : "mix", "nothing", "sum"].entries()) {
      to.name("env").name(name).raw(0).u32(index);
    }
    to.name("env").name("base").raw(3, i32, 0);
    to.name("env").name("state").raw(3, i64, 1);
  });
  section(out, 3, (to) => to.vector(functions.slice(importedFunctions), (type) => to.u32(type)));
  section(out, 4, (to) => {
    to.u32(3);
    to.raw(funcref, 1, SLOTS, SLOTS).raw(funcref, 0, 4).raw(externref, 1, 4, 20);
  });
  section(out, 5, (to) => {
    to.u32(memories).raw(1, 1, 3);
    if (memories === 2) {
      to.raw(0, 1);
    }
  });
  if (tags.length > 0) {
    const indices = tags.map((tag) =>
      types.findIndex(({ params, results }) => results.length === 0 && params.join() === tag.params.join()),
    );
    section(out, 13, (to) => to.vector(indices, (index) => to.raw(0).u32(index)));
  }
}

/** Globals to the count of data segments. */
function writeMiddle(out: Bytes, { plan, dice }: Drawing): void {
  const { globals, exported, elementSegments, slots, declared, memories, dataSegments } = plan;
  section(out, 6, (to) => {
    const own = [...globals.entries()].slice(IMPORTED_GLOBALS);
    to.vector(own, ([index, { type, isMutable }]) => {
      to.raw(type, isMutable ? 1 : 0);
      writeInitial(to, { plan, dice }, index);
    });
  });
  section(out, 7, (to) => {
    const readable = [...globals.keys()].filter((index) => isNumber(globals[index]!.type));
    const names = [
      ...exported.map((index) => ({ name: `f${index}`, kind: 0, index })),
      ...[1, 2].map((index) => ({ name: `table${index}`, kind: 1, index })),
      ...Array.from({ length: memories }, (_, index) => ({ name: `memory${index}`, kind: 2, index })),
      ...readable.map((index) => ({ name: `global${index}`, kind: 3, index })),
    ];
    to.vector(names, ({ name, kind, index }) => to.name(name).raw(kind).u32(index));
  });
  const start = plan.functions.findLastIndex((type) => isCommand(plan.types[type]!));
  if (plan.hasStart && start >= plan.importedFunctions) {
    section(out, 8, (to) => to.u32(start));
  }
  section(out, 9, (to) => {
    to.u32(elementSegments + 2);
    for (let segment = 0; segment < elementSegments; segment += 1) {
      writePassive(to, [dice.pick(slots), dice.pick(slots), dice.pick(slots)], dice.once(2));
    }
    to.raw(0, 0x41, 0, 0x0b).vector(slots, (index) => to.u32(index));
    to.raw(3, 0).vector(declared, (index) => to.u32(index));
  });
  section(out, 12, (to) => to.u32(dataSegments + 1));
}

function isCommand({ params, results }: Signature): boolean {
  return params.length === 0 && results.length === 0;
}

/** Elements by their indices, or as expressions. */
function writePassive(to: Bytes, indices: readonly number[], asExpressions: boolean): void {
  if (asExpressions) {
    to.raw(5, funcref).vector(indices, (index) => to.raw(0xd2).u32(index).raw(0x0b));
  } else {
    to.raw(1, 0).vector(indices, (index) => to.u32(index));
  }
}

function writeInitial(to: Bytes, { plan, dice }: Drawing, index: number): void {
  const { type } = plan.globals[index]!;
  if (index === plan.entriesGlobal || index === plan.loopsGlobal) {
    to.raw(0x41).signed(BigInt(index === plan.entriesGlobal ? MAX_ENTRIES : MAX_LOOPS));
  } else if (type === funcref && plan.declared.length > 0) {
    to.raw(0xd2).u32(dice.pick(plan.declared));
  } else if (type === i32 && dice.once(2)) {
    // an extended constant expression
    to.raw(0x23, 0, 0x41)
      .signed(BigInt(dice.roll(1000)))
      .raw(0x6a);
  } else {
    writeConstant(to, type, dice);
  }
  to.raw(0x0b);
}

function writeConstant(to: Bytes, type: Type, dice: Dice): void {
  if (type === i32 || type === i64) {
    to.raw(type === i32 ? 0x41 : 0x42).signed(BigInt(dice.bits() | 0));
  } else if (type === f32) {
    to.raw(0x43).f32(dice.roll(100) / 4);
  } else if (type === f64) {
    to.raw(0x44).f64(dice.roll(100) / 4);
  } else if (type === v128) {
    to.raw(0xfd, 0x0c, ...Array.from({ length: 16 }, () => dice.roll(256)));
  } else {
    to.raw(0xd0, type);
  }
}

/** Segments to copy from, and one that is there from the start. */
function writeData(to: Bytes, { plan, dice }: Drawing): void {
  to.u32(plan.dataSegments + 1);
  const bytes = (): readonly number[] => Array.from({ length: 16 }, () => dice.roll(256));
  for (let segment = 0; segment < plan.dataSegments; segment += 1) {
    to.raw(1, 16, ...bytes());
  }
  to.raw(0, 0x41)
    .signed(1024n)
    .raw(0x0b, 16, ...bytes());
}
