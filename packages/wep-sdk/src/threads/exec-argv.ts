// A thread inherits the flags of its process unless it is told which to have. Not
// all can be had by a thread: `--eval` and `--input-type` break one that runs a
// file, and flags of the whole process, like `--max-old-space-size`, are refused.

const WITH_VALUE: ReadonlySet<string> = new Set([
  "--conditions",
  "-C",
  "--import",
  "--require",
  "-r",
  "--loader",
  "--experimental-loader",
  "--disable-warning",
]);
const ALONE: ReadonlySet<string> = new Set([
  "--enable-source-maps",
  "--no-warnings",
  "--preserve-symlinks",
  "--experimental-transform-types",
]);

/** Of the flags of a process, those that its threads need to load modules as it does. */
export function threadExecArgv(
  execArgv: readonly string[],
  { isSource }: { readonly isSource: boolean },
): string[] {
  const kept: string[] = [];
  for (const [index, flag] of execArgv.entries()) {
    const name = flag.split("=", 1)[0] ?? flag;
    if (WITH_VALUE.has(name))
      kept.push(flag, ...(flag.includes("=") ? [] : execArgv.slice(index + 1, index + 2)));
    else if (ALONE.has(flag)) kept.push(flag);
  }
  const condition = "@subnet-worker/source";
  const hasCondition = kept.some((flag) => flag.endsWith(condition));
  return isSource && !hasCondition ? [...kept, `--conditions=${condition}`] : kept;
}
