/*
 * Tries to get out by the raw functions of WASI, and says for each attempt what it got. The first argument says what
 * to try.
 */
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

static unsigned char buffer[4096];

static void say(const char *what, int fd, int error) {
  printf("%s %d: %s\n", what, fd, error == 0 ? "GOT IT" : "refused");
}

static void try_files(void) {
  static const char *const paths[] = {"/etc/passwd", "etc/passwd", "../../../../etc/passwd", ".", "/", "/proc/self/environ"};
  __wasi_fd_t opened;
  __wasi_filestat_t stat;
  __wasi_prestat_t prestat;
  __wasi_size_t size;
  __wasi_iovec_t into = {buffer, sizeof buffer};
  for (int fd = -2; fd < 100; fd++) {
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
      say(paths[i], fd, __wasi_path_open(fd, 0, paths[i], 0, __WASI_RIGHTS_FD_READ, 0, 0, &opened));
      say("create", fd, __wasi_path_open(fd, 0, paths[i], __WASI_OFLAGS_CREAT, __WASI_RIGHTS_FD_WRITE, 0, 0, &opened));
      say("stat", fd, __wasi_path_filestat_get(fd, 0, paths[i], &stat));
      say("readlink", fd, __wasi_path_readlink(fd, paths[i], buffer, sizeof buffer, &size));
      say("mkdir", fd, __wasi_path_create_directory(fd, paths[i]));
      say("rmdir", fd, __wasi_path_remove_directory(fd, paths[i]));
      say("unlink", fd, __wasi_path_unlink_file(fd, paths[i]));
      say("link", fd, __wasi_path_link(fd, 0, paths[i], fd, "x"));
      say("symlink", fd, __wasi_path_symlink(paths[i], fd, "x"));
      say("rename", fd, __wasi_path_rename(fd, paths[i], fd, "x"));
    }
    say("prestat", fd, __wasi_fd_prestat_get(fd, &prestat));
    say("readdir", fd, __wasi_fd_readdir(fd, buffer, sizeof buffer, 0, &size));
    say("pread", fd, __wasi_fd_pread(fd, &into, 1, 0, &size));
    if (fd != 0) say("read", fd, __wasi_fd_read(fd, &into, 1, &size));
    if (fd < 0 || fd > 2) say("write", fd, __wasi_fd_write(fd, (__wasi_ciovec_t *)&into, 1, &size));
  }
}

static void try_network(void) {
  __wasi_fd_t accepted;
  __wasi_size_t size;
  __wasi_roflags_t flags;
  __wasi_iovec_t into = {buffer, sizeof buffer};
  for (int fd = -2; fd < 100; fd++) {
    say("accept", fd, __wasi_sock_accept(fd, 0, &accepted));
    say("recv", fd, __wasi_sock_recv(fd, &into, 1, 0, &size, &flags));
    say("send", fd, __wasi_sock_send(fd, (__wasi_ciovec_t *)&into, 1, 0, &size));
    say("shutdown", fd, __wasi_sock_shutdown(fd, __WASI_SDFLAGS_RD));
  }
}

static void show_clocks(void) {
  for (int id = 0; id < 6; id++) {
    __wasi_timestamp_t now = 0;
    int error = __wasi_clock_time_get(id, 1, &now);
    printf("clock %d: %d %llu\n", id, error, now);
  }
}

static void show_environment(void) {
  __wasi_size_t count, size;
  if (__wasi_environ_sizes_get(&count, &size) != 0) return;
  printf("%zu variables, %zu bytes\n", count, size);
  if (__wasi_args_sizes_get(&count, &size) != 0) return;
  printf("%zu arguments, %zu bytes\n", count, size);
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "files")) try_files();
  else if (!strcmp(what, "network")) try_network();
  else if (!strcmp(what, "clocks")) show_clocks();
  else if (!strcmp(what, "environment")) show_environment();
  else return 64;
  return 0;
}
