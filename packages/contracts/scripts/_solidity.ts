import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const SOLIDITY = new URL("../solidity/", import.meta.url);
const CONTRACTS = [
  "TaskQueue",
  "WorkflowEngine",
  "SubnetControlPlane",
  "Multicall3",
  "BatchExecutor",
] as const;

interface CompilerOutput {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts: Record<string, Record<string, CompiledContract>>;
}

interface CompiledContract {
  readonly abi: readonly unknown[];
  readonly evm: { readonly bytecode: { object: string }; readonly deployedBytecode: { object: string } };
}

/**
 * Compiles every contract and returns the text of the generated modules by file name.
 *
 * The same sources and compiler give the same text on every machine: no metadata hash is appended.
 *
 * @throws Error with the compiler's own words, for warnings too.
 */
export function generateModules(): Map<string, string> {
  const output = compile();
  return new Map(
    CONTRACTS.map((name) => {
      const contract = output.contracts[`${name}.sol`]?.[name];
      if (contract === undefined) throw new Error(`solc gave no ${name}: is solidity/${name}.sol there?`);
      return [`${kebab(name)}.ts`, moduleText(name, contract)];
    }),
  );
}

function compile(): CompilerOutput {
  const files = readdirSync(SOLIDITY).filter((file) => file.endsWith(".sol"));
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(
      files.map((file) => [file, { content: readFileSync(new URL(file, SOLIDITY), "utf8") }]),
    ),
    settings: {
      evmVersion: "cancun",
      optimizer: { enabled: true, runs: 10_000 },
      metadata: { appendCBOR: false, bytecodeHash: "none" },
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
    },
  };
  // Not a static import: the package is CommonJS and a 9 MB script, and only this script needs it.
  const solc = createRequire(import.meta.url)("solc") as { compile(input: string): string };
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as CompilerOutput;
  const problems = output.errors ?? [];
  if (problems.length > 0) throw new Error(problems.map((problem) => problem.formattedMessage).join("\n"));
  return output;
}

function moduleText(name: string, contract: CompiledContract): string {
  const prefix = name.charAt(0).toLowerCase() + name.slice(1);
  const lines = [
    `// Made by scripts/compile.ts from solidity/${name}.sol. Do not edit.`,
    "",
    `/** ABI of ${name}, as the compiler has it. */`,
    `export const ${prefix}Abi = ${JSON.stringify(contract.abi, undefined, 2)} as const;`,
    "",
    "/** Creation code, without constructor arguments. */",
    `export const ${prefix}Bytecode = "0x${contract.evm.bytecode.object}" as const;`,
  ];
  // Contracts with immutables have no fixed runtime code, so only this one can be put in place as it is.
  if (name === "Multicall3") {
    lines.push(
      "",
      "/** Runtime code. */",
      `export const ${prefix}RuntimeBytecode = "0x${contract.evm.deployedBytecode.object}" as const;`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function kebab(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
}
