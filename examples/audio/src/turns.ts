/**
 * Gives the event loop one turn, then throws if the work was cancelled.
 *
 * Progress, heartbeats and the cancel message itself travel on the same loop as the arithmetic, so every loop
 * that can run for more than a few tens of milliseconds calls this between its chunks.
 *
 * @throws the signal's reason when it is aborted
 */
export async function takeTurn(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
  signal.throwIfAborted();
}
