/* A slow disk: preloaded, it makes every write to an unfinished output file (NAME.tmp) wait for
 * SLOW_WRITE_MICROSECONDS first. Nothing else is touched. Used by tests/it/bounds.rs. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_unfinished_output(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  return length > 4 && memcmp(path + length - 4, ".tmp", 4) == 0;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  const char *wait = getenv("SLOW_WRITE_MICROSECONDS");
  if (wait && is_unfinished_output(fd)) {
    usleep(atoi(wait));
  }
  return syscall(SYS_write, fd, bytes, count);
}
