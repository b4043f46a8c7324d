import type { CaseReport, Problem } from "./check-case.ts";

/** Adds up what cases came to. */
export class Tally {
  readonly #verdicts = new Map<string, number>();
  readonly #problems = new Map<Problem["kind"], number>();
  #cases = 0;
  #generated = 0;
  #compared = 0;
  #returned = 0;
  #trapped = 0;
  #outOfFuel = 0;
  #outOfStack = 0;

  add({ origin, verdict, ends, compared, problems }: CaseReport): void {
    this.#cases += 1;
    this.#generated += origin === "generated" ? 1 : 0;
    this.#verdicts.set(verdict, (this.#verdicts.get(verdict) ?? 0) + 1);
    this.#compared += compared;
    this.#returned += ends.returned;
    this.#trapped += ends.trapped;
    this.#outOfFuel += ends.out_of_fuel;
    this.#outOfStack += ends.out_of_stack;
    for (const { kind } of problems) {
      this.#problems.set(kind, (this.#problems.get(kind) ?? 0) + 1);
    }
  }

  get problems(): number {
    return this.#problems.values().reduce((sum, count) => sum + count, 0);
  }

  /** For people. */
  rows(): readonly (readonly [what: string, count: number])[] {
    return [
      ["modules", this.#cases],
      ["generated", this.#generated],
      ["generated or real, then changed", this.#cases - this.#generated],
      ...[...this.#verdicts].map(([verdict, count]) => [`verdict ${verdict}`, count] as const),
      ["calls that returned", this.#returned],
      ["calls that trapped", this.#trapped],
      ["calls that ran out of fuel", this.#outOfFuel],
      ["calls that ran out of stack", this.#outOfStack],
      ["calls compared with the module as it came", this.#compared],
      ["problems", this.problems],
    ];
  }

  metrics(): Readonly<Record<string, number>> {
    const problems = (kind: Problem["kind"]): number => this.#problems.get(kind) ?? 0;
    return {
      modules: this.#cases,
      generated: this.#generated,
      accepted: this.#verdicts.get("accepted") ?? 0,
      calls: this.#returned + this.#trapped + this.#outOfFuel + this.#outOfStack,
      out_of_fuel: this.#outOfFuel,
      compared: this.#compared,
      crashes: problems("crash"),
      hangs: problems("hang"),
      unmetered: problems("unmetered"),
      invalid_outputs: problems("invalid_output"),
      mismatches: problems("mismatch"),
    };
  }
}
