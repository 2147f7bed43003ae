/*
 * Runs a command instruction by instruction, with all its children, and prints where in its text it has been:
 *
 *     steps FILE COMMAND...       writes lines `STAGE ADDRESS` to FILE, addresses as nm has them
 *
 * STAGE counts executions of programs: 1 is COMMAND, 2 what it executes in its place, as hull does to seal itself. Only
 * programs of COMMAND's name are looked at, so what a container runs goes by at full speed. Ends with COMMAND; children
 * that are left go on.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PROCESSES = 64, TEXT = 8 << 20 };

struct process {
    pid_t pid;
    int stage;
    unsigned long begin, end; /* of the program in memory; 0 if it is not the one we look at */
};

static struct process processes[MAX_PROCESSES];
static int count;
static unsigned char first_stage[TEXT];

static struct process *of(pid_t pid) {
    for (int i = 0; i < count; i++)
        if (processes[i].pid == pid)
            return &processes[i];
    if (count == MAX_PROCESSES)
        exit(3);
    processes[count].pid = pid;
    return &processes[count++];
}

/* A new program: where it lies, if it is the one we look at. */
static void executed(struct process *process, const char *name) {
    char file[64], line[4096], path[4096];
    process->stage++;
    process->begin = process->end = 0;
    snprintf(file, sizeof file, "/proc/%d/maps", process->pid);
    FILE *maps = fopen(file, "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin, end, offset;
        if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %4095s", &begin, &end, &offset, path) != 4)
            continue;
        const char *base = strrchr(path, '/');
        if (!base || strcmp(base + 1, name) != 0)
            continue;
        if (!process->begin)
            process->begin = begin - offset;
        process->end = end;
    }
    if (maps)
        fclose(maps);
}

static void look(const struct process *process) {
    struct user_regs_struct registers;
    ptrace(PTRACE_GETREGS, process->pid, NULL, &registers);
    unsigned long at = registers.rip - process->begin;
    if (registers.rip >= process->begin && registers.rip < process->end && at < TEXT && !first_stage[at])
        first_stage[at] = (unsigned char)process->stage;
}

/* One stop of a process; what it is to get when it goes on. */
static int stopped(struct process *process, int status, const char *name) {
    int event = status >> 16, number = WSTOPSIG(status);
    if (event == PTRACE_EVENT_EXEC) {
        executed(process, name);
    } else if (event) {
        unsigned long child;
        ptrace(PTRACE_GETEVENTMSG, process->pid, NULL, &child);
        struct process *born = of((pid_t)child);
        pid_t pid = born->pid;
        *born = *process;
        born->pid = pid;
    } else if (number == SIGTRAP) {
        look(process);
    } else if (number != SIGSTOP) {
        return number;
    }
    return 0;
}

static void leave_all_but(pid_t command) {
    for (int i = 0; i < count; i++) {
        pid_t pid = processes[i].pid;
        if (pid == command || kill(pid, SIGSTOP) != 0 || waitpid(pid, NULL, __WALL) != pid)
            continue;
        ptrace(PTRACE_DETACH, pid, NULL, 0);
        kill(pid, SIGCONT);
    }
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    const char *base = strrchr(argv[2], '/');
    const char *name = base ? base + 1 : argv[2];
    pid_t command = fork();
    if (command == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, 0);
        raise(SIGSTOP);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    int status, code = 0;
    waitpid(command, &status, 0);
    ptrace(PTRACE_SETOPTIONS, command, NULL,
           PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC);
    ptrace(PTRACE_CONT, command, NULL, 0);
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (pid != command)
                continue;
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            leave_all_but(command);
            break;
        }
        struct process *process = of(pid);
        int number = stopped(process, status, name);
        ptrace(process->end ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, number);
    }
    FILE *out = fopen(argv[1], "w");
    for (long at = 0; out && at < TEXT; at++)
        if (first_stage[at])
            fprintf(out, "%d %lx\n", first_stage[at], at);
    return out && fclose(out) == 0 ? code : 4;
}
