/** The errors of WASI preview 1 that this host gives, as it numbers them. */
export const ERRNO = {
  success: 0,
  badf: 8,
  fault: 21,
  inval: 28,
  notdir: 54,
  notsup: 58,
  spipe: 70,
} as const;
