# --systemd-cgroup on pure cgroup v2, under the system's own manager.
. ./bundle
own='"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "network"}, {"type": "uts"}]'
limits='"resources": {"memory": {"limit": 67108864, "reservation": 33554432, "swap": 67108864}, "pids": {"limit": 33},
  "cpu": {"quota": 12345, "period": 100000, "shares": 512, "cpus": "0", "mems": "0"}, "unified": {"memory.high": "60000000"},
  "devices": [{"allow": false, "access": "rwm"}]}'
slice=/sys/fs/cgroup/machine.slice/machine-test.slice
cgroup=$slice/mc-one.scope

sd() { oci --systemd-cgroup "$@"; }
# place SLICE:PREFIX:NAME [ANNOTATION VALUE]...: changes what `config` has written.
place() {
  sed -i "s|/mycontainer/oci|$1|" $bundle/config.json
  shift
  annotations=
  while [ $# -gt 1 ]; do
    annotations="$annotations${annotations:+, }\"org.systemd.property.$1\": \"$2\""
    shift 2
  done
  sed -i "1s|^{|{\"annotations\": {$annotations}, |" $bundle/config.json
}
# files NAME...: the last call's output becomes what the files of the cgroup have.
files() { status=0 out=$(cd $cgroup && cat "$@" 2>&1 | tr '\n' ' '); }
# property NAME [UNIT]
property() { status=0 out=$(systemctl show -P "$1" "${2:-mc-one.scope}" 2>&1); }
limited='memory.max memory.low memory.high memory.swap.max pids.max cpu.max cpu.weight cpuset.cpus cpuset.mems'

# A container.
mknod $bundle/rootfs/serial c 4 64
config 'exec sleep 1000' "$own, $limits" ro
place machine-test.slice:mc:one TimeoutStopSec 7 CollectMode "'inactive-or-failed'"
sd create --bundle $bundle --pid-file /tmp/pid one
is "systemd: a container is made" 0 ""
status=0 out=$(cat /proc/"$(cat /tmp/pid)"/cgroup)
is "systemd: its cgroup is that of a scope in nested slices" 0 0::/machine.slice/machine-test.slice/mc-one.scope
files $limited
is "systemd: its limits are those of the config, to the microsecond" 0 "67108864 33554432 59998208 0 33 12345 100000 59 0 0 "
for pair in Slice=machine-test.slice Delegate=yes MemoryMax=67108864 MemoryLow=33554432 MemoryHigh=60000000 MemorySwapMax=0 \
  TasksMax=33 CPUQuotaPerSecUSec=130ms CPUWeight=59 AllowedCPUs=0 AllowedMemoryNodes=0 DevicePolicy=strict \
  TimeoutStopUSec=7s CollectMode=inactive-or-failed ActiveState=active; do
  property "${pair%%=*}"
  is "systemd: it is told of $pair" 0 "${pair#*=}"
done
sd start one
is "systemd: it is started" 0 ""
sd exec one cat /proc/self/cgroup
is "systemd: exec goes into the scope" 0 0::/machine.slice/machine-test.slice/mc-one.scope
sd exec one sh -c 'echo >/dev/null && : </serial'
has "systemd: no devices but those that are allowed" 1 "serial: Operation not permitted"

# systemd writes its units' limits anew on occasion. A quota, which it counts in steps of 10 ms, is rounded up then.
systemctl daemon-reload
files $limited
is "systemd: limits are the same after a reload" 0 "67108864 33554432 59998208 0 33 13000 100000 59 0 0 "
sd exec one sh -c 'echo >/dev/null && : </serial'
has "systemd: and so are devices" 1 "serial: Operation not permitted"

# Updates.
sd update --memory 80000000 --memory-swap 80000000 --pids-limit 44 one
is "systemd: limits are changed" 0 ""
files $limited
is "systemd: to what was asked for; the others stay" 0 "79998976 33554432 59998208 0 44 13000 100000 59 0 0 "
property TasksMax
is "systemd: it is told of the change" 0 44
sd update --cpu-quota 23456 one
files cpu.max
is "systemd: a quota is exact after an update as well" 0 "23456 100000 "
sd pause one
files cgroup.freeze
is "systemd: it is paused" 0 "1 "
sd resume one

# Somebody else's unit is nobody's to stop. The second bundle means the same unit, once in its place and once in another.
for other in machine-test.slice:mc:one other.slice:mc:one; do
  config 'exec sleep 1000' "$own" ro
  place $other
  sd create --bundle $bundle two
  has "systemd: a unit that is there already is refused ($other)" 1 "already (exists|loaded)|not empty"
  property ActiveState
  is "systemd: and goes on ($other)" 0 active
  sd state one
  has "systemd: and so does its container ($other)" 0 '"status": "running"'
done
sd state two
has "systemd: nothing is left of who was refused" 1 "does not exist"

sd delete --force one
is "systemd: it is removed" 0 ""
property LoadState
is "systemd: with its unit" 0 not-found
[ ! -e $cgroup ]
status=$? out=
is "systemd: and its cgroup" 0 ""

# One that has stopped does not take its successor in the unit along.
config 'exit 0' "$own" ro
place machine-test.slice:mc:one
sd run --bundle $bundle --detach first
until sd state first && grep -q stopped /tmp/out; do :; done
config 'exec sleep 1000' "$own" ro
place machine-test.slice:mc:one
sd run --bundle $bundle --detach second
is "systemd: the unit of a container that has stopped is free" 0 ""
sd delete first
is "systemd: it is removed later" 0 ""
sd state second
has "systemd: which leaves its successor alone" 0 '"status": "running"'
property ActiveState
is "systemd: and the unit" 0 active
sd delete --force second

# A unit that has failed is in the way no longer than until it is wanted again.
config 'trap : TERM; while :; do sleep 1000; done' "$own" ro
place machine-test.slice:mc:one RuntimeMaxSec 0.5 TimeoutStopSec 0.5
sd run --bundle $bundle --detach slow
until [ "$(systemctl show -P ActiveState mc-one.scope)" = failed ]; do :; done
config 'exec sleep 1000' "$own" ro
place machine-test.slice:mc:one
sd run --bundle $bundle --detach again
is "systemd: a failed unit is reset" 0 ""
sd state again
has "systemd: and its name used again" 0 '"status": "running"'
sd delete --force again
sd delete --force slow
is "systemd: removing one whose unit is gone is fine" 0 ""

# Mistakes.
config 'true' "$own" ro
place machine-test.slice:mc:one NoSuchThing true
sd create --bundle $bundle bad
has "systemd: a property that it does not know is told" 1 "NoSuchThing"
config 'true' "$own" ro
sd create --bundle $bundle bad
has "systemd: a path that is no slice:prefix:name is told" 1 'expected cgroupsPath to be of format "slice:prefix:name"'
sd state bad
has "systemd: and nothing is left" 1 "does not exist"
status=0 out=$(find /sys/fs/cgroup -name 'mc-*'; systemctl list-units --all --plain --no-legend 'mc-*')
is "systemd: no unit and no cgroup is left behind" 0 ""
rm -rf $bundle /run/oci
