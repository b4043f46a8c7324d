/** A job queue with a worker in another process that does nothing. Rates in jobs per second, to the last completion. */
export interface Peer extends AsyncDisposable {
  /** Of jobs that are in the queue when the clock starts. */
  queued(jobs: number): Promise<number>;
  /** Of jobs that are added, many at a time, while the worker works. */
  offered(jobs: number): Promise<number>;
}

/** Jobs per second that `work` gets done. */
export async function rateOf(jobs: number, work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return jobs / ((performance.now() - startMs) / 1_000);
}
