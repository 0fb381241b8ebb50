# Device sets of L0's machine: each adds to the QEMU array and to LOAD, the modules L1 loads.
# Sourced by lab.

SETS="igb igb2 igbnoacs nvme display edu e1000e multifn bigbar netdevsim none"

PORT=0
# One root port for each device, as on real boards: a function alone behind its port has an IOMMU
# group of its own. Sets $port to the new port's id.
root_port() {
	PORT=$((PORT + 1))
	port=rp$PORT
	QEMU+=(-device "pcie-root-port,id=$port,chassis=$PORT,slot=$PORT")
}

add_igb() {
	root_port
	QEMU+=(-netdev user,id=n0 -device "igb,bus=$port,netdev=n0,id=nic0")
	LOAD+=" igb"
}

# Two NICs and the world on one segment: VF to VF over the wire, VLANs.
add_igb2() {
	QEMU+=(-netdev user,id=n0 -netdev hubport,id=h0,hubid=0,netdev=n0)
	root_port
	QEMU+=(-netdev hubport,id=h1,hubid=0 -device "igb,bus=$port,netdev=h1,id=nic0")
	root_port
	QEMU+=(-netdev hubport,id=h2,hubid=0 -device "igb,bus=$port,netdev=h2,id=nic1")
	LOAD+=" igb"
}

# Behind a port that forwards between functions unseen by the IOMMU: PF and VFs are one group.
add_igbnoacs() {
	add_igb
	local i
	for i in "${!QEMU[@]}"; do
		case ${QEMU[i]} in pcie-root-port,id=$port,*) QEMU[i]+=,disable-acs=on ;; esac
	done
}

add_nvme() {
	truncate -s 64M "$LOG/nvme.img"
	root_port
	QEMU+=(-device nvme-subsys,id=ss0
		-device "nvme,serial=fairlead0,subsys=ss0,id=nvme0,bus=$port,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4,max_ioqpairs=10,msix_qsize=9"
		-drive "file=nvme.img,if=none,id=d0,format=raw"
		-device nvme-ns,drive=d0,bus=nvme0,nsid=1,shared=on)
	LOAD+=" nvme"
}

add_display() {
	root_port
	QEMU+=(-device "bochs-display,id=gpu0,bus=$port,vgamem=64M")
}

# edu does DMA and raises INTx or MSI when told to: faults on purpose.
add_edu() {
	root_port
	QEMU+=(-device "edu,id=edu0,bus=$port")
}

add_e1000e() {
	root_port
	QEMU+=(-netdev user,id=n1 -device "e1000e,bus=$port,netdev=n1,id=nic2")
	LOAD+=" e1000e"
}

# Three functions of one device and no ACS between them: one IOMMU group.
add_multifn() {
	root_port
	QEMU+=(-netdev user,id=n2
		-device "e1000e,bus=$port,addr=0.0,multifunction=on,netdev=n2,id=mf0"
		-device "edu,bus=$port,addr=0.1,id=mf1"
		-device "edu,bus=$port,addr=0.2,id=mf2")
	LOAD+=" e1000e"
}

# A 64-bit BAR larger than all RAM, as GPUs have.
add_bigbar() {
	truncate -s 64G "$LOG/bigbar.img"
	root_port
	QEMU+=(-object "memory-backend-file,id=big0,mem-path=bigbar.img,size=64G,share=on"
		-device "ivshmem-plain,memdev=big0,bus=$port,id=bigbar0")
}

add_netdevsim() {
	[ "${OPT[iommufd]}" = yes ] ||
		die "netdevsim is built with iommufd's modules: not with --no-iommufd or kernel 6.1"
	LOAD+=" netdevsim"
}

add_none() { :; }

add_devices() { # SET,SET...
	local set
	for set in ${1//,/ }; do
		case " $SETS " in
		*" $set "*) "add_$set" ;;
		*) die "no device set \"$set\"; there are: $SETS" ;;
		esac
	done
}
