/* The client of the mount benchmarks: one thread, system calls only, so that what is measured is the file system.

   client seq FILE             bytes of a file in reads of 1 MiB            -> MB/s
   client random FILE MS       reads of 4 KiB at random places, MS long     -> reads/s
   client stat LIST            stat of every path (one a line)              -> paths/s
   client open LIST            open, read, close of every path              -> files/s
   client find DIR...          recursive listing with stat of every entry   -> entries/s

   client limit SECONDS MOST WHAT ...   one of the last three, ended after so long or so many: the rate till then

   Cached pages of a file that is read are dropped before and after (fadvise); dentries and inodes are the caller's part. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 20];
static double bound = 1e9;
static long most = 1L << 60;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* whether the time given, or as many as asked for, is over */
static int enough(double start, long count) {
    return count >= most || ((count & 31) == 0 && now() > start + bound);
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int opened(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) die(path);
    return fd;
}

static double sequential(const char *path) {
    int fd = opened(path);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    double start = now();
    long total = 0, got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) total += got;
    if (got < 0) die(path);
    double taken = now() - start;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return (double)total / 1e6 / taken;
}

static double at_random(const char *path, double seconds) {
    int fd = opened(path);
    struct stat st;
    fstat(fd, &st);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    unsigned long seed = 88172645463325252UL, pages = (unsigned long)st.st_size / 4096;
    long count = 0;
    double start = now(), end;
    do {
        for (int i = 0; i < 32; i++, count++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            if (pread(fd, buffer, 4096, (long)(seed % pages) * 4096) != 4096) die(path);
        }
    } while ((end = now()) < start + seconds);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return (double)count / (end - start);
}

static double over(const char *list, int opening) {
    FILE *file = fopen(list, "r");
    if (!file) die(list);
    static char *paths[1 << 20];
    size_t count = 0, room = 0;
    char *line = NULL;
    ssize_t length;
    while ((length = getline(&line, &room, file)) > 0) {
        line[length - 1] = 0;
        paths[count++] = strdup(line);
    }
    double start = now();
    size_t i = 0;
    for (; i < count && !enough(start, (long)i); i++) {
        struct stat st;
        if (!opening) {
            if (stat(paths[i], &st) != 0) die(paths[i]);
            continue;
        }
        int fd = opened(paths[i]);
        if (read(fd, buffer, sizeof buffer) < 0) die(paths[i]);
        close(fd);
    }
    return (double)i / (now() - start);
}

static long walked(int parent, const char *name, double start, long before) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0) die(name);
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    long count = 0;
    while (!enough(start, before + count) && (entry = readdir(dir))) {
        struct stat st;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) die(entry->d_name);
        count++;
        if (S_ISDIR(st.st_mode)) count += walked(fd, entry->d_name, start, before + count);
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv) {
    double result;
    if (argc > 5 && !strcmp(argv[1], "limit")) {
        bound = atof(argv[2]), most = atol(argv[3]);
        argc -= 3, argv += 3;
    }
    if (argc < 3) return 2;
    if (!strcmp(argv[1], "seq")) result = sequential(argv[2]);
    else if (!strcmp(argv[1], "random") && argc > 3) result = at_random(argv[2], atof(argv[3]) / 1000);
    else if (!strcmp(argv[1], "stat")) result = over(argv[2], 0);
    else if (!strcmp(argv[1], "open")) result = over(argv[2], 1);
    else if (!strcmp(argv[1], "find")) {
        double start = now();
        long count = 0;
        for (int i = 2; i < argc; i++) count += walked(AT_FDCWD, argv[i], start, count);
        result = (double)count / (now() - start);
    } else return 2;
    printf("%.1f\n", result);
    return 0;
}
