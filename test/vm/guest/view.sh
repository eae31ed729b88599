call run --rm --quiet busybox sh -c 'cat /proc/1/cgroup; ls -d /sys/fs/cgroup/init /sys/fs/cgroup/mycontainer 2>/dev/null; echo end'
is "a container sees its own cgroup as the root" 0 "0::/
end"

call run --rm --quiet busybox mkdir /sys/fs/cgroup/mine
has "the cgroup file system is read-only in a container" 1 "Read-only file system"
