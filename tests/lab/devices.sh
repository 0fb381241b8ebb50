# Device sets of L0's machine: each adds to the QEMU array and to LOAD, the modules L1 loads.
# Sourced by lab.

SETS="igb igb2 igbnoacs igbpair nvme nvmewide nvmecmb display bigdisplay display2 card virtiogpu edu edu2"
SETS+=" e1000e e1000 rtl8139 pcnet serial virtiolegacy multifn usb xhci xhcimsi hda doorbell"
SETS+=" shm shm1g shm8g bigbar netdevsim numa2 none"

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

# Two PFs of one card. Linux takes the 82576's functions for isolated: two groups.
add_igbpair() {
	root_port
	QEMU+=(-netdev user,id=p0 -device "igb,bus=$port,addr=0.0,multifunction=on,x-pcie-ari-nextfn-1=on,netdev=p0,id=pair0"
		-netdev user,id=p1 -device "igb,bus=$port,addr=0.1,multifunction=on,netdev=p1,id=pair1")
	LOAD+=" igb"
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

# nvme_disk ID PROPERTIES: one controller with a disk of 64 MiB, nothing in it, in the log folder.
nvme_disk() {
	rm -f "$LOG/$1.img"
	truncate -s 64M "$LOG/$1.img"
	root_port
	QEMU+=(-drive "file=$1.img,if=none,id=d-$1,format=raw"
		-device "nvme,serial=$1,id=$1,drive=d-$1,bus=$port,$2")
	LOAD+=" nvme"
}

# 64 queues with a vector each; the table behind the registers in BAR 0.
add_nvmewide() { nvme_disk nvme1 max_ioqpairs=64,msix_qsize=65; }
# The table in a BAR of its own, and 16 MiB of memory on board in BAR 2.
add_nvmecmb() { nvme_disk nvme2 cmb_size_mb=16,msix-exclusive-bar=on; }

# Two nodes with half of L1's memory and one of its two CPUs each.
add_numa2() {
	local i half=$((${OPT[mem]%G} * 512))
	for i in 0 1; do
		QEMU+=(-object "memory-backend-ram,id=host$i,size=${half}M" -numa "node,nodeid=$i,memdev=host$i,cpus=$i")
	done
	QEMU+=(-numa dist,src=0,dst=1,val=17)
}

add_display() {
	root_port
	QEMU+=(-device "bochs-display,id=gpu0,bus=$port,vgamem=64M")
}

add_bigdisplay() {
	root_port
	QEMU+=(-device "bochs-display,id=gpu1,bus=$port,vgamem=256M")
}

# The same driver's other device: its registers lie in the middle of a page.
add_display2() {
	root_port
	QEMU+=(-device "secondary-vga,id=gpu2,bus=$port,vgamem_mb=16")
}

# A graphics card: a display, and its sound in the same slot and IOMMU group. Neither has a reset of its own.
add_card() {
	root_port
	QEMU+=(-device "bochs-display,id=card0,bus=$port,addr=0.0,multifunction=on,vgamem=16M" -audiodev none,id=cardmute
		-device "intel-hda,bus=$port,addr=0.1,id=card1" -device hda-duplex,bus=card1.0,audiodev=cardmute)
}

add_virtiogpu() {
	root_port
	QEMU+=(-device "virtio-gpu-pci,id=gpu3,bus=$port,iommu_platform=on")
}

# edu does DMA and raises INTx or MSI when told to: faults on purpose.
add_edu() {
	root_port
	QEMU+=(-device "edu,id=edu0,bus=$port,dma_mask=0xffffffffff")
}

add_edu2() {
	add_edu
	root_port
	QEMU+=(-device "edu,id=edu1,bus=$port,dma_mask=0xffffffffff")
}

# nic DRIVER ID MODULE: one with the world behind it, alone on its port. Conventional PCI devices sit
# there as Express ones do: QEMU lets them, and so each has an IOMMU group of its own.
nic() {
	root_port
	QEMU+=(-netdev "user,id=net-$2" -device "$1,bus=$port,netdev=net-$2,id=$2")
	LOAD+=" $3"
}

# MSI-X, AER, and a ROM of 256 KiB.
add_e1000e() { nic e1000e nic2 e1000e; }
# INTx alone; e1000's driver uses its memory BAR, 8139cp too, pcnet32 the ports of its BAR 0.
add_e1000() { nic e1000 e1000 e1000; }
add_rtl8139() { nic rtl8139 rtl8139 8139cp; }
add_pcnet() { nic pcnet pcnet pcnet32; }

# No DMA, one port BAR of 8 bytes, INTx. What the guest sends lies in the log folder.
add_serial() {
	root_port
	QEMU+=(-chardev "file,id=pciser,path=pci-serial.log" -device "pci-serial,chardev=pciser,bus=$port,id=ser0")
}

# Ports and INTx; but its DMA goes around the IOMMU, straight to L1's RAM: only look at it (README).
add_virtiolegacy() {
	root_port
	QEMU+=(-device "virtio-rng-pci,disable-modern=on,disable-legacy=off,bus=$port,id=leg0")
}

# Three functions of one device and no ACS between them: one IOMMU group.
add_multifn() {
	root_port
	QEMU+=(-netdev user,id=n2
		-device "e1000e,bus=$port,addr=0.0,multifunction=on,netdev=n2,id=mf0"
		-device "edu,bus=$port,addr=0.1,dma_mask=0xffffffffff,id=mf1"
		-device "edu,bus=$port,addr=0.2,dma_mask=0xffffffffff,id=mf2")
	LOAD+=" e1000e"
}

# A USB 2 controller with its companions: four functions of one device, ports and memory, INTx, and
# no reset of their own. A disk hangs on it.
add_usb() {
	root_port
	QEMU+=(-device "ich9-usb-ehci1,bus=$port,addr=0.7,multifunction=on,id=ehci0"
		-device "ich9-usb-uhci1,bus=$port,addr=0.0,multifunction=on,masterbus=ehci0.0,firstport=0,id=uhci0"
		-device "ich9-usb-uhci2,bus=$port,addr=0.1,masterbus=ehci0.0,firstport=2,id=uhci1"
		-device "ich9-usb-uhci3,bus=$port,addr=0.2,masterbus=ehci0.0,firstport=4,id=uhci2")
	usb_disk ehci0.0
}

# MSI-X table and PBA in the BAR that has the registers; or MSI instead.
add_xhci() {
	root_port
	QEMU+=(-device "qemu-xhci,bus=$port,id=xhci0,msi=off,msix=on")
	usb_disk xhci0.0
}

add_xhcimsi() {
	root_port
	QEMU+=(-device "qemu-xhci,bus=$port,id=xhci1,msi=on,msix=off")
	usb_disk xhci1.0
}

# usb_disk BUS: 4 MiB of numbered lines, anew in each run.
usb_disk() {
	local image=${1%.0}.img
	awk 'BEGIN { for (i = 0; i < 524288; i++) printf "%07d\n", i }' >"$LOG/$image"
	QEMU+=(-drive "file=$image,if=none,id=disk-$1,format=raw" -device "usb-storage,bus=$1,drive=disk-$1")
}

# Sound: one MSI vector, or INTx.
add_hda() {
	root_port
	QEMU+=(-audiodev none,id=mute -device "intel-hda,bus=$port,id=hda0" -device hda-duplex,bus=hda0.0,audiodev=mute)
}

# Registers in a BAR of 256 bytes, MSI-X in one of its own; its doorbell raises its own vectors, 0 to
# 7, when the guest names itself: peer 0.
add_doorbell() {
	python3 "$LAB_DIR/ivshmem-peer.py" "$LOG/ivshmem.sock" $((16 << 20)) 8
	root_port
	QEMU+=(-chardev "socket,id=shmpeer,path=ivshmem.sock"
		-device "ivshmem-doorbell,vectors=8,chardev=shmpeer,bus=$port,id=bell0")
}

# shm_file ID SIZE: a 64-bit prefetchable BAR of that size, backed by a file in the log folder.
shm_file() {
	rm -f "$LOG/$1.img"
	truncate -s "$2" "$LOG/$1.img"
	root_port
	QEMU+=(-object "memory-backend-file,id=mem-$1,mem-path=$1.img,size=$2,share=on"
		-device "ivshmem-plain,memdev=mem-$1,bus=$port,id=$1")
}

add_shm() { shm_file shm 16M; }
add_shm1g() { shm_file shm1g 1G; }
add_shm8g() { shm_file shm8g 8G; }
# Larger than all RAM, as GPUs have.
add_bigbar() { shm_file bigbar 64G; }

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
