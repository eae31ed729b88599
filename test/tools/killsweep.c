/*
 * killsweep: runs a command under ptrace(2), counts the system calls of all its processes, and at a chosen one kills
 * them, or makes the call fail. What a program leaves behind, or does, after that is for the caller to look at.
 *
 *   killsweep [--nth N] [--process all|N] [--at entry|exit] [--kill all|one] [--inject ERRNO] [--leave]
 *             [--timeout SECONDS] [--out FILE] -- COMMAND...
 *
 *   --nth N        act at the N-th system call (from 1); without it nothing is done but counting
 *   --process N    count the calls of the N-th process alone (1: the command, 2: the first that is born, ...);
 *                  `all` (the default): of all, in the order in which they are seen
 *   --at exit      act when the call has been made, not before it
 *   --kill one     SIGKILL only the process whose call it is; the others go on (the default: all of them, parents first)
 *   --inject ERRNO (a number) no kill: the call is not made and returns -ERRNO; with `--at exit` it is made and does so
 *   --leave        when the command has ended let go of what still runs, and do not wait for it
 *   --timeout      SIGKILL to all after so many seconds
 *
 * Counting starts when the command is executed. One JSON object is written to FILE (default: stderr):
 *   {"acted":true,"process":1,"call":257,"phase":"entry","running":2,
 *    "processes":[{"name":"sh","calls":212},{"name":"cat","calls":80}],"exit":137,"signal":9,"timeout":false}
 * `call` is the number of the system call, `running` how many processes there were at that moment; `processes` are in the
 * order of their births; exit and signal are those of the command. The exit status of killsweep is 0 whatever became of
 * the command, 2 for wrong usage, 3 if tracing failed. If killsweep dies, so does what it traces (PTRACE_O_EXITKILL).
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MOST = 4096, TRACE_OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
       PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL };

struct process {
	pid_t pid;        /* the thread's id */
	long calls;       /* system calls entered */
	long number;      /* of the call that was entered last */
	char name[16];    /* /proc/PID/comm */
	bool alive;
	bool fail_it;     /* the call under way is to return the injected error */
};

static struct process processes[PROCESSES_MOST];
static int process_count;
static long total_calls;

static long nth, chosen_process;
static int injected_errno;
static bool at_exit_of_call, kill_one, leave;

static bool executed, acted, timed_out, leaving;
static long acted_process, acted_call, running_then;
static int command_exit = -1, command_signal;

static void die(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "killsweep: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(3);
}

static void read_name(struct process *process)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/%d/comm", process->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, process->name, sizeof process->name - 1);
	process->name[length > 0 ? length - 1 : 0] = '\0';
	for (char *at = process->name; *at; at++)
		if (*at < ' ' || *at == '"' || *at == '\\')
			*at = '?';
	close(fd);
}

static struct process *find(pid_t pid)
{
	for (int i = 0; i < process_count; i++)
		if (processes[i].pid == pid && processes[i].alive)
			return &processes[i];
	if (process_count == PROCESSES_MOST)
		die("more than %d processes", PROCESSES_MOST);
	processes[process_count] = (struct process){.pid = pid, .alive = true};
	read_name(&processes[process_count]);
	return &processes[process_count++];
}

/* At the entry of a call: makes it none at all, which returns -ENOSYS until set_result says otherwise. */
static void cancel_call(pid_t pid)
{
#if defined(__x86_64__)
	struct user_regs_struct registers;
	struct iovec iov = {&registers, sizeof registers};
	ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov);
	registers.orig_rax = (unsigned long long)-1;
	ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov);
#else
	int number = -1;
	struct iovec iov = {&number, sizeof number};
	ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &iov);
#endif
}

static void set_result(pid_t pid, long result)
{
	struct user_regs_struct registers;
	struct iovec iov = {&registers, sizeof registers};
	ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov);
#if defined(__x86_64__)
	registers.rax = (unsigned long long)result;
#else
	registers.regs[0] = (unsigned long long)result;
#endif
	ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov);
}

/* In the order of births: no parent is left to clean up after its child. */
static void kill_all(void)
{
	for (int i = 0; i < process_count; i++)
		if (processes[i].alive)
			kill(processes[i].pid, SIGKILL);
}

static int running(void)
{
	int count = 0;
	for (int i = 0; i < process_count; i++)
		count += processes[i].alive;
	return count;
}

/* The chosen call has come. */
static void act(struct process *process)
{
	acted = true;
	acted_process = process - processes + 1;
	running_then = running();
	if (injected_errno && at_exit_of_call) {
		set_result(process->pid, -injected_errno);
	} else if (injected_errno) {
		cancel_call(process->pid);
		process->fail_it = true;
	} else if (kill_one) {
		kill(process->pid, SIGKILL);
	} else {
		kill_all();
	}
}

static void system_call_stop(struct process *process)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, process->pid, sizeof info, &info) < 0)
		return; /* killed meanwhile */
	bool entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
	if (entry) {
		process->calls++;
		process->number = (long)info.entry.nr;
		total_calls++;
	} else if (process->fail_it) {
		set_result(process->pid, -injected_errno);
		process->fail_it = false;
	}
	if (acted || !executed || nth == 0 || entry == at_exit_of_call)
		return;
	if (chosen_process == 0 ? total_calls == nth : process - processes + 1 == chosen_process && process->calls == nth) {
		acted_call = process->number;
		act(process);
	}
}

/* One report of waitpid(2) on a stopped process; the signal that it is to be continued with. */
static int stopped(struct process *process, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	if (signal == (SIGTRAP | 0x80)) {
		system_call_stop(process);
		return 0;
	}
	if (event == PTRACE_EVENT_EXEC) {
		read_name(process);
		if (!executed) {
			executed = true;
			process->calls = total_calls = 0;
		}
		return 0;
	}
	if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
		unsigned long child;
		if (ptrace(PTRACE_GETEVENTMSG, process->pid, 0, &child) == 0)
			find((pid_t)child); /* births are counted in the order of the parents' calls */
		return 0;
	}
	/* Stops of a whole group, and those that tracing begins with: nobody would continue them, so they are passed over. */
	if (event != 0 || signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
		return 0;
	return signal;
}

static void gone(struct process *process, int status)
{
	process->alive = false;
	if (process != processes)
		return;
	if (leave) {
		leaving = true;
		for (int i = 1; i < process_count; i++)
			if (processes[i].alive)
				ptrace(PTRACE_INTERRUPT, processes[i].pid, 0, 0);
	}
	command_exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	command_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void on_alarm(int signal)
{
	(void)signal;
	timed_out = true;
}

static void trace(void)
{
	while (running() > 0) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);
		if (timed_out)
			kill_all();
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			break; /* ECHILD: threads that an execve(2) has ended without a word */
		struct process *process = find(pid);
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			gone(process, status);
			continue;
		}
		int signal = stopped(process, status);
		/* ESRCH, for both: it was killed meanwhile, and waitpid will say so. */
		if (leaving && ptrace(PTRACE_DETACH, pid, 0, signal) == 0)
			process->alive = false;
		else
			ptrace(PTRACE_SYSCALL, pid, 0, signal);
	}
}

static void report(int fd)
{
	dprintf(fd, "{\"acted\":%s,\"process\":%ld,\"call\":%ld,\"phase\":\"%s\",\"running\":%ld,\"processes\":[",
		acted ? "true" : "false", acted_process, acted_call, at_exit_of_call ? "exit" : "entry", running_then);
	for (int i = 0; i < process_count; i++)
		dprintf(fd, "%s{\"name\":\"%s\",\"calls\":%ld}", i ? "," : "", processes[i].name, processes[i].calls);
	dprintf(fd, "],\"exit\":%d,\"signal\":%d,\"timeout\":%s}\n", command_exit, command_signal, timed_out ? "true" : "false");
}

static void start(char **command)
{
	pid_t pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		raise(SIGSTOP); /* until the options are set */
		execvp(command[0], command);
		fprintf(stderr, "killsweep: %s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
	int status;
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		die("the command did not stop at its start");
	if (ptrace(PTRACE_SEIZE, pid, 0, TRACE_OPTIONS) != 0)
		die("PTRACE_SEIZE: %s", strerror(errno));
	find(pid);
	kill(pid, SIGCONT);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"nth", required_argument, 0, 'n'},  {"process", required_argument, 0, 'p'}, {"at", required_argument, 0, 'a'},
		{"kill", required_argument, 0, 'k'}, {"inject", required_argument, 0, 'i'},  {"out", required_argument, 0, 'o'},
		{"timeout", required_argument, 0, 't'}, {"leave", no_argument, 0, 'l'}, {0, 0, 0, 0},
	};
	int out = STDERR_FILENO, option;
	long timeout = 0;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 'n': nth = atol(optarg); break;
		case 'p': chosen_process = strcmp(optarg, "all") == 0 ? 0 : atol(optarg); break;
		case 'a': at_exit_of_call = strcmp(optarg, "exit") == 0; break;
		case 'k': kill_one = strcmp(optarg, "one") == 0; break;
		case 'i': injected_errno = atoi(optarg); break;
		case 't': timeout = atol(optarg); break;
		case 'l': leave = true; break;
		case 'o':
			out = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
			if (out < 0)
				die("%s: %s", optarg, strerror(errno));
			break;
		default: return 2;
		}
	}
	if (optind == argc) {
		fprintf(stderr, "usage: killsweep [options] -- COMMAND...\n");
		return 2;
	}
	struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART: waitpid is to return */
	sigaction(SIGALRM, &action, NULL);
	start(argv + optind);
	/* Again and again: the first may come just before waitpid(2) waits. */
	struct itimerval timer = {.it_value = {.tv_sec = timeout}, .it_interval = {.tv_usec = 100000}};
	setitimer(ITIMER_REAL, &timer, NULL);
	trace();
	report(out);
	return 0;
}
