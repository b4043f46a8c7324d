/* Does what its first argument says, by the C library of WASI. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void echo(void) {
  char buffer[1000];
  size_t length;
  while ((length = fread(buffer, 1, sizeof buffer, stdin)) > 0) fwrite(buffer, 1, length, stdout);
}

static void show_all(char **strings) {
  for (; *strings; strings++) printf("%s\n", *strings);
}

static void show_time(void) {
  struct timespec wall, before, after, pause = {.tv_sec = 86400, .tv_nsec = 5};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_MONOTONIC, &before);
  int slept = nanosleep(&pause, NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  printf("wall %lld.%09ld\n", (long long)wall.tv_sec, wall.tv_nsec);
  printf("slept %d %lld.%09ld\n", slept, (long long)(after.tv_sec - before.tv_sec), after.tv_nsec - before.tv_nsec);
}

static void show_random(void) {
  unsigned char bytes[16];
  if (getentropy(bytes, sizeof bytes) != 0) exit(9);
  for (size_t i = 0; i < sizeof bytes; i++) printf("%02x", bytes[i]);
  printf("\n");
}

static void write_much(long count) {
  char block[4096];
  memset(block, 'x', sizeof block);
  for (; count > 0; count -= sizeof block) {
    size_t length = count < (long)sizeof block ? (size_t)count : sizeof block;
    if (fwrite(block, 1, length, stdout) != length) exit(9);
  }
}

static void open_file(const char *path, const char *mode) {
  FILE *file = fopen(path, mode);
  printf("%s %s: %s\n", mode, path, file ? "opened" : strerror(errno));
  struct stat about;
  printf("stat %s: %s\n", path, stat(path, &about) == 0 ? "there" : strerror(errno));
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  const char *argument = argc > 2 ? argv[2] : "";
  if (!strcmp(what, "echo")) echo();
  else if (!strcmp(what, "args")) show_all(argv);
  else if (!strcmp(what, "env")) show_all(environ);
  else if (!strcmp(what, "exit")) fprintf(stderr, "leaving\n"), printf("partial"), exit(atoi(argument));
  else if (!strcmp(what, "return")) return atoi(argument);
  else if (!strcmp(what, "time")) show_time();
  else if (!strcmp(what, "random")) show_random();
  else if (!strcmp(what, "floats")) printf("%.17g %g %e %a %g\n", 0.1, 1e300 * 10, strtod(argument, NULL), 1.0 / 3, -1.0 / 0.0);
  else if (!strcmp(what, "write")) write_much(atol(argument));
  else if (!strcmp(what, "open")) open_file(argument, "r"), open_file(argument, "w");
  else if (!strcmp(what, "abort")) abort();
  else if (!strcmp(what, "wild")) *(volatile int *)0xfffffff0u = 1;
  else return 64;
  return 0;
}
