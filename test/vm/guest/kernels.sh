# What newer kernels have calls for, and older ones are asked in another way or cannot: everything here is said of both.
older() { [ "$(printf '%s\n' "$1" "$(uname -r)" | sort -t. -k1,1n -k2,2n | head -n 1)" != "$1" ]; }
volume=/tmp/volume
mkdir -p $volume/below
mount -t tmpfs below $volume/below
mkdir $volume/below/deeper
mount -t tmpfs deeper $volume/below/deeper

# mount_setattr(2) is of Linux 5.12.
call run --rm --quiet -v $volume:/mnt:ro busybox sh -c 'for at in . below below/deeper; do touch /mnt/$at/file 2>&1; done'
is "kernels: a volume that is read-only is so with what is mounted in it" 1 "touch: /mnt/./file: Read-only file system
touch: /mnt/below/file: Read-only file system
touch: /mnt/below/deeper/file: Read-only file system"
call run --rm --quiet -v $volume:/mnt busybox touch /mnt/below/deeper/file
is "kernels: and otherwise is not" 0 ""
mount -t tmpfs above $volume/below
call run --rm --quiet -v $volume:/mnt:ro busybox touch /mnt/below/file
if older 5.12; then
  has "kernels: where a mount covers another, older ones cannot, and it says so" 125 "cannot change a mount that another one covers.*5\.12"
else
  has "kernels: where a mount covers another, both are" 1 "Read-only file system"
fi
umount $volume/below && umount $volume/below/deeper && umount $volume/below

call run -d --quiet --name fixed --read-only -v $volume:/mnt busybox sleep 1000
call cp /etc/passwd fixed:/root
has "kernels: nothing is copied to a root that is read-only" 125 "'fixed:/root' is read-only"
call stop -t 0 fixed
call cp /etc/passwd fixed:/root
has "kernels: nor when it has ended" 125 "'fixed:/root' is read-only"
call cp /etc/passwd fixed:/mnt
has "kernels: but to its volume" 0 .
call rm fixed
rm -rf $volume

call run --rm --quiet --userns auto busybox true
has "kernels: layers on a file system that cannot map ids are told of" 125 "needs Linux 5\.19"

. ./bundle
own='"namespaces": [{"type": "pid"}, {"type": "mount"}]'
config 'exec true' "$own" ro
sed -i '1s|^{|{"hooks": {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "ls /proc/self/fd >/tmp/open"]}]}, |' $bundle/config.json
oci run --bundle $bundle hooked 7</etc/passwd 8>/tmp/held
status=$status out=$(tr '\n' ' ' </tmp/open)
is "kernels: a hook inherits no descriptors" 0 "0 1 2 3 "

config 'exec grep /mnt /proc/mounts' "$own" ro
sed -i 's|"mounts": \[|&{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "nosuid", "nosymfollow", "size=64k"]}, |' $bundle/config.json
oci run --bundle $bundle unfollowed
has "kernels: a new file system where links are not followed" 0 "tmpfs /mnt tmpfs ro,nosuid,.*nosymfollow"

config 'exec true' "$own" ro
sed -i 's|"mounts": \[|&{"destination": "/mnt", "type": "bind", "source": "/test", "options": ["bind"], "uidMappings": [{"containerID": 0, "hostID": 5, "size": 9}], "gidMappings": [{"containerID": 0, "hostID": 5, "size": 9}]}, |' $bundle/config.json
oci run --bundle $bundle mapped
has "kernels: a mount whose ids cannot be mapped is an error that says since when they can" 1 "cannot map the ids of '/test'.*Linux (5\.12|6\.3)"
rm -rf $bundle /run/oci /tmp/open /tmp/held
