/*
 * The floor: the bare system calls that a container like benches/docker-like.json needs, and nothing else. No JSON, no
 * state, no search for what is safe, no error but the first. A runtime that does all of that can come near it.
 *
 *     floor [-m] [-f FILTER] run BUNDLE CGROUP UNIFIED [HIERARCHY...]     /bin/true in a new container
 *     floor [-f FILTER] exec PID CGROUP UNIFIED [HIERARCHY...]            /bin/true in the one of PID
 *     floor filter PID                                                    the newest seccomp filter of PID, to stdout
 *
 * CGROUP is made in the cgroup2 mounted at UNIFIED and in every v1 HIERARCHY, a folder of /sys/fs/cgroup. -m is the
 * minimal bundle: two namespaces, /proc, no limits. Limits and device rules are those of v1; where there is only
 * cgroup2, the floor has none, and is too low for a runtime by so much.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

#define CGROUPS "/sys/fs/cgroup"
#define SAFE (MS_NOSUID | MS_NOEXEC | MS_NODEV)
#define OR_DIE(call)                                        \
    do {                                                    \
        if ((call) < 0) {                                   \
            dprintf(2, "floor: %s: %s\n", #call, strerror(errno)); \
            _exit(99);                                      \
        }                                                   \
    } while (0)

/* As clone3(2) has it; older headers lack the last member. */
struct clone {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static const char *bundle, *cgroup, *unified, *filter_file;
static char **hierarchies;
static int minimal;
static struct sock_fprog filter;

static char *path(const char *of, const char *name, const char *file) {
    static char text[512];
    snprintf(text, sizeof text, "%s/%s/%s%s", of, name, cgroup, file);
    return text;
}

static char *in_hierarchy(const char *name, const char *file) {
    return path(CGROUPS, name, file);
}

static int has(const char *name) {
    for (char **hierarchy = hierarchies; *hierarchy; hierarchy++)
        if (strcmp(*hierarchy, name) == 0)
            return 1;
    return 0;
}

static ssize_t write_file(const char *name, const char *text) {
    int fd = open(name, O_WRONLY | O_CLOEXEC);
    ssize_t written = fd < 0 ? -1 : write(fd, text, strlen(text));
    close(fd);
    return written;
}

static void read_filter(void) {
    static struct sock_filter program[BPF_MAXINSNS];
    if (!filter_file)
        return;
    int fd = open(filter_file, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, program, sizeof program);
    OR_DIE(size);
    close(fd);
    filter.filter = program;
    filter.len = (unsigned short)(size / (ssize_t)sizeof *program);
}

/* cpusets are born empty. */
static void copy_from_parent(const char *file) {
    char above[512], value[256];
    snprintf(above, sizeof above, "%s/..%s", in_hierarchy("cpuset", ""), file);
    int fd = open(above, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, value, sizeof value - 1);
    close(fd);
    value[size > 0 ? size : 0] = 0;
    OR_DIE(write_file(in_hierarchy("cpuset", file), value));
}

static void limit(void) {
    static const char *const values[][3] = {
        {"memory", "/memory.limit_in_bytes", "536870912"},
        {"memory", "/memory.memsw.limit_in_bytes", "1073741824"},
        {"memory", "/memory.soft_limit_in_bytes", "268435456"},
        {"cpu", "/cpu.shares", "1024"},
        {"cpu", "/cpu.cfs_period_us", "100000"},
        {"cpu", "/cpu.cfs_quota_us", "100000"},
        {"pids", "/pids.max", "512"},
    };
    static const char *const devices[] = {"c 1:5 rwm", "c 1:3 rwm", "c 1:9 rwm", "c 1:8 rwm", "c 5:0 rwm", "c 5:1 rwm",
                                          "c *:* m",   "b *:* m",   "c 1:7 rwm", "c 5:2 rwm", "c 136:* rwm"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (has(values[i][0]))
            OR_DIE(write_file(in_hierarchy(values[i][0], values[i][1]), values[i][2]));
    if (has("devices")) {
        OR_DIE(write_file(in_hierarchy("devices", "/devices.deny"), "a"));
        int fd = open(in_hierarchy("devices", "/devices.allow"), O_WRONLY | O_CLOEXEC);
        for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
            OR_DIE(write(fd, devices[i], strlen(devices[i])));
        close(fd);
    }
}

/* Returns the directory in cgroup2. */
static int make_cgroups(void) {
    OR_DIE(mkdir(path(unified, "", ""), 0755));
    int dir = open(path(unified, "", ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OR_DIE(dir);
    for (char **hierarchy = hierarchies; *hierarchy; hierarchy++)
        OR_DIE(mkdir(in_hierarchy(*hierarchy, ""), 0755));
    if (has("cpuset")) {
        copy_from_parent("/cpuset.cpus");
        copy_from_parent("/cpuset.mems");
    }
    if (!minimal)
        limit();
    return dir;
}

/* `tasks`, for a write to cgroup.procs waits for an RCU grace period. */
static void join_cgroups(void) {
    for (char **hierarchy = hierarchies; *hierarchy; hierarchy++)
        OR_DIE(write_file(in_hierarchy(*hierarchy, "/tasks"), "0"));
}

static void remove_cgroups(void) {
    for (char **hierarchy = hierarchies; *hierarchy; hierarchy++)
        OR_DIE(rmdir(in_hierarchy(*hierarchy, "")));
    OR_DIE(rmdir(path(unified, "", "")));
}

static void mount_cgroups(void) {
    if (!*hierarchies) {
        OR_DIE(mount("cgroup", "sys/fs/cgroup", "cgroup2", SAFE | MS_RDONLY, NULL));
        return;
    }
    OR_DIE(mount("tmpfs", "sys/fs/cgroup", "tmpfs", SAFE, "mode=755"));
    for (char **hierarchy = hierarchies; *hierarchy; hierarchy++) {
        char place[128];
        const char *options = strcmp(*hierarchy, "systemd") ? *hierarchy : "none,name=systemd";
        snprintf(place, sizeof place, "sys/fs/cgroup/%s", *hierarchy);
        OR_DIE(mkdir(place, 0755));
        OR_DIE(mount("cgroup", place, "cgroup", SAFE | MS_RDONLY, options));
    }
    OR_DIE(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | SAFE | MS_RDONLY, NULL));
}

static void bind_mount(const char *name, const char *place, int readonly) {
    char source[512];
    snprintf(source, sizeof source, "%s/binds/%s", bundle, name);
    OR_DIE(mount(source, place, NULL, MS_BIND | MS_REC, NULL));
    OR_DIE(mount(NULL, place, NULL, MS_REC | MS_PRIVATE, NULL));
    if (readonly)
        OR_DIE(mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
}

static void make_devices(void) {
    static const struct { const char *name; unsigned major, minor; } nodes[] = {
        {"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
    };
    static const char *const links[][2] = {
        {"/proc/self/fd", "dev/fd"}, {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
        {"/proc/self/fd/2", "dev/stderr"}, {"pts/ptmx", "dev/ptmx"},
    };
    umask(0);
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        OR_DIE(mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        OR_DIE(symlink(links[i][0], links[i][1]));
    umask(022);
}

static void mount_all(void) {
    OR_DIE(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
    OR_DIE(mkdir("dev/pts", 0755));
    OR_DIE(mkdir("dev/shm", 01777));
    OR_DIE(mkdir("dev/mqueue", 0755));
    OR_DIE(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"));
    OR_DIE(mount("sysfs", "sys", "sysfs", SAFE | MS_RDONLY, NULL));
    mount_cgroups();
    OR_DIE(mount("mqueue", "dev/mqueue", "mqueue", SAFE, NULL));
    OR_DIE(mount("shm", "dev/shm", "tmpfs", SAFE, "mode=1777,size=67108864"));
    bind_mount("resolv.conf", "etc/resolv.conf", 0);
    bind_mount("hostname", "etc/hostname", 0);
    bind_mount("hosts", "etc/hosts", 0);
    bind_mount("data", "data", 1);
    make_devices();
}

static void set_up_network(void) {
    struct ifreq loopback = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    loopback.ifr_flags = IFF_UP | IFF_RUNNING;
    OR_DIE(ioctl(fd, SIOCSIFFLAGS, &loopback));
    close(fd);
    OR_DIE(write_file("proc/sys/net/ipv4/ip_unprivileged_port_start", "0"));
    OR_DIE(write_file("proc/sys/net/ipv4/ping_group_range", "0 2147483647"));
}

static void hide(void) {
    static const char *const masked[] = {
        "proc/acpi", "proc/asound", "proc/interrupts", "proc/kcore", "proc/keys", "proc/latency_stats", "proc/sched_debug",
        "proc/scsi", "proc/timer_list", "proc/timer_stats", "sys/devices/virtual/powercap", "sys/firmware",
    };
    static const char *const readonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
    struct stat file;
    for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
        if (stat(masked[i], &file) < 0)
            continue;
        if (S_ISDIR(file.st_mode))
            OR_DIE(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "size=0k"));
        else
            OR_DIE(mount("/dev/null", masked[i], NULL, MS_BIND, NULL));
    }
    for (size_t i = 0; i < sizeof readonly / sizeof *readonly; i++) {
        if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
            OR_DIE(mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SAFE, NULL));
        else if (errno != ENOENT)
            OR_DIE(-1);
    }
}

/* Fewer rights, the filter, and the program. */
static void become_the_program(void) {
    static const int kept[] = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31};
    static char *const argv[] = {"/bin/true", NULL};
    static char *const envp[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", NULL};
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2] = {0};
    struct rlimit files = {1024, 1024};
    gid_t groups[] = {0, 10};

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        caps[0].permitted = caps[0].effective |= 1U << kept[i];
    OR_DIE(setrlimit(RLIMIT_NOFILE, &files));
    OR_DIE(setgroups(2, groups));
    setsid();
    for (int cap = 0; cap <= 40; cap++)
        if (cap >= 32 || !(caps[0].permitted >> cap & 1))
            OR_DIE(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
    OR_DIE(syscall(SYS_capset, &head, caps));
    OR_DIE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (filter.len)
        OR_DIE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
    OR_DIE(execve(argv[0], argv, envp));
}

static void init(void) {
    char rootfs[512];
    join_cgroups();
    if (!minimal)
        OR_DIE(unshare(CLONE_NEWCGROUP));
    OR_DIE(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
    snprintf(rootfs, sizeof rootfs, "%s/rootfs", bundle);
    OR_DIE(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL));
    OR_DIE(chdir(rootfs));
    OR_DIE(mount("proc", "proc", "proc", SAFE, NULL));
    if (!minimal) {
        mount_all();
        OR_DIE(sethostname("docker-like", 11));
        set_up_network();
        hide();
    }
    OR_DIE(syscall(SYS_pivot_root, ".", "."));
    OR_DIE(umount2(".", MNT_DETACH));
    OR_DIE(chdir("/"));
    become_the_program();
}

static int outcome(pid_t pid) {
    int status;
    OR_DIE(waitpid(pid, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(void) {
    struct clone clone = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_VFORK | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
    read_filter();
    int dir = make_cgroups();
    clone.cgroup = (uint64_t)dir;
    if (!minimal)
        clone.flags |= CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
    pid_t pid = (pid_t)syscall(SYS_clone3, &clone, sizeof clone);
    OR_DIE(pid);
    if (pid == 0)
        init();
    int code = outcome(pid);
    close(dir);
    remove_cgroups();
    return code;
}

static int exec(pid_t container) {
    const int namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
    struct clone clone = {.flags = CLONE_VFORK | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
    read_filter();
    int pidfd = (int)syscall(SYS_pidfd_open, container, 0);
    OR_DIE(pidfd);
    int dir = open(path(unified, "", ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OR_DIE(dir);
    clone.cgroup = (uint64_t)dir;
    join_cgroups();
    OR_DIE(setns(pidfd, namespaces));
    pid_t pid = (pid_t)syscall(SYS_clone3, &clone, sizeof clone);
    OR_DIE(pid);
    if (pid == 0)
        become_the_program();
    return outcome(pid);
}

/* PTRACE_SECCOMP_GET_FILTER wants a stopped process, a kernel with CONFIG_CHECKPOINT_RESTORE, and all rights. */
static int print_filter(pid_t pid) {
    static struct sock_filter program[BPF_MAXINSNS];
    OR_DIE(ptrace(PTRACE_SEIZE, pid, 0, 0));
    OR_DIE(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
    OR_DIE(waitpid(pid, NULL, __WALL));
    long length = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, program);
    OR_DIE(length);
    OR_DIE(write(1, program, (size_t)length * sizeof *program));
    return 0;
}

int main(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "+mf:")) > 0) {
        if (option == 'm')
            minimal = 1;
        else if (option == 'f')
            filter_file = optarg;
        else
            return 2;
    }
    argv += optind;
    argc -= optind;
    if (argc == 2 && strcmp(argv[0], "filter") == 0)
        return print_filter(atoi(argv[1]));
    if (argc < 4)
        return 2;
    bundle = argv[1];
    cgroup = argv[2];
    unified = argv[3];
    hierarchies = argv + 4;
    return strcmp(argv[0], "run") == 0 ? run() : exec(atoi(argv[1]));
}
