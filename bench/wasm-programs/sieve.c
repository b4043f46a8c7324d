// Byte stores with a stride: how many primes there are below 1,000,000, counted n times.
#include "program.h"

enum { LIMIT = 1000000 };

static u8 is_composite[LIMIT];

static int count_primes(void) {
  __builtin_memset(is_composite, 0, LIMIT);
  int count = 0;
  for (u32 each = 2; each < LIMIT; each++) {
    if (is_composite[each]) continue;
    count++;
    for (u64 multiple = (u64)each * each; multiple < LIMIT; multiple += each) is_composite[multiple] = 1;
  }
  return count;
}

EXPORT("run") int run(int n) {
  int sum = 0;
  for (int round = 0; round < n; round++) sum += count_primes();
  return sum;
}
