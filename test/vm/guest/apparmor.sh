# AppArmor in force: what it lets a program read tells whether its profile was set.
[ -e /sys/kernel/security/apparmor ] || mount -t securityfs securityfs /sys/kernel/security
cat >/tmp/profile <<'END'
profile guarded flags=(attach_disconnected) {
  file, capability, network, signal, umount,
  deny mount,
  deny /etc/passwd r,
}
END
/usr/sbin/apparmor_parser --skip-cache --replace /tmp/profile >/tmp/out 2>&1
status=$? out=$(cat /tmp/out) err=
has "apparmor: a profile is loaded" 0 ""
own_profile='cat /proc/self/attr/current'

call run --rm --quiet busybox sh -c "$own_profile"
is "apparmor: without a profile a container has none" 0 unconfined
call run --rm --quiet --security-opt apparmor=guarded busybox sh -c "$own_profile && cat /etc/passwd"
has "apparmor: a container has the profile that it was given" 1 "^guarded \(enforce\)"
has "apparmor: which is enforced" 1 "/etc/passwd.*Permission denied"
call run --rm --quiet --privileged --security-opt apparmor=guarded busybox mount -t tmpfs none /tmp
has "apparmor: also for one that is privileged" 255 "permission denied"
call run --rm --quiet --security-opt apparmor=missing busybox true
has "apparmor: a profile that is not loaded is an error that says so" 125 "AppArmor profile 'missing' cannot be set.*is it loaded"

call run -d --quiet --name armored --security-opt apparmor=guarded busybox sleep 1000
call exec armored sh -c "$own_profile"
is "apparmor: exec takes the container's profile" 0 "guarded (enforce)"
call stop -t 5 armored
call start armored
call exec --privileged armored sh -c "$own_profile"
is "apparmor: so it is after another start, for an exec with more rights, too" 0 "guarded (enforce)"
call rm -f armored

. ./bundle
users='"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 1000}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 1000}]'
chown -R 100000:100000 $bundle/rootfs
config 'exec sleep 1000' "$users" ro
sed -i 's/"cwd"/"apparmorProfile": "guarded", "noNewPrivileges": true, "cwd"/' $bundle/config.json
oci run --detach --bundle $bundle armored
oci exec armored sh -c "$own_profile && cat /etc/passwd"
has "apparmor: oci: the profile of config.json holds in a user namespace" 1 "^guarded \(enforce\)"
has "apparmor: oci: and is enforced" 1 "/etc/passwd.*Permission denied"
oci exec --apparmor missing armored true
has "apparmor: oci: exec with one that is not loaded is refused" 255 "AppArmor profile 'missing' cannot be set"
oci delete --force armored
sed -i 's/guarded/missing/' $bundle/config.json
oci create --bundle $bundle armored
has "apparmor: oci: so is create" 1 "AppArmor profile 'missing' cannot be set"
rm -rf $bundle /run/oci
umount /sys/kernel/security
