# A host that systemd runs: a whole Debian (setup-debian.sh) beside L1's own root, with what `make install` puts in
# place. Its process 1, its /run and its control groups are its own; kernel, devices, /sys and network are L1's.
# Sourced by scenarios after lib-fairlead.sh.
#
#   sd_make                  its root, with our programs, units and rules installed; SD_ROOT
#   sd_boot                  systemd begins, and has started all it should; nothing has failed
#   sd_boot_begin, sd_booted its two halves
#   sd COMMAND...            there
#   sd_off                   it is shut down, in good order
#   sd_show UNIT PROPERTY    as systemd has it
#   sd_before UNIT PROPERTY UNIT PROPERTY    the one time stamp is not later than the other
#   sd_log ARGS...           its journal
#
# The kernel goes on when that systemd is shut down: what a reboot takes away is the scenario's to take away.

DEBIAN=$FAIRLEAD_CACHE/debian
SD_ROOT=/run/systemd-host/root
SD_GROUP=/sys/fs/cgroup/systemd-host
SD_PID=

# The libraries that our programs and those given want and that Debian's smallest system has not.
sd_libraries() { # PROGRAM...
	local lib
	ldd "$@" | sed -nE 's|.* => (/[^ ]+) .*|\1|p' | sort -u | while read -r lib; do
		[ -e "$SD_ROOT$lib" ] || install -D -m 755 "$lib" "$SD_ROOT$lib"
	done
}

sd_make() {
	local dir=${SD_ROOT%/*}
	[ -e "$DEBIAN/root.img" ] || skip "no $DEBIAN; run: tests/lab/setup long"
	modprobe -a loop ext4 overlay
	mkdir -p "$dir"
	mount -t tmpfs sd "$dir"
	mkdir "$dir/image" "$dir/up" "$dir/work" "$SD_ROOT"
	mount -t ext4 -o ro,noload,loop "$DEBIAN/root.img" "$dir/image"
	mount -t overlay -o "lowerdir=$dir/image,upperdir=$dir/up,workdir=$dir/work" sd "$SD_ROOT"
	expect "make install" make -s O="$FL_BUILD" -o all DESTDIR="$SD_ROOT" install
	sd_libraries "$FL_BUILD"/fairlead{,-netd,-vmm}
	: >"$SD_ROOT/etc/fstab" # the image's own disk is not its root here
	# What is of no use without a console of its own, or wants a module that L1 has not.
	expect "mask" systemctl --root="$SD_ROOT" mask getty.target ssh.service systemd-remount-fs.service \
		systemd-binfmt.service proc-sys-fs-binfmt_misc.automount
	expect "sysusers" chroot "$SD_ROOT" systemd-sysusers
}

# In namespaces of its own, and its control group: as a container's manager does it, and no more than that.
sd_become() {
	mount --make-rprivate /
	mount -t proc proc "$SD_ROOT/proc"
	mount -t sysfs sysfs "$SD_ROOT/sys"
	mount -t cgroup2 cgroup2 "$SD_ROOT/sys/fs/cgroup"
	mount --rbind /dev "$SD_ROOT/dev"
	mount --bind /dev/null "$SD_ROOT/dev/console"
	mount -t tmpfs -o mode=755 run "$SD_ROOT/run"
	mount --rbind /usr/lib/modules "$SD_ROOT/usr/lib/modules"
	cd "$SD_ROOT" || exit
	pivot_root . .
	umount -l .
	exec env -i PATH=/usr/sbin:/usr/bin container=lab /lib/systemd/systemd --show-status=no
}

sd_started() { [ -n "$(pgrep -P "$SD_UNSHARE")" ]; }
sd_state() { sd systemctl is-system-running 2>/dev/null || true; }
sd_is() { [[ " $1 " == *" $(sd_state) "* ]]; } # STATES
# Its last words, and what has failed.
sd_complaints() {
	sd systemctl --failed --no-legend --plain
	sd_log -p warning -n 30
}

sd_boot_begin() {
	mkdir -p "$SD_GROUP"
	(
		echo "$BASHPID" >"$SD_GROUP/cgroup.procs"
		export -f sd_become
		export SD_ROOT
		exec unshare --pid --fork --mount --cgroup --uts --ipc bash -ec sd_become
	) </dev/null >>"$LAB_LOG/systemd.log" 2>&1 &
	SD_UNSHARE=$!
	wait_for 10 "process 1" sd_started
	SD_PID=$(pgrep -P "$SD_UNSHARE")
	at_end sd_kill
}

sd_booted() {
	wait_for 300 "end of the boot ($LAB_LOG/systemd.log)" sd_is "running degraded"
	sd_is running || fail "not all has started: $(sd_complaints)"
}

sd_boot() {
	sd_boot_begin
	sd_booted
}

sd() { nsenter -t "$SD_PID" -m -u -i -p -C -r -w -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin TERM=dumb "$@"; }
sd_show() { sd systemctl show -p "$2" --value "$1"; } # UNIT PROPERTY
sd_log() { sd journalctl --no-pager -q "$@"; }

sd_before() { # UNIT PROPERTY UNIT PROPERTY
	local a b
	a=$(sd_show "$1" "$2Monotonic")
	b=$(sd_show "$3" "$4Monotonic")
	((a > 0 && a <= b)) || fail "$1 $2 at $a, $3 $4 at $b: not before it"
}

sd_kill() { [ -z "$SD_PID" ] || kill -9 "$SD_PID" 2>/dev/null || true; }

sd_gone() { ! kill -0 "$SD_UNSHARE" 2>/dev/null; }
sd_off() {
	# As a container's manager asks for it: SIGRTMIN+4.
	kill -RTMIN+4 "$SD_PID"
	wait_for 200 "end of systemd" sd_gone
	wait "$SD_UNSHARE" || true
	SD_PID=
	# The kernel's boot id is as before; to the daemon the next one is another boot.
	echo another >"$SD_ROOT/var/lib/fairlead/boot"
}
