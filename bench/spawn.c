/*
 * Run a command and tell what its whole process took, and those that it
 * waited for: seconds of wall, seconds of CPU, KiB at most.
 *
 *     bench-spawn FD COMMAND [ARGUMENT...]
 *
 * A program of its own, for the peak that the kernel tells of a child begins
 * with what its parent had: here, next to nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#endif

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double
seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int
main(int argc, char **argv)
{
    int fd, status;
    struct rusage used;
    double wall = now();
    pid_t pid;

    if (argc < 3)
        return 2;
    fd = atoi(argv[1]);
    if (!(pid = fork())) {
#ifdef __linux__
        prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
        close(fd);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) < 0) {
        perror("bench-spawn");
        return 1;
    }
    dprintf(fd, "%.6f %.6f %ld\n", now() - wall,
            seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
