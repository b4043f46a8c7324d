/** A power ratio in decibels; zero power is minus infinity. */
export function powerToDb(power: number): number {
  return 10 * Math.log10(power);
}

/** An amplitude ratio in decibels; zero amplitude is minus infinity. */
export function amplitudeToDb(amplitude: number): number {
  return 20 * Math.log10(amplitude);
}

/** An amplitude ratio from decibels. */
export function dbToAmplitude(db: number): number {
  return 10 ** (db / 20);
}
