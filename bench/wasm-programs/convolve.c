// Image work with SIMD, as the compiler vectorises it: n Gaussian blurs (5 by 5) of 512 by 512 pixels of grey.
#include "program.h"

enum { SIDE = 512 };

static u8 image[SIDE][SIDE], rows[SIDE][SIDE];

static void blur(void) {
  for (int y = 0; y < SIDE; y++) {
    for (int x = 2; x < SIDE - 2; x++) {
      const u8 *at = &image[y][x];
      rows[y][x] = (u8)((at[-2] + 4 * at[-1] + 6 * at[0] + 4 * at[1] + at[2] + 8) >> 4);
    }
  }
  for (int y = 2; y < SIDE - 2; y++) {
    for (int x = 0; x < SIDE; x++) {
      image[y][x] =
          (u8)((rows[y - 2][x] + 4 * rows[y - 1][x] + 6 * rows[y][x] + 4 * rows[y + 1][x] + rows[y + 2][x] + 8) >> 4);
    }
  }
}

EXPORT("run") int run(int n) {
  u32 state = 11;
  for (int y = 0; y < SIDE; y++) {
    for (int x = 0; x < SIDE; x++) image[y][x] = (u8)(next_random(&state) >> 24);
  }
  for (int round = 0; round < n; round++) blur();
  u32 sum = 0;
  for (int y = 0; y < SIDE; y++) {
    for (int x = 0; x < SIDE; x++) sum = sum * 31 + image[y][x];
  }
  return (int)sum;
}
