/**
 * The part of the JavaScript API of WebAssembly that this package uses. TypeScript has it only with the DOM's
 * globals, which a package for Node must not bring along.
 */
declare const brand: unique symbol;

/** A compiled module. Threads can be sent it; all share its code. */
export interface WasmModule {
  readonly [brand]: "module";
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

export interface WasmTable {
  readonly length: number;
  get(index: number): unknown;
  set(index: number, value: unknown): void;
}

/** `T` is `bigint` for i64 and `number` for i32. */
export interface WasmGlobal<T extends bigint | number = bigint | number> {
  value: T;
}

export type WasmFunction = (...args: readonly never[]) => unknown;

export type WasmExtern = WasmFunction | WasmMemory | WasmTable | WasmGlobal;

export interface WasmInstance {
  readonly exports: Readonly<Record<string, WasmExtern>>;
}

export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Api {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    exports(module: WasmModule): readonly { readonly name: string; readonly kind: string }[];
    imports(
      module: WasmModule,
    ): readonly { readonly module: string; readonly name: string; readonly kind: string }[];
  };
  readonly Instance: new (module: WasmModule, imports?: WasmImports) => WasmInstance;
  readonly Global: new <T extends bigint | number>(
    type: { readonly value: "i32" | "i64"; readonly mutable: boolean },
    value: T,
  ) => WasmGlobal<T>;
  readonly Memory: new (size: { readonly initial: number; readonly maximum?: number }) => WasmMemory;
  readonly Table: new (size: { readonly element: "anyfunc"; readonly initial: number }) => WasmTable;
  readonly CompileError: new (message?: string) => Error;
  readonly LinkError: new (message?: string) => Error;
  readonly Exception: abstract new () => object;
  readonly RuntimeError: new (message?: string) => Error;
  validate(bytes: Uint8Array): boolean;
  compile(bytes: Uint8Array): Promise<WasmModule>;
}

/** Node's `WebAssembly`. */
export const Wasm: Api = (globalThis as unknown as { readonly WebAssembly: Api }).WebAssembly;
