/*
 * A disk for tests, between a process and the kernel (LD_PRELOAD). Of files whose name ends in VEDETTE_DISK_FILE:
 * - VEDETTE_DISK_DELAY_US: every sync, and every write that is one (O_DSYNC), takes so long at least;
 * - VEDETTE_DISK_LOG: what is done is appended to this file: six numbers of 64 bits (kind, begun and ended in nanoseconds of the monotonic clock,
 *   offset, length, bytes that follow), and with VEDETTE_DISK_BYTES=1 the bytes that were written.
 * Kinds: 1 write, 2 write that is on disk when it returns, 3 sync, 4 truncate.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, DURABLE_WRITE = 2, SYNC = 3, TRUNCATE = 4, MOST = 4096 };

static char watched[MOST]; /* by descriptor: 1, or 2 for O_DSYNC */
static int log_file = -1;
static int with_bytes;
static long delay_us;
static const char *suffix;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
  const char *log = getenv("VEDETTE_DISK_LOG"), *delay = getenv("VEDETTE_DISK_DELAY_US"), *bytes = getenv("VEDETTE_DISK_BYTES");
  suffix = getenv("VEDETTE_DISK_FILE");
  if (log) log_file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (delay) delay_us = atol(delay);
  with_bytes = bytes && *bytes == '1';
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static int is_watched(int fd) { return fd >= 0 && fd < MOST ? watched[fd] : 0; }

static void note(uint64_t kind, uint64_t begun, uint64_t offset, uint64_t length, const struct iovec *parts, int count) {
  if (log_file < 0) return;
  int bytes = with_bytes && parts != NULL;
  uint64_t head[6] = {kind, begun, now(), offset, length, bytes ? length : 0};
  struct iovec all[count + 1];
  all[0].iov_base = head;
  all[0].iov_len = sizeof head;
  if (bytes) memcpy(all + 1, parts, count * sizeof *parts);
  pthread_mutex_lock(&lock);
  (void)!syscall(SYS_writev, log_file, all, bytes ? count + 1 : 1);
  pthread_mutex_unlock(&lock);
}

static void be_slow(void) {
  if (delay_us > 0) usleep(delay_us);
}

static int opened(int fd, const char *path, int flags) {
  if (fd < 0 || fd >= MOST) return fd;
  size_t length = strlen(path), wanted = suffix ? strlen(suffix) : 0;
  int mine = suffix && length >= wanted && strcmp(path + length - wanted, suffix) == 0 && (flags & O_ACCMODE) != O_RDONLY;
  watched[fd] = mine ? ((flags & O_DSYNC) ? 2 : 1) : 0;
  return fd;
}

#define OPEN(NAME)                                                        \
  int NAME(const char *path, int flags, ...) {                            \
    static int (*real)(const char *, int, ...);                           \
    if (!real) real = dlsym(RTLD_NEXT, #NAME);                            \
    va_list more;                                                         \
    va_start(more, flags);                                                \
    int mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, int) : 0;   \
    va_end(more);                                                         \
    return opened(real(path, flags, mode), path, flags);                  \
  }
OPEN(open)
OPEN(open64)

static ssize_t written(int fd, uint64_t begun, off_t offset, ssize_t done, const struct iovec *parts, int count) {
  if (done <= 0) return done;
  struct iovec some[count];
  int used = 0;
  for (ssize_t left = done; left > 0; used++) {
    some[used] = parts[used];
    if ((ssize_t)some[used].iov_len > left) some[used].iov_len = left;
    left -= some[used].iov_len;
  }
  note(is_watched(fd) == 2 ? DURABLE_WRITE : WRITE, begun, offset, done, some, used);
  return done;
}

#define PWRITE(NAME)                                                                   \
  ssize_t NAME(int fd, const void *bytes, size_t length, off_t offset) {               \
    static ssize_t (*real)(int, const void *, size_t, off_t);                          \
    if (!real) real = dlsym(RTLD_NEXT, #NAME);                                         \
    if (!is_watched(fd)) return real(fd, bytes, length, offset);                       \
    uint64_t begun = now();                                                            \
    if (is_watched(fd) == 2) be_slow();                                                \
    struct iovec part = {(void *)bytes, length};                                       \
    return written(fd, begun, offset, real(fd, bytes, length, offset), &part, 1);      \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t writev(int fd, const struct iovec *parts, int count) {
  static ssize_t (*real)(int, const struct iovec *, int);
  if (!real) real = dlsym(RTLD_NEXT, "writev");
  if (!is_watched(fd)) return real(fd, parts, count);
  uint64_t begun = now();
  off_t offset = lseek(fd, 0, SEEK_CUR);
  return written(fd, begun, offset, real(fd, parts, count), parts, count);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  if (!is_watched(fd)) return real(fd, bytes, length);
  uint64_t begun = now();
  off_t offset = lseek(fd, 0, SEEK_CUR);
  struct iovec part = {(void *)bytes, length};
  return written(fd, begun, offset, real(fd, bytes, length), &part, 1);
}

#define FSYNC(NAME)                                     \
  int NAME(int fd) {                                    \
    static int (*real)(int);                            \
    if (!real) real = dlsym(RTLD_NEXT, #NAME);          \
    if (!is_watched(fd)) return real(fd);               \
    uint64_t begun = now();                             \
    be_slow();                                          \
    int result = real(fd);                              \
    if (result == 0) note(SYNC, begun, 0, 0, NULL, 0);  \
    return result;                                      \
  }
FSYNC(fsync)
FSYNC(fdatasync)

#define FTRUNCATE(NAME)                                       \
  int NAME(int fd, off_t length) {                            \
    static int (*real)(int, off_t);                           \
    if (!real) real = dlsym(RTLD_NEXT, #NAME);                \
    uint64_t begun = now();                                   \
    int result = real(fd, length);                            \
    if (result == 0 && is_watched(fd)) note(TRUNCATE, begun, length, 0, NULL, 0); \
    return result;                                            \
  }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

int close(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "close");
  if (fd >= 0 && fd < MOST) watched[fd] = 0;
  return real(fd);
}
