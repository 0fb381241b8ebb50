# netdevsim is no PCI function. So netd is shown a tree in which it is one; netlink is the kernel's own, and what is set is
# read there. Sourced after lib-fairlead.sh.
#
#   sim_root VFS    makes ROOT, with the physical function PF and that many VFs of it, none of them there yet
#   sim_device      makes the device SIM (DEV for devlink), and says what its interface is called
#   sim_switch VFS  sim_root, with SIM's own files for what is written; VFs come and go as their number does
#   rep VF          the name that the kernel's port of it has
#
# POLICY's beginning and parts that are alike, and what is done with it:
#
#   sim_switch_policy     the switch, in switchdev mode with three VFs; what more there is to say of it comes by standard input
#   sim_three_nics X Y    a pool of those, and the guest `demo` with nics of them in the networks X, Y and none
#   apply FILE            it is done; actions FILE says what it would do

ROOT=/tmp/root
PF=0000:7e:00.0
SIM=/sys/bus/netdevsim/devices/netdevsim1
DEV=netdevsim/netdevsim1

sim_root() { # VFS
	local d=$ROOT/sys/bus/pci/devices i
	mkdir -p "$d/$PF" "$ROOT/sys/bus/pci/drivers/netdevsim"
	ln -s /proc /dev "$ROOT"
	ln -s /sys/class /sys/kernel /sys/module "$ROOT/sys"
	echo "$1" >"$d/$PF/sriov_totalvfs"
	ln -s ../../drivers/netdevsim "$d/$PF/driver"
	for ((i = 0; i < $1; i++)); do
		mkdir "$d/0000:7e:10.$i"
		ln -s "../$PF" "$d/0000:7e:10.$i/physfn"
	done
	for i in "$d"/*; do
		echo 0x1d0f >"$i/vendor"
		echo 0x0001 >"$i/device"
		echo 0x020000 >"$i/class"
	done
}

sim_device() {
	echo "1 1" >/sys/bus/netdevsim/new_device
	ls "$SIM/net"
}

sim_switch() { # VFS
	local pf=$ROOT/sys/bus/pci/devices/$PF
	sim_root "$1"
	ln -s "$SIM/sriov_numvfs" "$SIM/net" "$pf"
	echo 0 >"$pf/sriov_drivers_autoprobe"
	sim_follow "$1" &
	at_end kill $!
}
# netd gives up after 5 s: so as few processes as may be, for a machine that is busy.
sim_follow() { # VFS
	local d=$ROOT/sys/bus/pci/devices/$PF n i
	while :; do
		read -r n <"$SIM/sriov_numvfs"
		for ((i = 0; i < $1; i++)); do
			if [ "$i" -ge "$n" ]; then
				[ ! -L "$d/virtfn$i" ] || rm "$d/virtfn$i"
			elif [ ! -L "$d/virtfn$i" ]; then
				ln -s "../0000:7e:10.$i" "$d/virtfn$i"
			fi
		done
		sleep 0.05
	done
}

rep() { # VF
	devlink -j port | jq -r ".port | to_entries[] | select((.key | startswith(\"$DEV/\")) and .value.flavour == \"pcivf\" and .value.vfnum == $1) | .value.netdev"
}

sim_switch_policy() {
	cat <<-YAML
		version: 1
		host: { mode: observe }
		nics:
		  - name: sim0
		    match: { pci: "$PF" }
		    virtual-function-count: 3
		    embedded-switch-mode: switchdev
	YAML
	cat
}

sim_three_nics() { # NETWORK NETWORK
	cat <<-YAML
		pools:
		  - { name: sim, functions: ["sim0#0-2"], mac: { prefix: "02:5a:10" } }
		guests:
		  - name: demo
		    memory: 512M
		    kernel: /boot/vmlinuz
		    nics:
		      - { name: a, pool: sim, network: $1 }
		      - { name: b, pool: sim, network: $2 }
		      - { name: c, pool: sim }
	YAML
}

apply() { "$FAIRLEAD" apply "$1" >"$LAB_LOG/apply" 2>&1 || fail "$(cat "$LAB_LOG/apply")"; }
actions() { "$FAIRLEAD" -j plan "$1" | jq -r '[.actions[].op] | join(" ")'; }
