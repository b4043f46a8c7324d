/** Less than a test has, so that it says what it waited for. */
const PATIENCE_MS = 45_000;

/**
 * Resolves when `condition` holds, looking once per turn of the event loop. It counts no turns: a quick machine makes
 * any number of them while a disk, a thread or another process takes its time.
 *
 * @throws when it does not hold for long
 */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > untilMs) throw new Error(`it does not come true: ${condition.toString()}`);
    await nextTurn();
  }
}

/** One turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Some turns of the event loop: whatever can happen without time passing has happened. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await nextTurn();
}
