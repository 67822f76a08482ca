// disk: how long a txn log waits for this disk, whatever server writes it: 6 KB written through (O_DSYNC) into a file that is
// there already, one after the other, while a second thread writes files of 205 MB, as snapshots are, synced in pieces.
// Build: cc -O2 -pthread -o disk disk.c
//   disk DIRECTORY SECONDS PIECE_KB PAUSE_MS [direct]
// PIECE_KB 0: no second thread. PAUSE_MS: its rest after each piece. direct: it writes past the page cache, as zebu does;
// PIECE_KB is a multiple of 4 then. What it wrote it leaves behind: to delete gigabytes makes the next minute slow on a
// file system that tells the disk what was deleted.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOG_BYTES = 64 << 20, BATCH_BYTES = 6000, SNAPSHOT_BYTES = 205 << 20, MAX_WRITES = 2000000 };

static volatile int is_over;
static int is_direct;
static size_t piece;
static useconds_t pause_us;
static double waits[MAX_WRITES];

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static void die(const char *what) { perror(what); exit(2); }
static int longer(const void *a, const void *b) { double x = *(const double *)a, y = *(const double *)b; return (x < y) - (x > y); }

static void *write_snapshots(void *none) {
  char *bytes = aligned_alloc(4096, piece), name[64];
  double began = now(), written = 0;
  memset(bytes, 'x', piece);
  for (int n = 0; !is_over; n++) {
    snprintf(name, sizeof name, "snapshot-%d-%d", getpid(), n);
    int fd = open(name, O_CREAT | O_WRONLY | (is_direct ? O_DIRECT : 0), 0644);
    if (fd < 0) die(name);
    for (size_t size = 0; size < SNAPSHOT_BYTES && !is_over; size += piece) {
      if (write(fd, bytes, piece) != (ssize_t)piece || fdatasync(fd) != 0) die(name);
      written += piece;
      usleep(pause_us);
    }
    close(fd);
  }
  printf("snapshots=%.0fMB/s ", written / 1e6 / (now() - began));
  return none;
}

int main(int count, char **arguments) {
  is_direct = count == 6 && strcmp(arguments[5], "direct") == 0;
  if ((count != 5 && !is_direct) || chdir(arguments[1]) != 0) { fprintf(stderr, "usage: disk DIRECTORY SECONDS PIECE_KB PAUSE_MS [direct]\n"); return 2; }
  piece = strtoul(arguments[3], NULL, 10) * 1024;
  pause_us = atof(arguments[4]) * 1000;
  char *zeros = calloc(1, LOG_BYTES), name[64];
  snprintf(name, sizeof name, "log-%d", getpid());
  int fd = open(name, O_CREAT | O_WRONLY, 0644);
  if (fd < 0 || write(fd, zeros, LOG_BYTES) != LOG_BYTES || fsync(fd) != 0) die(name);
  close(fd);
  fd = open(name, O_WRONLY | O_DSYNC);
  pthread_t snapshots;
  if (piece > 0) pthread_create(&snapshots, NULL, write_snapshots, NULL);
  int n = 0;
  off_t at = 0;
  for (double end = now() + atof(arguments[2]); now() < end && n < MAX_WRITES; n++) {
    double began = now();
    if (pwrite(fd, zeros, BATCH_BYTES, at) != BATCH_BYTES) die(name);
    waits[n] = (now() - began) * 1e3;
    at = at + 2 * BATCH_BYTES > LOG_BYTES ? 0 : at + BATCH_BYTES;
    usleep(300);
  }
  is_over = 1;
  if (piece > 0) pthread_join(snapshots, NULL);
  qsort(waits, n, sizeof *waits, longer);
  printf("writes=%d p50ms=%.3f p99ms=%.2f p999ms=%.2f longest=", n, waits[n / 2], waits[n / 100], waits[n / 1000]);
  for (int i = 0; i < 8 && i < n; i++) printf("%s%.1f", i > 0 ? "," : "", waits[i]);
  printf("\n");
  return 0;
}
