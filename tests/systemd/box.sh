#!/bin/bash
# Becomes systemd, PID 1 of a box: see box.py. To be run in a mount namespace in which $BOX is a
# tmpfs with the folders up, work and root, and below a cgroup of its own.
set -euo pipefail
root=$BOX/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$BOX/up,workdir=$BOX/work" "$root"
mkdir -p "$root"/{proc,sys,dev,run,tmp}
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
for each in sys sysrq-trigger irq; do
  [ -e "$root/proc/$each" ] || continue
  mount --bind "$root/proc/$each" "$root/proc/$each"
  mount -o remount,bind,ro "$root/proc/$each"
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root"/dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
: > "$root/etc/fstab"
[ -s "$root/etc/machine-id" ] || echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
ip link set lo up 2> /dev/null || true

# No more than a service needs: the bus, the journal, and what was enabled in the box.
units=$root/run/systemd/system
mkdir -p "$units" "$root/run/systemd/journald.conf.d"
cat > "$units/box.target" << END
[Unit]
Requires=basic.target dbus.socket systemd-journald.service
After=basic.target dbus.socket
AllowIsolate=yes
Wants=multi-user.target
END
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' > "$units/multi-user.target"
printf '[Journal]\nStorage=persistent\nForwardToConsole=no\nRateLimitBurst=0\nSystemMaxUse=64M\n' \
  > "$root/run/systemd/journald.conf.d/box.conf"
find "$root/etc/systemd/system/multi-user.target.wants" -type l ! -name 'pairvisor*' -delete
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket \
  systemd-udevd-kernel.socket systemd-timesyncd.service systemd-networkd.service \
  systemd-resolved.service systemd-update-done.service systemd-remount-fs.service \
  systemd-binfmt.service systemd-modules-load.service systemd-hwdb-update.service \
  systemd-random-seed.service systemd-boot-system-token.service systemd-firstboot.service \
  systemd-journal-catalog-update.service systemd-sysctl.service ldconfig.service apparmor.service \
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  sys-kernel-config.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount \
  keyboard-setup.service console-setup.service systemd-logind.service getty.target \
  timers.target paths.target; do
  ln -sf /dev/null "$units/$unit"
done
: > "$root/dev/console"
mount --bind "$BOX/console" "$root/dev/console"
cd "$root"
mkdir -p run/before
pivot_root . run/before
umount -l /run/before
# As systemd does where it is no container's: what it mounts for a service's credentials is seen.
mount --make-rshared /
exec env -i PATH=/usr/sbin:/usr/bin container=box LANG=C.UTF-8 \
  setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-syslog,-mac_admin,-mac_override \
  /lib/systemd/systemd --system --unit=box.target --show-status=no --log-target=console \
  --default-standard-output=journal
