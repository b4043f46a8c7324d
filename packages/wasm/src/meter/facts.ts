/** Types of values, as the binary format numbers them. */
export const VALUE_TYPE = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
  funcref: 0x70,
  externref: 0x6f,
} as const;

/** A type of values, by its name in the text format. */
export type ValueTypeName = keyof typeof VALUE_TYPE;

/** The type of a function: what it takes and what it gives back. */
export interface FunctionTypeFact {
  readonly params: readonly ValueTypeName[];
  readonly results: readonly ValueTypeName[];
}

interface Sizes {
  /** Pages of 64 KiB, or elements. */
  readonly min: number;
  readonly max: number | undefined;
}

/** The type of an import or an export. */
export type ExternFact =
  | ({ readonly kind: "function" } & FunctionTypeFact)
  | ({ readonly kind: "memory" } & Sizes)
  | ({ readonly kind: "table"; readonly element: ValueTypeName } & Sizes)
  | { readonly kind: "global"; readonly type: ValueTypeName; readonly isMutable: boolean }
  | ({ readonly kind: "tag" } & FunctionTypeFact);

/** What a module says of itself, before it was metered. */
export interface ModuleFacts {
  readonly imports: readonly { readonly module: string; readonly name: string; readonly type: ExternFact }[];
  readonly exports: readonly { readonly name: string; readonly type: ExternFact }[];
  /** Functions of its own. */
  readonly functionCount: number;
  /** Memories of its own. */
  readonly memoryCount: number;
  /** All memories of its own from the start, pages of 64 KiB. */
  readonly memoryMinPages: number;
  /** All tables of its own from the start. */
  readonly tableMinElements: number;
  readonly hasStart: boolean;
  /** By function index, imports first, from the name section; holes where it names none. */
  readonly functionNames: readonly (string | undefined)[];
  /** Bytes before and after. */
  readonly bytes: number;
  readonly meteredBytes: number;
}
