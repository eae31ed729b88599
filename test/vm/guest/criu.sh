# Checkpoint and restore: a container that counts goes on counting.
. ./bundle
counting='i=0; while :; do i=$((i + 1)); echo $i >/tmp/count.new; mv /tmp/count.new /tmp/count; usleep 20000; done'
config "$counting" \
  '"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}], "resources": {"pids": {"limit": 20}}' ro
# A hook that tells of its state.
sed -i 's|"linux": {|"hooks": {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/tmp/poststart"]}]}, &|' $bundle/config.json
counted=$bundle/rootfs/tmp/count
# Its streams are not files of the guest: criu would have to find those again.
/dist/mycontainer-runtime --root /run/oci run --detach --bundle $bundle counter </dev/null >/dev/null 2>&1
until [ -s $counted ]; do :; done
oci checkpoint --image-path /tmp/images --leave-running counter
is "criu: a checkpoint leaves the container running, if that is asked for" 0 ""
oci state counter
has "criu: it still runs" 0 '"status": "running"'
oci checkpoint --image-path /tmp/images0 --pre-dump counter
is "criu: memory is written before the rest" 0 ""
oci checkpoint --image-path /tmp/images2 --parent-path images0 counter
has "criu: a parent that there is not is refused" 1 "invalid --parent-path: there is no /tmp/images2/images0"
oci checkpoint --image-path /tmp/images2 --status-fd nine counter
has "criu: a descriptor is a number" 1 "status-fd is a whole number"
PATH=/nowhere oci checkpoint --image-path /tmp/images2 counter
has "criu: where it is not installed, that is told" 1 "criu is not installed"
status=$([ -e /tmp/images2 ]; echo $?) out=
is "criu: and nothing is made" 1 ""
oci checkpoint --image-path /tmp/images2 --parent-path ../images0 counter
is "criu: a checkpoint ends the container" 0 ""
[ "$status" = 0 ] || tail -n 40 /tmp/images2/dump.log | sed 's/^/# /'
oci state counter
has "criu: and removes it" 1 "container does not exist"
before=$(cat $counted)
rm /tmp/poststart
oci restore --detach --bundle $bundle --image-path /tmp/images2 --pid-file /tmp/pid counter
is "criu: a container is restored" 0 ""
[ "$status" = 0 ] || tail -n 60 /tmp/images2/restore.log | sed 's/^/# /'
oci state counter
has "criu: and runs" 0 '"status": "running"'
if [ "$status" = 0 ]; then until [ "$(cat $counted)" -gt $((before + 5)) ]; do :; done; fi
oci state counter
has "criu: with the process that its file tells of" 0 "\"pid\": $(cat /tmp/pid),"
status=0 out=$(grep -o '"status":"[a-z]*"' /tmp/poststart)
is "criu: its poststart hooks have run" 0 '"status":"running"'
status=0 out=$(grep -cx "$(cat /tmp/pid)" /sys/fs/cgroup/mycontainer/oci/cgroup.procs)
is "criu: its process is in its cgroup" 0 1
status=0 out=$(cat /sys/fs/cgroup/mycontainer/oci/pids.max)
is "criu: in its cgroup, with its limits" 0 20
oci exec counter cat /proc/1/comm
is "criu: and is entered" 0 sh
oci restore --detach --bundle $bundle --image-path /tmp/images2 counter
has "criu: an id that is taken is refused" 1 "container with given ID already exists"
oci delete --force counter
is "criu: and removed" 0 ""

# What engines' containers have: paths that are hidden, mounts below links, a network namespace that was made before.
mkdir -p /tmp/volume $bundle/rootfs/srv
echo from-the-host >/tmp/volume/file
ln -s srv $bundle/rootfs/link
touch /tmp/network
unshare --net=/tmp/network ip link set lo up
# The guest has no iptables. Where there is no network namespace criu would leave a table of the host's behind by this.
mkdir -p /etc/criu
echo 'network-lock nftables' >/etc/criu/default.conf
config "$counting" '"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "cgroup"},
   {"type": "network", "path": "/tmp/network"}],
  "maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"], "readonlyPaths": ["/proc/sys", "/proc/bus"]' ro
device_mounts='{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}, {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance"]},'
volume_mount='{"destination": "/link/volume", "type": "bind", "source": "/tmp/volume", "options": ["rbind"]},'
sed -i "s|\"mounts\": \[|&$volume_mount $device_mounts|" $bundle/config.json
rm $counted
/dist/mycontainer-runtime --root /run/oci run --detach --bundle $bundle counter </dev/null >/dev/null 2>&1
until [ -s $counted ]; do :; done
oci checkpoint --image-path /tmp/images3 counter
is "criu: a container as engines make them is written" 0 ""
[ "$status" = 0 ] || tail -n 40 /tmp/images3/dump.log | sed 's/^/# /'
oci restore --detach --bundle $bundle --image-path /tmp/images3 counter
is "criu: and restored" 0 ""
[ "$status" = 0 ] || tail -n 60 /tmp/images3/restore.log | sed 's/^/# /'
oci exec counter sh -c 'readlink /proc/1/ns/net; cat /srv/volume/file; wc -c </proc/keys'
is "criu: in the network namespace of its config, with its mounts and masks" 0 "net:[$(stat -c %i /tmp/network)]
from-the-host
0"
oci delete --force counter
rm -rf /etc/criu

# A terminal: whoever restores it has its other side.
config 'i=0; while :; do i=$((i + 1)); echo count-$i; usleep 20000; done' \
  '"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]' ro
sed -i "s|\"process\": {|&\"terminal\": true, |; s|\"mounts\": \[|&$device_mounts|" $bundle/config.json
/dist/mycontainer-runtime --root /run/oci run --bundle $bundle counter </dev/null >/tmp/screen 2>&1 &
until grep -q count-5 /tmp/screen; do :; done
oci checkpoint --image-path /tmp/images4 counter
is "criu: a container with a terminal is written" 0 ""
[ "$status" = 0 ] || tail -n 40 /tmp/images4/dump.log | sed 's/^/# /'
[ "$status" = 0 ] || oci delete --force counter
wait $!
oci restore --detach --bundle $bundle --image-path /tmp/images4 counter
has "criu: a terminal that nobody would have is refused" 1 "without setting console socket"
last=$(tail -n 1 /tmp/screen | tr -dc 0-9)
/dist/mycontainer-runtime --root /run/oci restore --bundle $bundle --image-path /tmp/images4 counter </dev/null >/tmp/screen2 2>&1 &
restoring=$!
until grep -qs "count-$((last + 20))" /tmp/screen2 || ! [ -e /proc/$restoring/exe ]; do :; done
status=0 out=$(grep -c "count-$((last + 20))" /tmp/screen2)
is "criu: and goes on writing to whoever has restored it" 0 1
[ "$out" = 1 ] || { cat /tmp/screen2; tail -n 60 /tmp/images4/restore.log; } | sed 's/^/# /'
oci kill counter KILL
wait $restoring
status=$? out=
is "criu: whose exit status is the container's" 137 ""
oci restore --bundle $bundle --image-path /tmp counter
has "criu: where there is no checkpoint, that is told" 1 "there is no checkpoint in /tmp"
umount /tmp/network
rm -rf /tmp/images* /tmp/pid /tmp/poststart /tmp/screen* /tmp/network /tmp/volume $bundle /run/oci
