# The OCI face on pure cgroup v2.
. ./bundle
own='"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "network"}, {"type": "uts"}, {"type": "cgroup"}]'
limits='"resources": {"memory": {"limit": 67108864, "swap": 67108864}, "pids": {"limit": 20}, "cpu": {"quota": 20000, "period": 100000, "shares": 1024}}'
cgroup=/sys/fs/cgroup/mycontainer/oci

config 'exec sleep 1000' "$own, $limits" ro
oci create --bundle $bundle one
is "oci: a container is made" 0 ""
status=0 out=$(cd $cgroup && cat memory.max memory.swap.max pids.max cpu.max cpu.weight | tr '\n' ' ')
is "oci: its limits are those of the config" 0 "67108864 0 20 20000 100000 100 "
oci start one
is "oci: and it is started" 0 ""
oci exec one cat /sys/fs/cgroup/pids.max
is "oci: exec sees the cgroup as the root of its namespace" 0 20
oci pause one
status=0 out=$(cat $cgroup/cgroup.freeze)
is "oci: pause freezes it" 0 1
oci exec one true
has "oci: nobody enters it then" 255 "cannot exec in a paused container"
oci resume one
oci update --memory 33554432 --memory-swap 33554432 --cpu-quota 30000 --pids-limit 30 one
is "oci: limits are changed" 0 ""
status=0 out=$(cd $cgroup && cat memory.max memory.swap.max cpu.max pids.max | tr '\n' ' ')
is "oci: to what was asked for, and no other" 0 "33554432 0 30000 100000 30 "
oci events --stats one
has "oci: events tell what it uses" 0 '"pids":{"current":1,"limit":30}'
oci delete --force one

# Its programs may make cgroups in it, and hand controllers down: then nobody can be in the container's own any more.
config 'mkdir /sys/fs/cgroup/inner && echo 1 >/sys/fs/cgroup/inner/cgroup.procs && echo +pids >/sys/fs/cgroup/cgroup.subtree_control && exec sleep 1000' "$own" rw
oci run --detach --bundle $bundle nested
until [ "$(cat $cgroup/cgroup.subtree_control)" = pids ]; do :; done
oci exec nested cat /proc/self/cgroup
is "oci: exec goes to where the first process has gone" 0 "0::/inner"
oci delete --force nested
is "oci: a container with cgroups of its own is removed with them" 0 ""

users='"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "network"}, {"type": "uts"}, {"type": "cgroup"}, {"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 1000}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 1000}]'
config 'mkdir /sys/fs/cgroup/sub && exec sleep 1000' "$users, $limits" rw
oci run --detach --bundle $bundle owned
is "oci: the root of a user namespace may divide its cgroup up" 0 ""
status=0 out=$(cd $cgroup && stat -c '%u' . cgroup.procs memory.max | tr '\n' ' ')
is "oci: it owns the cgroup, and not its limits" 0 "100000 100000 0 "
oci delete --force owned

config 'tail /dev/zero' "$own, $limits" ro
oci create --bundle $bundle hog
/dist/mycontainer-runtime --root /run/oci events hog >/tmp/events 2>&1 </dev/null &
events=$!
until grep -q inotify /proc/$events/fdinfo/* 2>/dev/null || ls -l /proc/$events/fd 2>/dev/null | grep -q inotify; do :; done
oci start hog
wait $events
status=0 out=$(grep -c '"type":"oom"' /tmp/events)
is "oci: events tell when memory has run out" 0 1
oci delete --force hog
rm -rf $bundle /run/oci
