/**
 * The filter that containers have by default: Docker's choice of calls, as a profile of the specification. Pure.
 *
 * What programs need is allowed; what has broken kernels or leads out of a container is EPERM, as the kernel itself would say
 * without the privilege; all else, and what comes with newer kernels, is ENOSYS, so that programs take the older way.
 */
import type { Seccomp, SeccompOperator, SeccompRule } from "../../spec/config.ts";
import type { MachineArch } from "./architectures.ts";

const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];

const FILES =
  "access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 " +
  "fadvise64_64 arm_fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl " +
  "fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync " +
  "ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init " +
  "inotify_init1 inotify_rm_watch lchown lchown32 lgetxattr link linkat listmount listxattr listxattrat llistxattr " +
  "_llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat " +
  "openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat readv removexattr " +
  "removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 " +
  "statmount statx symlink symlinkat sync sync_file_range arm_sync_file_range syncfs tee truncate " +
  "truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev";

const MEMORY =
  "brk cachestat madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect " +
  "mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages";

const PROCESSES =
  "alarm capget capset execve execveat exit exit_group fork getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups " +
  "getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit getrusage " +
  "getsid gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset " +
  "landlock_restrict_self nice pause pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease process_vm_readv " +
  "process_vm_writev ptrace sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min " +
  "sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam " +
  "sched_setscheduler sched_yield seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 " +
  "setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid " +
  "setuid setuid32 tgkill times tkill ugetrlimit uname vfork wait4 waitid waitpid";

const THREADS =
  "futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake getcpu get_robust_list get_thread_area membarrier " +
  "restart_syscall rseq set_robust_list set_thread_area set_tid_address";

const SIGNALS =
  "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait " +
  "rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn " +
  "sigsuspend";

const TIME =
  "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep " +
  "clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timerfd_create " +
  "timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 timer_getoverrun timer_gettime timer_gettime64 " +
  "timer_settime timer_settime64";

const WAITING =
  "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 " +
  "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect poll ppoll " +
  "ppoll_time64 pselect6 pselect6_time64 select";

const COMMUNICATION =
  "accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open " +
  "mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 " +
  "recv recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg " +
  "sendto setsockopt shmat shmctl shmdt shmget shutdown";

const MACHINE = "arch_prctl breakpoint cacheflush getrandom modify_ldt set_tls sysinfo uprobe uretprobe";

/** Never: large parts of the kernel that programs do without, or keys and faults that are not namespaced. */
const DANGEROUS =
  "add_key io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load keyctl migrate_pages move_pages " +
  "pivot_root request_key swapoff swapon userfaultfd";

/** Calls that one of these capabilities allows. */
const BY_CAPABILITY: readonly (readonly [capabilities: string, calls: string])[] = [
  [
    "SYS_ADMIN",
    "fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount " +
      "mount_setattr move_mount open_tree open_tree_attr quotactl quotactl_fd setdomainname sethostname setns umount umount2 " +
      "unshare",
  ],
  ["SYS_ADMIN BPF", "bpf"],
  ["SYS_ADMIN PERFMON", "perf_event_open"],
  ["SYS_ADMIN SYSLOG", "syslog"],
  ["DAC_READ_SEARCH", "open_by_handle_at"],
  ["SYS_BOOT", "reboot"],
  ["SYS_CHROOT", "chroot"],
  ["SYS_MODULE", "delete_module finit_module init_module"],
  ["SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"],
  ["SYS_PACCT", "acct"],
  ["SYS_PTRACE", "kcmp pidfd_getfd process_madvise"],
  ["SYS_RAWIO", "ioperm iopl"],
  ["SYS_TIME", "clock_settime clock_settime64 settimeofday stime"],
  ["SYS_TTY_CONFIG", "vhangup"],
];

/** What a profile depends on, without `CAP_`: two sets with the same of these have the same filter. */
export const RELEVANT_CAPABILITIES: readonly string[] = [
  ...new Set(["NET_RAW", ...BY_CAPABILITY.flatMap(([names]) => names.split(" "))]),
].sort();

/** Not x32, which distributions' kernels leave out or switch off: its part costs every start about 0.05 ms in the kernel. */
const ARCHITECTURES: Readonly<Record<MachineArch, readonly string[]>> = {
  x86_64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
  aarch64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

/** Namespaces that clone(2) makes: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NAMESPACES = 0x7e020000;
const LOW_HALF = 0xffffffff;
/** Requests that put characters into a terminal's input, to be read by whoever has it next (CVE-2017-5226, 2023-28100). */
const TERMINAL_INJECTIONS: readonly number[] = [0x5412 /* TIOCSTI */, 0x541c /* TIOCLINUX */];
const FAMILIES: readonly number[] = [1 /* UNIX */, 2 /* INET */, 10 /* INET6 */, 16 /* NETLINK */];
const AF_UNIX = 1;
const AF_PACKET = 17;
/** The call of socketcall(2) that is socket(2). */
const SOCKETCALL_SOCKET = 1;
/** PER_LINUX, PER_LINUX32, both with UNAME26, and "what is it?": those that change no mapping's protection. */
const PERSONALITIES: readonly number[] = [0, 8, 0x20000, 0x20008, 0xffffffff];

/** @param capabilities of the container's bounding set, as `CAP_NET_RAW` */
export function defaultProfile(capabilities: readonly string[], machine: MachineArch): Seccomp {
  const has = (names: string) => names.split(" ").some((name) => capabilities.includes(`CAP_${name}`));
  const allowed = [FILES, MEMORY, PROCESSES, THREADS, SIGNALS, TIME, WAITING, COMMUNICATION, MACHINE];
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: ENOSYS,
    architectures: [...ARCHITECTURES[machine]],
    syscalls: [
      allow(allowed.join(" ")),
      refuse(DANGEROUS, EPERM),
      ...BY_CAPABILITY.map(([names, calls]) => (has(names) ? allow(calls) : refuse(calls, EPERM))),
      ...cloneRules(has("SYS_ADMIN")),
      ...socketRules(has("NET_RAW")),
      ...TERMINAL_INJECTIONS.map((request) => refuse("ioctl", EPERM, masked(1, LOW_HALF, request))),
      allow("ioctl", ALWAYS),
      ...PERSONALITIES.map((persona) => allow("personality", condition(0, "SCMP_CMP_EQ", persona))),
      refuse("personality", EPERM, ALWAYS),
    ],
  };
}

type Condition = NonNullable<SeccompRule["args"]>[number];

function condition(index: number, op: SeccompOperator, value: number): Condition {
  return { index, op, value };
}

/**
 * The argument's bits of the mask are those of the value. The kernel takes 32 bits of what is an int or a flag word, so
 * comparing all 64 would let a call pass that has anything in the others (CVE-2019-10063).
 */
function masked(index: number, mask: number, value: number): Condition {
  return { index, op: "SCMP_CMP_MASKED_EQ", value: mask, valueTwo: value };
}

/** Holds for every call: for the last of several rules, which is then for what the others leave. */
const ALWAYS: Condition = condition(0, "SCMP_CMP_GE", 0);

function allow(calls: string, ...args: Condition[]): SeccompRule {
  return { names: calls.split(" "), action: "SCMP_ACT_ALLOW", ...(args.length === 0 ? {} : { args }) };
}

function refuse(calls: string, errnoRet: number, ...args: Condition[]): SeccompRule {
  return { names: calls.split(" "), action: "SCMP_ACT_ERRNO", errnoRet, ...(args.length === 0 ? {} : { args }) };
}

/** clone3(2) has its flags in memory, where a filter cannot see them: without it, libraries use clone(2). */
function cloneRules(namespaces: boolean): SeccompRule[] {
  if (namespaces) return [allow("clone clone3")];
  return [allow("clone", masked(0, CLONE_NAMESPACES, 0)), refuse("clone", EPERM, ALWAYS), refuse("clone3", ENOSYS)];
}

/**
 * socketcall(2), of 32-bit x86 only, has its arguments in memory as well: sockets are made by socket(2) there, or a 64-bit
 * program could come by any family through it.
 */
function socketRules(raw: boolean): SeccompRule[] {
  const families = raw ? [...FAMILIES, AF_PACKET] : FAMILIES;
  return [
    ...families.map((family) => allow("socket", masked(0, LOW_HALF, family))),
    refuse("socket", EAFNOSUPPORT, ALWAYS),
    allow("socketpair", masked(0, LOW_HALF, AF_UNIX)),
    refuse("socketpair", EAFNOSUPPORT, ALWAYS),
    refuse("socketcall", EAFNOSUPPORT, masked(0, LOW_HALF, SOCKETCALL_SOCKET)),
    allow("socketcall", ALWAYS),
  ];
}
