/** Numbers of sections. */
export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/** Order in which sections stand, by their numbers; a custom section stands anywhere. */
export const SECTION_RANK: readonly number[] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6];

/** Kinds of imports and exports. */
export const EXTERN = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

/** A section as it stands in the module. */
export interface Section {
  readonly id: number;
  /** Where its number is. */
  readonly start: number;
  /** Where its content begins and ends. */
  readonly from: number;
  readonly to: number;
}

/** Types of values as bytes. */
export interface FunctionType {
  readonly params: Uint8Array;
  readonly results: Uint8Array;
}

/** Pages or elements. */
export interface SizeLimits {
  readonly min: number;
  readonly max: number | undefined;
}

/** A table, with the byte of its elements' type. */
export interface TableType extends SizeLimits {
  readonly element: number;
}

/** A global, with the byte of its type. */
export interface GlobalType {
  readonly type: number;
  readonly isMutable: boolean;
}

/** What an index in the module's index spaces stands for; `index` is the one of its kind. */
export interface ExternName {
  readonly kind: number;
  readonly index: number;
}

/** Where an index of a function or a global stands outside of code: the metered module may need another there. */
export interface IndexReference {
  readonly kind: typeof EXTERN.function | typeof EXTERN.global;
  readonly from: number;
  readonly to: number;
  readonly index: number;
}

/** A module, read as far as metering needs it. Index spaces have the imports first. */
export interface ModuleParts {
  readonly bytes: Uint8Array;
  readonly sections: readonly Section[];
  readonly types: readonly FunctionType[];
  /** By index of a type, the number of the first that is equal. */
  readonly canonicalTypes: Uint32Array;
  readonly imports: readonly (ExternName & { readonly module: string; readonly name: string })[];
  readonly exports: readonly (ExternName & { readonly name: string })[];
  /** Indices of types. */
  readonly functions: readonly number[];
  readonly tables: readonly TableType[];
  readonly memories: readonly SizeLimits[];
  readonly globals: readonly GlobalType[];
  /** Indices of types. */
  readonly tags: readonly number[];
  /** How many of each kind are imported, by {@link EXTERN}. */
  readonly imported: readonly number[];
  readonly start: number | undefined;
  /** In the order of the bytes. */
  readonly references: readonly IndexReference[];
  /** First byte of each own body, its locals, and the byte after. */
  readonly bodyFrom: readonly number[];
  readonly bodyTo: readonly number[];
}

/** Function types that an operator names. */
export function typeOfFunction(parts: ModuleParts, index: number): FunctionType {
  return parts.types[parts.functions[index] as number] as FunctionType;
}
