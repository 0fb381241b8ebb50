# netdevsim is no PCI function. So netd is shown a tree in which it is one; netlink is the kernel's own, and what is set is
# read there. Sourced after lib-fairlead.sh.
#
#   sim_root VFS    makes ROOT, with the physical function PF and that many VFs of it, none of them there yet
#   sim_device      makes the device SIM (DEV for devlink), and says what its interface is called
#   sim_switch VFS  sim_root, with SIM's own files for what is written; VFs come and go as their number does
#   rep VF          the name that the kernel's port of it has
#   sim_ovs         Open vSwitch is found below ROOT, too; skips the scenario where it is not installed
#   ovs_start       it runs
#
# POLICY's beginning and parts that are alike:
#
#   sim_switch_policy [HOST]   the switch, in switchdev mode with three VFs; what more there is to say of it comes by
#                         standard input. HOST: of netd; else it is only to observe
#   sim_three_nics X Y    a pool of those, and the guest `demo` with nics of them in the networks X, Y and none
#
# A plan's commands are for a PCI function: by_hand POLICY "$SIM_NAMES" says them of SIM.

ROOT=/tmp/root
PF=0000:7e:00.0
SIM=/sys/bus/netdevsim/devices/netdevsim1
DEV=netdevsim/netdevsim1
SIM_NAMES="s|pci/$PF|$DEV|g; s|/sys/bus/pci/devices|$ROOT&|g"

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

sim_ovs() {
	command -v ovs-vswitchd ovsdb-server ovs-vsctl >/dev/null || skip "openvswitch-switch is not installed"
	modprobe openvswitch
	ln -s /usr /var /run "$ROOT"
}
ovs_start() {
	mkdir -p /run/openvswitch
	ovsdb-tool create /run/ovs.db /usr/share/openvswitch/vswitch.ovsschema
	ovsdb-server /run/ovs.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach --log-file="$LAB_LOG/ovsdb.log"
	ovs-vsctl --no-wait init
	ovs-vswitchd --pidfile --detach --log-file="$LAB_LOG/vswitchd.log"
}

sim_switch_policy() { # [HOST]
	cat <<-YAML
		version: 1
		host: { ${1:-mode: observe} }
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
