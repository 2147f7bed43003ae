/*
 * Executes a command on a host with more mounts: in a mount namespace of its own, with COUNT bind mounts below DIRECTORY,
 * which must exist.
 *
 *     crowd COUNT DIRECTORY COMMAND...
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char place[64];
    if (argc < 4)
        return 2;
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("crowd", argv[2], "tmpfs", 0, NULL) || chdir(argv[2]) || mkdir("source", 0755)) {
        perror("crowd");
        return 2;
    }
    for (int number = atoi(argv[1]); number > 0; number--) {
        snprintf(place, sizeof place, "%d", number);
        if (mkdir(place, 0755) || mount("source", place, NULL, MS_BIND, NULL)) {
            perror(place);
            return 2;
        }
    }
    if (chdir("/") == 0)
        execvp(argv[3], argv + 3);
    perror(argv[3]);
    return 2;
}
