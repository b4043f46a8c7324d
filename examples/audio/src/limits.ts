/** Largest recording that is downloaded: 64 MiB, six minutes of CD-quality stereo. */
export const MAX_INPUT_BYTES: number = 64 * 1024 * 1024;

/** Longest recording that is processed: 30 minutes, which is 115 MB as 16 kHz 32-bit samples in memory. */
export const MAX_DURATION_MS: number = 30 * 60_000;

/** Shortest recording that is processed: one BS.1770 gating block. Loudness is undefined below it. */
export const MIN_DURATION_MS = 400;

/** Sample rates taken, in hertz. Outside them a header is more likely damaged than truthful. */
export const MIN_SAMPLE_RATE_HZ = 4_000;
export const MAX_SAMPLE_RATE_HZ = 384_000;

/** The rate that speech models expect, and the rate of everything this example writes. */
export const TARGET_SAMPLE_RATE_HZ = 16_000;
