import type { ToolName } from "./tools.ts";

interface Source {
  /** File name of what is made, such as `word-count.wasm`. */
  readonly name: string;
  /** The source file, absolute. */
  readonly source: string;
}

/** How one program is made. Data, so that what has not changed can be told from what has. */
export type Recipe =
  /** A core module in C: `execute` without a library, or a command with the C library of WASI. */
  | (Source & {
      readonly kind: "c";
      readonly tool: "clang" | "clang-wasi";
      readonly flags: readonly string[];
    })
  /** A core module in Rust: a library without WASI, or a command. */
  | (Source & {
      readonly kind: "rust";
      readonly tool: "rustc" | "rustc-wasi";
      readonly flags: readonly string[];
    })
  /** A core module in AssemblyScript. */
  | (Source & { readonly kind: "assemblyscript"; readonly flags: readonly string[] })
  /** A component in JavaScript or TypeScript; `world` is one of the file `wit`. */
  | (Source & { readonly kind: "script-component"; readonly wit: string; readonly world: string })
  /** The core module of a command as a component that exports `wasi:cli/run`. */
  | (Source & { readonly kind: "command-component"; readonly tool: ToolName })
  /** A core module that follows the canonical ABI as a component of a world. */
  | (Source & {
      readonly kind: "core-component";
      readonly tool: ToolName;
      readonly wit: string;
      readonly world: string;
    });

/** The compiler that a recipe needs and npm does not have. */
export function toolOf(recipe: Recipe): ToolName | undefined {
  return "tool" in recipe ? recipe.tool : undefined;
}
