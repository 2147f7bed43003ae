/*
 * Runs one command and prints: wall time in ns, CPU time in us, peak resident memory in KiB, wait status.
 *
 * Small and static, because a parent's own cost shows in its child: a fork copies page tables, and the peak of
 * the memory before execve counts as the child's.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long microseconds(struct timeval time) {
    return time.tv_sec * 1000000LL + time.tv_usec;
}

int main(int argc, char **argv) {
    posix_spawn_file_actions_t quiet;
    struct rusage usage;
    pid_t pid;
    int status;

    if (argc < 2)
        return 2;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);

    long long begin = nanoseconds();
    if (posix_spawnp(&pid, argv[1], &quiet, NULL, argv + 1, environ) != 0)
        return 2;
    if (wait4(pid, &status, 0, &usage) != pid)
        return 2;
    long long end = nanoseconds();

    printf("%lld %lld %ld %d\n", end - begin, microseconds(usage.ru_utime) + microseconds(usage.ru_stime),
           usage.ru_maxrss, status);
    return 0;
}
