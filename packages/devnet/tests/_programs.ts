/** A program that ignores SIGTERM and would run for a minute. */
export const STUBBORN = [
  "-e",
  "process.on('SIGTERM', () => console.log('no')); setTimeout(() => {}, 60_000); console.log('up');",
] as const;

/** A program that ends on SIGTERM. */
export const OBEDIENT = ["-e", "setTimeout(() => {}, 60_000); console.log('up');"] as const;
