/* What the C programs share: arguments, clocks, and the answer they print. */
#ifndef MEASURE_H
#define MEASURE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, MOST = 8 * MIB };

static const char *work, *remote, *local;
static long count; /* MiB, or how often */
static double wall, cpu;
static long base;
static char buffer[MOST];
static size_t size = MIB; /* of it, what is used */

static double
seconds(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* What is in memory now, in KiB; 0 where there is no /proc. */
static long
resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void
begin(void)
{
    base = resident();
    wall = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void
end(long long got)
{
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    printf("{\"wall\": %.6f, \"cpu\": %.6f, \"base_kib\": %ld,"
           " \"now_kib\": %ld, \"got\": %lld}\n",
           wall, cpu, base, resident(), got);
}

static const char *
env(const char *name)
{
    const char *value = getenv(name);

    if (!value)
        fail(name, "not set: bench/run.py starts me");
    return value;
}

/* The file on this side, to be read or to be made. */
static int
here(int flags)
{
    int fd = open(local, flags, 0600);

    if (fd < 0)
        fail(local, "cannot be opened");
    return fd;
}

static void
keep(int fd, const char *data, size_t left)
{
    while (left) {
        ssize_t n = write(fd, data, left);

        if (n < 0)
            fail(local, "cannot be written");
        data += n;
        left -= (size_t)n;
    }
}

static void
arguments(int argc, char **argv, const char *version, const char *works)
{
    if (argc == 2 && !strcmp(argv[1], "about")) {
        printf("{\"version\": \"%s\", \"works\": [%s]}\n", version, works);
        exit(0);
    }
    if (argc != 5)
        fail(argv[0], "WORK COUNT REMOTE LOCAL");
    work = argv[1];
    count = atol(argv[2]);
    remote = argv[3];
    local = argv[4];
    if (getenv("BENCH_BUFFER"))
        size = (size_t)atol(env("BENCH_BUFFER"));
    if (!size || size > MOST)
        fail("BENCH_BUFFER", "no such size");
}

#endif
