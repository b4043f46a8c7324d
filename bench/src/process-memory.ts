import { readFileSync } from "node:fs";

/** Resident memory of a process in MiB, from /proc. @throws where there is no /proc, or no such process */
export function residentMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error(`/proc/${pid}/status tells no VmRSS`);
  return Number(kib) / 1_024;
}
