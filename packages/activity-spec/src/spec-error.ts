/** One thing that is wrong with a spec file. */
export interface SpecProblem {
  readonly file: string;
  /** Starts at 1. */
  readonly line: number;
  /** Where in the document: `activities[0].worker`; empty for the document itself. */
  readonly field: string;
  /** What is wrong. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
}

// Beyond this a list no longer helps; `problems` has them all.
const MOST_SHOWN = 50;

/** Everything that is wrong with a spec file, at once, in the order of its lines. */
export class SpecError extends Error {
  override readonly name = "SpecError";
  readonly code = "BAD_SPEC";
  readonly problems: readonly SpecProblem[];

  constructor(problems: readonly SpecProblem[]) {
    const sorted = problems.toSorted((a, b) => a.line - b.line);
    const file = sorted[0]?.file ?? "the spec";
    const shown = sorted.slice(0, MOST_SHOWN).map(formatProblem);
    if (sorted.length > MOST_SHOWN) shown.push(`and ${sorted.length - MOST_SHOWN} more`);
    super(
      `[BAD_SPEC] ${sorted.length} problem${sorted.length === 1 ? "" : "s"} in ${file}:` +
        shown.map((line) => `\n  - ${line}`).join(""),
    );
    this.problems = sorted;
  }
}

function formatProblem({ file, line, field, message, remedy }: SpecProblem): string {
  return `${file}:${line}: ${field === "" ? "" : `${field}: `}${message}; ${remedy}`;
}
