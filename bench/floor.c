/*
 * floor BUNDLE: the least that a container costs. One clone3(2) with five namespaces, the mounts of the OCI runtime
 * specification's default (config-linux.md, "Default Filesystems") by the new mount API, devices, pivot_root(2), execve(2) of
 * /bin/true, wait. No configuration is read, nothing is decided, checked, recorded or limited: what a runtime takes above
 * this is the price of being one.
 *
 * Link it statically: gcc -O2 -static -o floor floor.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* A new file system, attached at `target` below the working directory. `options` is "key=value" pairs, then NULL. */
static void attach(const char *type, const char *target, unsigned attributes, const char *const options[][2])
{
	int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	must(context, type);
	for (int i = 0; options && options[i][0]; i++)
		must(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0), options[i][0]);
	must(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
	int mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
	must(mount, target);
	must(syscall(SYS_move_mount, mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), target);
	close(mount);
	close(context);
}

static void device(const char *name, unsigned major, unsigned minor)
{
	must(mknod(name, S_IFCHR | 0666, makedev(major, minor)), name);
}

static void container(const char *bundle, char **command)
{
	static const char *const dev[][2] = {{"mode", "755"}, {"size", "65536k"}, {0}};
	static const char *const pts[][2] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}, {0}};
	static const char *const shm[][2] = {{"mode", "1777"}, {"size", "65536k"}, {0}};
	const unsigned none = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

	must(sethostname("floor", 5), "sethostname");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	must(chdir(bundle), bundle);
	int root = (int)syscall(SYS_open_tree, AT_FDCWD, "rootfs", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	must(root, "open_tree");
	must(syscall(SYS_move_mount, root, "", AT_FDCWD, "rootfs", MOVE_MOUNT_F_EMPTY_PATH), "rootfs");
	must(fchdir(root), "fchdir");
	attach("proc", "proc", none, NULL);
	attach("tmpfs", "dev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME, dev);
	must(mkdir("dev/pts", 0755) | mkdir("dev/shm", 0755) | mkdir("dev/mqueue", 0755), "mkdir");
	attach("devpts", "dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, pts);
	attach("tmpfs", "dev/shm", none, shm);
	attach("mqueue", "dev/mqueue", none, NULL);
	attach("sysfs", "sys", none | MOUNT_ATTR_RDONLY, NULL);
	umask(0);
	device("dev/null", 1, 3);
	device("dev/zero", 1, 5);
	device("dev/full", 1, 7);
	device("dev/random", 1, 8);
	device("dev/urandom", 1, 9);
	device("dev/tty", 5, 0);
	umask(022);
	must(symlink("/proc/self/fd", "dev/fd") | symlink("pts/ptmx", "dev/ptmx"), "symlink");
	must(symlink("/proc/self/fd/0", "dev/stdin") | symlink("/proc/self/fd/1", "dev/stdout"), "symlink");
	must(symlink("/proc/self/fd/2", "dev/stderr"), "symlink");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "chdir");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(syscall(SYS_close_range, 3, ~0U, 0), "close_range");
	static char *environment[] = {"PATH=/bin", NULL};
	execve(command[0], command, environment);
	must(-1, command[0]);
}

int main(int argc, char **argv)
{
	static char *always_true[] = {"/bin/true", NULL};
	if (argc != 2) {
		fprintf(stderr, "usage: floor BUNDLE\n");
		return 2;
	}
	struct clone_args arguments = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
	must(pid, "clone3");
	if (pid == 0)
		container(argv[1], always_true);
	int status;
	must(waitpid(pid, &status, 0), "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
