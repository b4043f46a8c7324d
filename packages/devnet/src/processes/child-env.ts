// Nothing else of the devnet's own environment reaches a child: what a shell
// has exported, cloud credentials for one, is no business of partner code.
const PASSED_ON = [
  "PATH",
  "HOME",
  "LANG",
  "LC_ALL",
  "TZ",
  "TMPDIR",
  "NODE_EXTRA_CA_CERTS",
  "NODE_COMPILE_CACHE",
] as const;

export type Environment = Readonly<Record<string, string>>;

/** A child's whole environment: a short list from ours, and what it is given. */
export function childEnvironment(given: Environment, from: NodeJS.ProcessEnv = process.env): Environment {
  const passed = PASSED_ON.flatMap((name) => {
    const value = from[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(passed), ...given };
}
