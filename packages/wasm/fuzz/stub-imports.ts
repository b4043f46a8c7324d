import type { ExternFact, ModuleFacts, ValueTypeName } from "../src/meter/facts.ts";
import type { WasmImports } from "../src/web-assembly.ts";

/** What of the JavaScript API only stubs need. */
interface StubApi {
  readonly Global: new (type: { value: string; mutable: boolean }, value?: unknown) => unknown;
  readonly Memory: new (size: { initial: number; maximum?: number }) => unknown;
  readonly Table: new (size: { element: string; initial: number; maximum?: number }) => unknown;
  readonly Tag: new (type: { parameters: readonly string[] }) => unknown;
}

const Api = (globalThis as unknown as { readonly WebAssembly: StubApi }).WebAssembly;

/** Imports for any module: functions give numbers that only depend on how many calls there were before. */
export function stubImports(facts: ModuleFacts): WasmImports {
  const imports: Record<string, Record<string, unknown>> = {};
  let calls = 0;
  for (const { module, name, type } of facts.imports) {
    imports[module] ??= {};
    imports[module][name] = stub(type, () => {
      calls += 1;
      return (calls * 37) % 251;
    });
  }
  return imports;
}

function stub(type: ExternFact, next: () => number): unknown {
  switch (type.kind) {
    case "function":
      return () => {
        const values = type.results.map((result) => valueOf(result, next()));
        return values.length === 1 ? values[0] : values;
      };
    case "global":
      return new Api.Global({ value: nameOf(type.type), mutable: type.isMutable }, valueOf(type.type, 3));
    case "memory":
      return new Api.Memory({ initial: type.min, ...(type.max === undefined ? {} : { maximum: type.max }) });
    case "table":
      return new Api.Table({
        element: nameOf(type.element),
        initial: type.min,
        ...(type.max === undefined ? {} : { maximum: type.max }),
      });
    default:
      return new Api.Tag({ parameters: type.params.map(nameOf) });
  }
}

function nameOf(type: ValueTypeName): string {
  return type === "funcref" ? "anyfunc" : type;
}

/** A value of a type; references are null, and there are none of SIMD. */
export function valueOf(type: ValueTypeName, number: number): unknown {
  switch (type) {
    case "i64":
      return BigInt(number);
    case "i32":
    case "f32":
    case "f64":
      return number;
    default:
      return null;
  }
}
