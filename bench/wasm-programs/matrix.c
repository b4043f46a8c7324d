// Floating point in three nested loops: n products of matrices of 160 by 160, in double precision.
#include "program.h"

enum { SIDE = 160 };

static double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];

static void multiply(void) {
  for (int row = 0; row < SIDE; row++) {
    for (int column = 0; column < SIDE; column++) {
      double sum = 0;
      for (int k = 0; k < SIDE; k++) sum += a[row][k] * b[k][column];
      c[row][column] = sum;
    }
  }
}

EXPORT("run") int run(int n) {
  u32 state = 7;
  for (int row = 0; row < SIDE; row++) {
    for (int column = 0; column < SIDE; column++) {
      a[row][column] = next_random(&state) % 1000 / 1000.0;
      b[row][column] = next_random(&state) % 1000 / 1000.0;
    }
  }
  double sum = 0;
  for (int round = 0; round < n; round++) {
    a[0][0] = round;
    multiply();
    sum += c[0][round % SIDE] + c[SIDE - 1][SIDE - 1];
  }
  return (int)(long long)(sum * 1000);
}
