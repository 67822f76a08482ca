/*
 * Makes the syncs of one process slow: loaded with LD_PRELOAD, it stands before the C library's fsync and fdatasync, and before its
 * writes to files that were opened with O_DSYNC, which are syncs too. The file that SLOW_SYNC_FILE names holds how many milliseconds
 * each of them takes longer; while it holds -1 none of them ends. It is read again every 10 ms, so that a stall ends when the file
 * says so.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long asked_ms(void)
{
    const char *path = getenv("SLOW_SYNC_FILE");
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    long ms = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &ms) != 1)
        ms = 0;
    fclose(file);
    return ms;
}

static void wait_as_asked(void)
{
    long waited_ms = 0;

    for (;;) {
        long ms = asked_ms();
        if (ms >= 0 && waited_ms >= ms)
            return;
        usleep(10 * 1000);
        waited_ms += 10;
    }
}

static void wait_if_synced(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && (flags & O_DSYNC) != 0)
        wait_as_asked();
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

int fsync(int fd)
{
    wait_as_asked();
    return NEXT(int (*)(int), "fsync")(fd);
}

int fdatasync(int fd)
{
    wait_as_asked();
    return NEXT(int (*)(int), "fdatasync")(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    wait_if_synced(fd);
    return NEXT(ssize_t (*)(int, const void *, size_t, off64_t), "pwrite64")(fd, bytes, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    wait_if_synced(fd);
    return NEXT(ssize_t (*)(int, const struct iovec *, int, off_t), "pwritev")(fd, parts, count, offset);
}
