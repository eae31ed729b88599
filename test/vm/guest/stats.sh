call run -d --quiet --name stats --memory 100m busybox sleep 1000
has "a detached container starts" 0 .

call stats --no-stream
has "stats has its columns" 0 "^CONTAINER +CPU +MEM USAGE / LIMIT +NET I/O +PIDS"
has "stats shows use, limit and processes" 0 "^stats.* [0-9.]+%.* [0-9.]+[KM]?B / 100MB .* 1 *$"

call exec stats cat /proc/self/cgroup
is "exec joins the container's cgroup" 0 "0::/"

call rm -f stats
has "a running container is removed by force" 0 stats
