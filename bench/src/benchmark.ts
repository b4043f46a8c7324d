/** One row of the table for people. */
export interface Row {
  readonly what: string;
  readonly value: string;
  /** The limit or the peer it is held against. */
  readonly beside: string;
}

export interface Report {
  readonly rows: readonly Row[];
  /** Numbers under the names that the project's issues give them. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface Benchmark {
  /** One sentence. */
  readonly about: string;
  run(): Promise<Report>;
}
