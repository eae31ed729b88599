# Checkpoint and restore: a container that counts goes on counting. The network is the guest's own: criu would need more programs else.
. ./bundle
config 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/count.new; mv /tmp/count.new /tmp/count; usleep 20000; done' \
  '"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}], "resources": {"pids": {"limit": 20}}' ro
counted=$bundle/rootfs/tmp/count
# Its streams are not files of the guest: criu would have to find those again.
/dist/mycontainer-runtime --root /run/oci run --detach --bundle $bundle counter </dev/null >/dev/null 2>&1
until [ -s $counted ]; do :; done
oci checkpoint --image-path /tmp/images --leave-running counter
is "criu: a checkpoint leaves the container running, if that is asked for" 0 ""
oci state counter
has "criu: it still runs" 0 '"status": "running"'
oci checkpoint --image-path /tmp/images2 counter
is "criu: a checkpoint ends the container" 0 ""
[ "$status" = 0 ] || tail -n 40 /tmp/images2/dump.log | sed 's/^/# /'
oci state counter
has "criu: and removes it" 1 "container does not exist"
before=$(cat $counted)
oci restore --detach --bundle $bundle --image-path /tmp/images2 --pid-file /tmp/pid counter
is "criu: a container is restored" 0 ""
[ "$status" = 0 ] || tail -n 60 /tmp/images2/restore.log | sed 's/^/# /'
oci state counter
has "criu: and runs" 0 '"status": "running"'
if [ "$status" = 0 ]; then until [ "$(cat $counted)" -gt $((before + 5)) ]; do :; done; fi
status=0 out=$(cat /sys/fs/cgroup/mycontainer/oci/pids.max)
is "criu: in its cgroup, with its limits" 0 20
oci exec counter cat /proc/1/comm
is "criu: and is entered" 0 sh
oci delete --force counter
is "criu: and removed" 0 ""
oci restore --bundle $bundle --image-path /tmp counter
has "criu: where there is no checkpoint, that is told" 1 "there is no checkpoint in /tmp"
rm -rf /tmp/images /tmp/images2 /tmp/pid $bundle /run/oci
