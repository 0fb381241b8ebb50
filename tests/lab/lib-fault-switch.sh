# What lib-fault.sh strikes, but of a switch: netdevsim's mode, parameters, rate groups and ports, a bridge with VLANs
# and a tenant's network over VXLAN. Sourced after lib-fault.sh and lib-netdevsim.sh.

# All that an apply changes, but what the kernel draws anew each time (ports' names, indices and MACs) or counts.
machine() {
	cat "$SIM/sriov_numvfs"
	devlink dev eswitch show "$DEV"
	devlink dev param show "$DEV" name max_macs
	devlink -j port | jq -cS '.port | map_values(del(.netdev))'
	devlink port function rate | sort
	ip -d link show dev "$sim_ifname" | kernel_draws
	ip -j -d link | jq -cS '[.[] | select(.ifname | test("^(br-|vx|eth|fl)")) | {ifname, master, mtu, ifalias, up: (.flags | index("UP") != null),
		kind: .linkinfo.info_kind, id: .linkinfo.info_data.id, filtering: .linkinfo.info_data.vlan_filtering}] | sort_by(.ifname)'
	bridge vlan show
	bridge fdb show 2>/dev/null | grep '^00:00:00:00:00:00' || true
}
kernel_draws() { sed -E 's/^[0-9]+: //; s/ state [A-Z]*//; s/ qdisc [a-z]*//; s/ [a-z_]*timer +[0-9.]+//g'; }

fault_world() {
	modprobe -a bridge veth vxlan
	sim_ifname=$(sim_device)
	ip link set "$sim_ifname" up
	ip link add br-fast address 02:5a:11:00:00:01 type bridge # else it has the least of its ports
	ip link set br-fast up
	ip link add under type bridge
	ip addr add 192.0.2.1/24 dev under
	ip link set under up
	sim_switch 4
	FAULT_ARGS=(--root "$ROOT")
	{
		sim_switch_policy "reconcile: { $FAULT_QUIET }" <<-YAML
			    devlink-params:
			      - { name: max_macs, value: 48, cmode: driverinit }
			    rate-groups:
			      - { name: gold, tx-share: 1gbit, tx-max: 2gbit }
			    bridge: { type: linux, name: br-fast, vlan-filtering: true }
			networks:
			  - { name: trunk, vlan: { trunk: [10, 20-29], native: 10 } }
			  - name: blue
			    bridge: br-blue
			    overlay: { type: vxlan, id: 100, local: 192.0.2.1, remote: [192.0.2.2] }
			overrides:
			  - nic: sim0
			    vfs: [{ id: 0, rate-group: gold }]
		YAML
		sim_three_nics trunk blue
	} >"$POLICY"
}
