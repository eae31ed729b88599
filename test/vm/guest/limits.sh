show='cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max'

call run --rm busybox sh -c "$show"
is "the defaults are 512 MB, half a core and 2048 processes" 0 "536870912
50000 100000
2048"

call run --rm --memory 64m --cpus 1.5 --pids-limit 100 busybox sh -c "$show"
is "limits that are asked for are those of the cgroup" 0 "67108864
150000 100000
100"

call run --rm --memory 0 --cpus 0 --pids-limit -1 busybox sh -c "$show"
is "no limit is max" 0 "max
max 100000
max"

call run --rm --cpuset-cpus 1 --cpu-shares 2048 busybox cat /sys/fs/cgroup/cpuset.cpus.effective /sys/fs/cgroup/cpu.weight
is "a set of processors holds and shares become a weight" 0 "1
174"

call run --rm --memory 32m busybox dd if=/dev/zero of=/dev/null bs=128M count=1
has "more memory than the limit ends in status 137 and words of memory" 137 "memory ran out|out of memory"

call run --rm --pids-limit 3 busybox sh -c 'sleep 60 & sleep 60 & sleep 60 & echo no'
has "more processes than the limit cannot be forked" 2 "can't fork"
