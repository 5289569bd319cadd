/* What the C programs share: arguments, clocks, and the answer they print. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MIB = 1 << 20 };

static const char *work, *path, *cipher; /* cipher: NULL for libssh2's choice */
static long count;                       /* MiB, or commands */
static double wall, cpu;

static double
seconds(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
begin(void)
{
    wall = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void
end(void)
{
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    printf("{\"wall\": %.6f, \"cpu\": %.6f}\n", wall, cpu);
}

static void
fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static const char *
env(const char *name)
{
    const char *value = getenv(name);

    if (!value)
        fail(name, "not set: run me beside tests/sshd/fixture.py");
    return value;
}

static void
arguments(int argc, char **argv)
{
    if (argc < 4)
        fail(argv[0], "get|put|exec COUNT PATH [CIPHER]");
    work = argv[1];
    count = atol(argv[2]);
    path = argv[3];
    cipher = argv[4];
}

#endif
