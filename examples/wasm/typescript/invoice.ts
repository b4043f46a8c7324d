// A handler: the lines of an order in, its invoice out, both JSON. Amounts are whole cents.
import { log, progress } from "subnet:worker/host@0.1.0";

interface Line {
  readonly article: string;
  readonly quantity: number;
  readonly unitCents: number;
}

const VAT_PERCENT = 19;

export function run(input: Value): Value {
  const lines = linesOf(input);
  let netCents = 0;
  const items = lines.map((line, index) => {
    progress(index / lines.length, line.article);
    if (line.quantity === 0) log("warn", `${line.article}: none ordered`);
    const cents = line.quantity * line.unitCents;
    netCents += cents;
    return { article: line.article, cents };
  });
  const vatCents = Math.round((netCents * VAT_PERCENT) / 100);
  return { tag: "json", val: JSON.stringify({ items, netCents, vatCents, totalCents: netCents + vatCents }) };
}

function linesOf(input: Value): readonly Line[] {
  if (input.tag !== "json") throw failure("not-json", `the input is ${input.tag}`);
  let order: unknown;
  try {
    order = JSON.parse(input.val);
  } catch (error) {
    throw failure("not-json", String(error));
  }
  const { lines } = order as { readonly lines?: unknown };
  if (!Array.isArray(lines) || !lines.every(isLine))
    throw failure("bad-order", "lines are missing or incomplete");
  return lines;
}

function isLine(line: unknown): line is Line {
  const { article, quantity, unitCents } = line as Partial<Line>;
  return typeof article === "string" && Number.isInteger(quantity) && Number.isInteger(unitCents);
}

/** The same input fails again, so none of these is worth another try. */
function failure(code: string, message: string): Failure {
  return { code, message, retryable: false };
}
