/** Resolves when `condition` holds, looking once per turn of the event loop. @throws after `turns` turns */
export async function until(condition: () => boolean | Promise<boolean>, turns = 200_000): Promise<void> {
  for (let turn = 0; !(await condition()); turn += 1) {
    if (turn === turns) throw new Error(`it does not come true: ${condition.toString()}`);
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
