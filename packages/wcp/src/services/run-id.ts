import { createHash } from "node:crypto";

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
  const hash = createHash("sha256")
    .update(JSON.stringify([taskId, token, attempt]))
    .digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}
