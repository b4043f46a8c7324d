import { hash } from "node:crypto";

/**
 * The id of a run, in the form of a UUID (version 8). It follows from the task, the claim it runs under and
 * the attempt, all of which the network tells again when the database is lost (the attempt counts from 1
 * then): the executor takes the same id as "go on" and not as another run.
 */
export function runIdOf(claim: {
  readonly taskId: string;
  readonly token: string;
  readonly attempt: number;
}): string {
  const { taskId, token, attempt } = claim;
  const digest = hash("sha256", JSON.stringify([taskId, token, attempt]), "hex");
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16);
  const hex = `${digest.slice(0, 12)}8${digest.slice(13, 16)}${variant}${digest.slice(17, 32)}`;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}
