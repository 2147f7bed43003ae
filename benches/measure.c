/*
 * Runs a command, RUNS times by WORKERS at once, and prints: wall time in ns, CPU time in us, the peak of resident
 * memory in KiB, minor page faults, and the worst wait status. The last four are of all processes that were waited for.
 *
 *     measure [-n RUNS] [-j WORKERS] COMMAND...       `{}` in COMMAND stands for the number of the run
 *
 * Small and static, because a parent's own cost shows in its child: a fork copies page tables, and the peak of
 * the memory before execve counts as the child's.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 64, WORD = 512 };

extern char **environ;
static posix_spawn_file_actions_t quiet;

static long long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long microseconds(struct timeval time) {
    return time.tv_sec * 1000000LL + time.tv_usec;
}

/* The words, with the run's number filled in. */
static char **command(char **words, int run) {
    static char texts[WORDS][WORD];
    static char *argv[WORDS + 1];
    int count = 0;
    for (; words[count] && count < WORDS; count++) {
        const char *place = strstr(words[count], "{}");
        argv[count] = words[count];
        if (place) {
            int before = (int)(place - words[count]);
            snprintf(texts[count], WORD, "%.*s%d%s", before, words[count], run, place + 2);
            argv[count] = texts[count];
        }
    }
    argv[count] = NULL;
    return argv;
}

static void spawn(char **words, int run) {
    char **argv = command(words, run);
    pid_t pid;
    if (posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ) != 0) {
        fprintf(stderr, "measure: cannot execute %s\n", argv[0]);
        exit(2);
    }
}

int main(int argc, char **argv) {
    int runs = 1, workers = 1, option, worst = 0;
    long long cpu = 0;
    long peak = 0, faults = 0;

    /* `+`: options end at the command. */
    while ((option = getopt(argc, argv, "+n:j:")) > 0) {
        if (option == 'n')
            runs = atoi(optarg);
        else if (option == 'j')
            workers = atoi(optarg);
        else
            return 2;
    }
    if (optind == argc || runs < 1 || workers < 1)
        return 2;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);

    long long begin = nanoseconds();
    int begun = 0;
    for (int ended = 0; ended < runs; ended++) {
        for (; begun < runs && begun < ended + workers; begun++)
            spawn(argv + optind, begun);
        struct rusage usage;
        int status;
        if (wait4(-1, &status, 0, &usage) < 0)
            return 2;
        cpu += microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
        faults += usage.ru_minflt;
        if (usage.ru_maxrss > peak)
            peak = usage.ru_maxrss;
        if (worst == 0)
            worst = status;
    }
    printf("%lld %lld %ld %ld %d\n", nanoseconds() - begin, cpu, peak, faults, worst);
    return 0;
}
