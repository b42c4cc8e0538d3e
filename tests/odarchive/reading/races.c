/* Preloaded into a Python: does to files named race-WHAT what another program could do while they are read. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is(int fd, const char *what)
{
    char own[64], path[4096];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(own, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    return name && strncmp(name, "/race-", 6) == 0 && strcmp(name + 6, what) == 0;
}

static int again(int fd)
{
    char own[64];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    return open(own, O_WRONLY | O_CLOEXEC);
}

static void change(int fd, const char *what)
{
    int other = again(fd);
    struct timespec times[2] = {{0, UTIME_OMIT}, {1000, 5}};
    struct stat stat;
    fstat(fd, &stat);
    if (strcmp(what, "grows") == 0)
        (void)!pwrite(other, "more", 4, stat.st_size);
    if (strcmp(what, "shrinks") == 0)
        (void)!ftruncate(other, stat.st_size - 1);
    if (strcmp(what, "touched") == 0 || strcmp(what, "touched-after") == 0)
        futimens(other, times);
    if (strcmp(what, "mode") == 0)
        fchmod(other, 0600); /* moves ctime alone */
    close(other);
}

static void change_before(int fd)
{
    static const char *const all[] = {"grows", "shrinks", "touched", "mode"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (is(fd, all[i]))
            change(fd, all[i]);
}

ssize_t read(int fd, void *data, size_t size)
{
    ssize_t (*real)(int, void *, size_t) = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    change_before(fd);
    if (is(fd, "fails")) {
        errno = EIO;
        return -1;
    }
    ssize_t got = real(fd, data, is(fd, "short") ? size / 2 : size);
    if (is(fd, "touched-after"))
        change(fd, "touched-after");
    return got;
}

/* RACES: "in memory", or what is asked for without waiting is "on disk", or its file system is "old". */
ssize_t preadv64v2(int fd, const struct iovec *parts, int count, off64_t start, int flags)
{
    const char *where = getenv("RACES");
    if (where && strcmp(where, "in memory") == 0 && count == 1 && start == 0 && flags == RWF_NOWAIT) {
        ssize_t got = read(fd, parts->iov_base, parts->iov_len);
        lseek(fd, 0, SEEK_SET);
        return got;
    }
    errno = where && strcmp(where, "old") == 0 ? EOPNOTSUPP : EAGAIN;
    return -1;
}

ssize_t flistxattr(int fd, char *list, size_t size)
{
    ssize_t (*real)(int, char *, size_t) = (ssize_t (*)(int, char *, size_t))dlsym(RTLD_NEXT, "flistxattr");
    bool refused = is(fd, "refused");
    if (refused || is(fd, "unsupported")) {
        errno = refused ? EACCES : ENOTSUP;
        return -1;
    }
    return real(fd, list, size);
}

/* A file system that does not say what a name is, and lists the name "listed-1" again for "listed-2". */
static void confuse(struct dirent64 *found)
{
    found->d_type = DT_UNKNOWN;
    if (strcmp(found->d_name, "listed-2") == 0)
        strcpy(found->d_name, "listed-1");
}

struct dirent64 *readdir64(DIR *folder)
{
    struct dirent64 *(*real)(DIR *) = (struct dirent64 * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir64");
    struct dirent64 *found = real(folder);
    if (found)
        confuse(found);
    return found;
}

ssize_t getdents64(int fd, void *data, size_t size)
{
    ssize_t (*real)(int, void *, size_t) = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "getdents64");
    ssize_t length = real(fd, data, size);
    for (ssize_t at = 0; at < length;) {
        struct dirent64 *found = (struct dirent64 *)((char *)data + at);
        confuse(found);
        at += found->d_reclen;
    }
    return length;
}
