# A search path that goes by way of every descriptor to the guest's own /dist (CVE-2024-21626): at a container's start that of its
# cgroup's directory is open.
escape=
for number in $(seq 3 20); do escape=$escape:/proc/self/fd/$number/../../../../../../dist; done

call run --rm -e "PATH=${escape#:}" busybox mycontainer --version
has "no program of the host is found by way of a descriptor, by run" 127 "cannot run 'mycontainer'"

call run -d --name escape busybox sleep 1000
call exec -e "PATH=${escape#:}" escape mycontainer --version
has "nor by exec" 127 "cannot run 'mycontainer'"
call rm -f escape
