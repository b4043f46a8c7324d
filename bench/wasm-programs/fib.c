// Calls and nothing else: the n-th Fibonacci number by its definition.
#include "program.h"

static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

EXPORT("run") int run(int n) { return fib(n); }
