import type { ModuleFacts } from "../meter/facts.ts";
import type { Abi } from "./abi.ts";

/** Which ABI a core module's exports speak of; `undefined` when they are those of none. A command comes first. */
export function guessAbi(facts: Pick<ModuleFacts, "exports">): Abi | undefined {
  if (exportsFunction(facts, { name: "_start", params: 0, results: 0 })) return "command";
  if (exportsFunction(facts, { name: "execute", params: 2, results: 1 })) return "execute";
  return undefined;
}

function exportsFunction(
  facts: Pick<ModuleFacts, "exports">,
  wanted: { readonly name: string; readonly params: number; readonly results: number },
): boolean {
  const type = facts.exports.find(({ name }) => name === wanted.name)?.type;
  return (
    type?.kind === "function" &&
    type.params.length === wanted.params &&
    type.results.length === wanted.results
  );
}
