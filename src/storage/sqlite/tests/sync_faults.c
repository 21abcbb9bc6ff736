// Makes the syncs of a process fail, below SQLite: the writes before them succeed.
//
// The variable FLORET_TEST_SYNC_FAULTS names a file. While it exists, it says which error a sync
// gets, how many syncs get it, and how the names of their files end. Each failed sync adds a byte
// to a file of the same name with the extension `hits`.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ends_with(const char *text, const char *end) {
    size_t text_length = strlen(text), end_length = strlen(end);
    return text_length >= end_length && !strcmp(text + text_length - end_length, end);
}

// Returns whether this is one of the first `max` failures, and counts it.
static int count_hit(const char *control, unsigned max) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.hits", control);
    int hits = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (hits < 0) {
        abort();
    }
    int fails = lseek(hits, 0, SEEK_END) < (off_t)max;
    if (fails && write(hits, ".", 1) != 1) {
        abort();
    }
    close(hits);
    return fails;
}

// Returns the error that the sync of a file gets, or 0.
static int fault(int fd) {
    const char *control = getenv("FLORET_TEST_SYNC_FAULTS");
    FILE *file = control ? fopen(control, "re") : NULL;
    if (!file) {
        return 0;
    }
    char name[16], end[64], link[64], path[PATH_MAX];
    unsigned max;
    int read = fscanf(file, "%15s %u %63s", name, &max, end);
    fclose(file);
    if (read != 3) {
        abort();
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) {
        abort();
    }
    path[length] = 0;
    if (!ends_with(path, end) || !count_hit(control, max)) {
        return 0;
    }
    return strcmp(name, "ENOSPC") ? EIO : ENOSPC;
}

static int sync_file(long call, int fd) {
    int error = fault(fd);
    if (error) {
        errno = error;
        return -1;
    }
    return (int)syscall(call, fd);
}

int fsync(int fd) { return sync_file(SYS_fsync, fd); }

int fdatasync(int fd) { return sync_file(SYS_fdatasync, fd); }
