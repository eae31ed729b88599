# The device controller of cgroup v2 is a BPF program: its verdict comes before any driver's.
open='mknod /node $0 $1 $2 2>&1; dd if=/node of=/dev/null bs=1 count=1 2>&1'

for device in 'b 8 0' 'c 1 1' 'c 10 232'; do
  # shellcheck disable=SC2086
  call run --rm --quiet busybox sh -c "$open" $device
  has "the device $device cannot be opened" 1 "Operation not permitted"
done

call run --rm --privileged --quiet busybox sh -c "$open" b 8 0
has "a privileged container may, and there is no such disk" 1 "No such device or address"

call run --rm --quiet busybox sh -c 'head -c 3 /dev/zero | wc -c && echo a >/dev/null && head -c 2 /dev/urandom | wc -c'
is "the usual devices work" 0 "3
2"
