import type { Logger } from "@subnet-worker/kit";

/** Whether claims are held back, said once when they are and once when they go on. */
export class ClaimHold {
  readonly #reasons: () => readonly string[];
  readonly #logger: Logger;
  #isHeld = false;

  constructor(deps: { readonly holdClaims: () => readonly string[]; readonly logger: Logger }) {
    this.#reasons = deps.holdClaims;
    this.#logger = deps.logger;
  }

  /** Looks for reasons; some of them tell figures that change all the time. */
  isHeld(): boolean {
    const reasons = this.#reasons();
    const isHeld = reasons.length > 0;
    if (isHeld !== this.#isHeld) {
      this.#isHeld = isHeld;
      if (isHeld) this.#logger.warn({ reason: reasons.join("; ") }, "nothing is claimed for now");
      else this.#logger.info("claiming again");
    }
    return isHeld;
  }
}
