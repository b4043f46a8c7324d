// Compiles solidity/*.sol into src/gen/*.ts, which are committed.
//   node scripts/compile.ts           writes them
//   node scripts/compile.ts --check   exits with 1 when they are not what the sources give
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { generateModules } from "./_solidity.ts";

const GEN = new URL("../src/gen/", import.meta.url);
const isCheck = process.argv.includes("--check");

mkdirSync(GEN, { recursive: true });
for (const [file, text] of generateModules()) {
  const target = new URL(file, GEN);
  if (!isCheck) writeFileSync(target, text);
  else if (readFileSync(target, "utf8") !== text) {
    process.stderr.write(
      `src/gen/${file} is out of date: run \`pnpm --filter @subnet-worker/contracts compile\`\n`,
    );
    process.exitCode = 1;
  }
}
