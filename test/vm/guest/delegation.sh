# In a cgroup namespace whose root was given cpu and pids alone, as in a container or under a careful administrator.
outer=/sys/fs/cgroup/outer
mkdir -p $outer
echo '+cpu +pids' >$outer/cgroup.subtree_control
mkdir $outer/delegated

# delegated ARGS...: like call, but in there.
delegated() {
  cat >/tmp/delegated <<'END'
umount /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/init
echo $$ >/sys/fs/cgroup/init/cgroup.procs
exec /dist/mycontainer "$@"
END
  sh -c 'echo $$ >/sys/fs/cgroup/outer/delegated/cgroup.procs && exec /usr/sbin/unshare --cgroup --mount sh /tmp/delegated "$@"' sh "$@" \
    >/tmp/out 2>/tmp/err </dev/null
  status=$?
  out=$(cat /tmp/out) err=$(cat /tmp/err)
}

delegated run --rm --memory 64m busybox true
has "a memory limit that was asked for, without the memory controller, is an error which names it" 125 "memory.*controller|controller.*memory"

delegated run --rm busybox sh -c 'cat /sys/fs/cgroup/cpu.max'
is "a default limit without its controller is no error, and the other limits hold" 0 "50000 100000"

# Empties what was made above.
for directory in $(find $outer -mindepth 1 -depth -type d); do rmdir "$directory"; done
rmdir $outer
