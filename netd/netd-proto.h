/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_PROTO_H
#define FL_NETD_PROTO_H

/*
 * netd-proto: what netd and its clients say to one another. The only header
 * that the privileged daemon shares with the command and with the VMM.
 *
 * Transport: a UNIX SOCK_SEQPACKET socket. One datagram is one JSON object
 * of at most NETD_MSG_MAX bytes; a reply that is longer comes as a sealed
 * memfd, announced by {"body": "memfd"} as the first descriptor. Peers are
 * known by SO_PEERCRED. Each connection has one request under way at a time.
 *
 * Request   {"version": 1, "verb": "...", ...}
 * Reply     {"version": 1, "ok": true, ...}
 *        or {"version": 1, "ok": false, "error": {"code": 122, "errno": 16,
 *            "what": "...", "why": "...", "mend": "..."},
 *            "errors": [{"line", "column", + the fields above} ...]}
 *           (of a policy of several files with "file", too)
 *           ("errors" only for a policy; "error" is then the first of them)
 *
 * verb     who             request                   reply
 * status   anyone          -                         see docs/netd.md: "host",
 *                                                    "pfs", "leases",
 *                                                    "journal"
 * guests   anyone          -                         "guests", in the policy's
 *                                                    order: {"guest", "boot":
 *                                                    "auto" or "manual",
 *                                                    "running"}
 * metrics  anyone          -                         see docs/integration.md:
 *                                                    what is counted, and
 *                                                    "listen", where the
 *                                                    policy has it
 * plan     anyone          policy as sealed memfd;   "actions", a list of
 *                          none: the one applied     {"op", "text", "command",
 *                                                    "disruption"}; "at-start":
 *                                                    {"guest", "text",
 *                                                    "command"}, what netd
 *                                                    makes with a guest
 *                          "early": as apply         "waits": as apply;
 *                                                    "confirm-within": of an
 *                                                    apply, if any
 * record   root            -                         the descriptor
 *                                                    "inventory": the machine
 *                                                    for `plan --sim`
 *                                                    (policy.h)
 * apply    root            policy as sealed memfd,   "done": how many of the
 *                          "file": name for people;  "actions" were done;
 *                          "force": true for what    "confirm-within": where
 *                          another program owns;     it is to be confirmed
 *                          "confirm-within": seconds
 *                          (0 = it need not be);
 *                          "allow-disruption":
 *                          "none", "none-in-use",
 *                          "allow"; "early": true    "waits": bridges for whose
 *                          where what waits for the  sake something is left
 *                          network is to be left
 * confirm  root            -                         "file"
 * restore  root            -                         as apply
 * history  root or group   "entry": its number;      "entries", newest first;
 *                          none: all                 or "entry": the one, as
 *                                                    in netd/history.h
 * lease    root or group   "guest": name, "log":     the lease below, with
 *          fairlead        true for a log of it      descriptors
 *
 * attach   as lease        "guest", "device": names  "guest", "device",
 * detach   as lease        the same, and "now": true "forced": the guest did
 *                          not to ask the guest      not let go in time
 * failover as lease        "guest", "device": nic,   as attach's or detach's;
 *                          "way": "cycle", "to-      "already": it was so, and
 *                          standby" or "back"; or    nothing was done;
 *                          "now", as detach;         "warnings": which VF is
 *                          "function": address of    in place of which, why
 *                          the VF to have
 * query    as lease        "guest"                   the VMM's "state", below
 * log      as lease        "guest"                   "guest", "text": what its
 *                                                    VMM said last, "running"
 *
 * borrow   as lease        "pool"; "holder": name,   the loan below, with
 *                          "device": address of one  descriptors
 *                          VF, "attributes": below,
 *                          "numa": memory node,
 *                          "pcie-root": root port,
 *                          that it is to be at
 * return   who borrowed,   "holder", "generation"    "released": bool,
 *          or root                                   "holder", "device",
 *                                                    "pool", "state",
 *                                                    "warnings"
 * scrub    root            "device": address         "functions"
 *
 * attach, detach, failover and query are answered when the guest's VMM has
 * answered, or at a deadline (FL_NETD_VMM); an answer that comes later still
 * counts.
 *
 * Where the failed apply or restore was undone, "undo" says how that went:
 * {"ok": true} or {"ok": false, "error": {...}}.
 *
 * A connection that holds a lease takes no further request (FL_NETD_DENIED;
 * the lease stays): whoever has it now need not be who connected.
 *
 * A lease lasts as long as the connection it was given on. Whoever holds the
 * connection's last descriptor holds the lease: `fairlead run` hands it to
 * the VMM, and a VMM that dies, however it dies, gives everything back.
 *
 * The lease
 *   {"version": 1, "ok": true,
 *    "guest":   {"name", "cpus", "memory" (bytes), "cmdline"},
 *    "backend": "iommufd" | "group",
 *    "devices": [{"name": "wan", "bdf": "0000:01:10.0", "group": 12,
 *                 "mac": "02:..", "vlan": 100, "slot": 1}],
 *    "fds":     ["kvm", "kernel", "initrd", "iommu", "device:wan", ...],
 *    "memlock": bytes that netd let the holder pin (RLIMIT_MEMLOCK)}
 *   "fds" names the descriptors of the datagram in their order; "initrd" is
 *   left out when the guest has none; "unpacked" is what is compressed in
 *   "kernel", where netd has that (kernels.h). "iommu" is /dev/iommu or
 *   /dev/vfio/vfio; "device:NAME" the VFIO cdev, or the group. A guest
 *   without a device has neither, and no "backend". "control" is a socket that
 *   listens at NETD_GUESTS/NAME.sock beside netd's own; netd removes that
 *   name when the lease ends.
 *   With "log" in the request one of the descriptors is "log": a textring
 *   (base/base.h) for the VMM's standard error. The command takes it out of
 *   the lease, and puts it there.
 *   "warnings": [text] may be present. "unpack": true: the kernel is not
 *   decompressed yet, and will be for the next lease.
 *   Functions of one slot are called NAME and NAME:F; the slot goes by NAME.
 *   Of a device also, where it is not the usual: "function" (0), the number
 *   in its slot; "rom": "none", or a descriptor "rom:NAME" with the file to be
 *   shown instead of the device's own; "on_dma_fault" ("go-on"), what netd
 *   is to ask for when the device's DMA was refused.
 *   Of the guest also: "spare_slots" (empty root ports for hot plug, at the
 *   lowest device numbers that no device of the lease has),
 *   "page" (bytes; 0 = THP), "prefault" (bool), "on_panic" ("stop",
 *   "reset"; else the guest's own affair), "interrupt_limit" (a second
 *   and vector, with the descriptor "interrupts": /proc/interrupts).
 *   Of its CPUs: "sockets", "cores", "threads" (all three or none),
 *   "apic_id_shift" (0), "pin" and "emulator" ([CPU of the host ...]), "fifo"
 *   (SCHED_FIFO's priority, for which RLIMIT_RTPRIO was raised),
 *   "halt_poll_ns" (else the kernel's own).
 *   And "nodes" of its memory, in the order of its addresses: {"size" (bytes),
 *   "cpus": [vCPU ...], "host": the node of the host that it is from (absent:
 *   any), "distances": [to each node; 0 = not known]}, which are told to the
 *   guest from two on; "pci_node": which of these is near the devices;
 *   "prefer_nodes" (bool): where such a node has not that
 *   much, others may serve; "lock" (bool): mlock; "smbios": {"manufacturer",
 *   "product", "version", "serial", "uuid" (lower case)}.
 *   Devices that the VMM itself is, each with a "slot" of its own:
 *     "disks": [{"name", "slot", "read_only", "direct", "serial", "path"}],
 *      each with a descriptor "disk:NAME"; "direct": opened with O_DIRECT
 *     "nics": [{"name", "slot", "model": "virtio" | "e1000", "mac", "mtu",
 *      "standby", "pairs", "tap"}], each with descriptors "tap:NAME:N", one a
 *      pair of queues, and "vhost:NAME:N" where the kernel is to serve it
 *     "vsock": {"slot", "cid"} with the descriptor "vsock"
 *     "rng": {"slot"}, "vconsole": {"slot"}
 *     "watchdog": {"slot", "action": "reset" | "stop" | "dump" | "ignore"},
 *      with the descriptor "core" for dump: an empty file
 *   "path" and "tap" (the interface's name) are for messages: the VMM opens
 *   neither.
 *
 * A loan: a VF of a pool for a program that is no guest
 *   {"version": 1, "ok": true, "holder", "generation", "pool",
 *    "device": {"bdf", "pf", "vf", "driver", "ifname" ("" = none),
 *               "attributes": as read back},
 *    "why", "others": this VF, and not others of the pool; for people,
 *    "backend", "fds": ["iommu", "device:vf"]}, both for VFIO only
 *   With "holder" in the request (no '@' at its begin) it lasts until that is
 *   returned, over a restart of netd, too; without one as long as the
 *   connection, and "holder" is a name made up. One holder has one loan.
 *   "attributes" {"mac": "02:..", "vlan": {"id", "qos", "proto": 33024},
 *   "spoof-check": bool, "trust": bool}, each may be left out: that the VF is
 *   to have when it is handed over; what is left out is as a new VF has it.
 *   Also "tx-rate": {"min", "max"} (Mbit/s, 0 = no limit), "query-rss": bool,
 *   "link-state": "auto" | "enable" | "disable". Of these only root states more
 *   than "mac": from others it is refused (FL_NETD_DENIED), as is a MAC that
 *   another function or guest has (FL_NETD_LOAN); what they leave out is as
 *   `overrides` of the policy say of that VF. What is of the switch (a port,
 *   a rate group) or of the nic's budget (vectors) is not a borrower's to say.
 *   A function's generation grows with each lease and loan, and is never used
 *   again: a "return" that names another than the present one does nothing,
 *   answers "released": false, and says so. The same of a holder that has
 *   nothing, so that it may be said twice.
 *   Each lease's VF has a "generation", too. After return, and after a lease,
 *   the VF is scrubbed; "state" is "clean", or "quarantined" where that is not
 *   proved (it is not given away then).
 *   A connection that has a loan takes no request, as one with a lease.
 *
 * On the lease's connection, netd and the VMM talk to one another from then on;
 * each datagram is one object, and what the other does not know it ignores:
 *   netd -> VMM
 *     {"event": "attach", "id", "devices": [as in the lease, one slot's],
 *      "fds": ["device:NAME" ..., "rom:NAME" ...]} and the descriptors; the
 *      VMM opens the first space itself where it had none: "iommu" is then
 *      among them, and "backend" says which
 *      Or, instead of "devices", one device that the VMM itself is: "disks" or
 *      "nics" with one member, "vsock" or "rng", as in the lease, with the
 *      descriptors that it has there
 *     {"event": "detach", "id", "device": NAME, "deadline_ms"}: all of its
 *      slot go. The guest is asked; after the deadline it is not
 *     {"event": "query", "id"}: see the answer
 *     {"event": "dma-fault", "device": NAME, "action": "stop" | "reset" |
 *      "go-on", "text"}
 *   VMM -> netd
 *     {"event": "done", "id", "ok": true, "forced": bool} or {"event": "done",
 *      "id", "ok": false, "error": {code, errno, what, why, mend}}
 *     {"event": "state", "id", "report": the report below, "vectors":
 *      [{"device", "kind": "msix" | "msi" | "intx", "index", "armed",
 *        "throttled", "vcpu" (where its message is a plain one to one vCPU),
 *        "guest_vector", "gsi"}], "vcpus": [thread id ...]}
 *     {"event": "gone", "device": NAME, "reason": "host" | "error" |
 *      "guest" | "control"}: the VMM has let go by itself; netd ends that
 *      part of the lease
 *     {"event": "dark", "device": NAME}: the guest has switched its slot off,
 *      and does not use it any more; once an attach and once a detach at most
 *
 * How the command starts the VMM: descriptors at fixed numbers,
 *   3 the lease as a memfd, 4 the connection to netd, 5 the report (below) or
 *   /dev/null, NETD_VMM_FD0 and up the lease's descriptors in their order.
 *   Descriptors 0, 1, 2 are the console and messages. Nothing else is open.
 *
 * The report: on SIGUSR1 and at exit the VMM writes one JSON line:
 *   {"event": "snapshot" | "exit", "reason": "...", "exits": {"total", "pio",
 *    "mmio", "serial", "config", "bar", "own", "power", "other", "signal"},
 *    "dma_maps", "ram_regions", "resets", "route_commits", "set_irqs",
 *    "vectors", "faults", "guest_resets", "console_dropped", "throttled",
 *    "ram_bytes", "ram_page", "prefault_ns", "prefault_threads", "peer_maps",
 *    "uptime_ns", "hotplug": {"adds", "removes", "forced", ...},
 *    "devices": [{"name", "bdf", "slot", ...}], "own": [{"name", "slot",
 *    "state"}]}
 *   faults: refusals that guests' accesses met, of all its devices;
 *   prefault_ns: what bringing in guest memory took, 0 = it was not;
 *   peer_maps: windows of device memory mapped for other functions
 */

/* ---- errors: FL-07xx ---- */
enum {
	FL_NETD_REQUEST = 701,  /* request not understood */
	FL_NETD_DENIED = 702,   /* verb not allowed to this peer */
	FL_NETD_BUSY = 703,     /* another change is under way */
	FL_NETD_DEADLINE = 704, /* worker did not answer in time, or died */
	FL_NETD_LINK = 705,     /* kernel or driver refused over netlink */
	FL_NETD_READBACK = 706, /* accepted, but not so when read back */
	FL_NETD_JOURNAL = 707,  /* state folder unreadable, torn, unwritable */
	FL_NETD_NO_POLICY = 708,
	FL_NETD_GUEST = 709,  /* the policy has no such guest */
	FL_NETD_LEASED = 710, /* guest or its device is leased already */
	FL_NETD_OPEN = 711,   /* /dev/kvm, image, device cannot be opened */
	FL_NETD_FULL = 712,   /* too many connections */
	FL_NETD_START = 713,  /* daemon cannot start */
	FL_NETD_UNFINISHED =
		714,          /* an earlier change is to be finished first */
	FL_NETD_DEVICE = 715, /* VF of a guest cannot be assigned now */
	FL_NETD_MEMORY = 716,
	FL_NETD_NOT_RUNNING = 717, /* guest has no lease */
	FL_NETD_VMM = 718,         /* running guest did not do it, or not yet */
	FL_NETD_DISK = 719,        /* a disk cannot be opened, or has a user */
	FL_NETD_TAP = 720,         /* an interface cannot be made */
	FL_NETD_CONTROL = 721,     /* nor a guest's control socket */
	FL_NETD_NO_LOG = 724,      /* nothing is kept of what a guest said */
	FL_NETD_UNSUPPORTED = 725, /* a driver does not do it: left out */
	FL_NETD_DEVLINK = 732,     /* refused over devlink */
	FL_NETD_NO_DEVLINK = 733,  /* the function has no instance there */
	FL_NETD_REPRESENTOR = 734, /* none of a VF in time */
	FL_NETD_BRIDGE = 735,      /* an interface cannot be put into it */
	FL_NETD_VLAN = 738,        /* a tap cannot be in its network's VLAN */
	FL_NETD_GUARD = 739,       /* nor guarded against spoofing */
	FL_NETD_OVERLAY = 740,     /* an overlay cannot be made or read */
	FL_NETD_MACVTAP = 741,     /* a macvtap cannot be made */
	FL_NETD_FAILOVER = 742,    /* a nic has no standby to go to */
	FL_NETD_HISTORY = 744,     /* the history of changes cannot be kept */
	FL_NETD_NO_ENTRY = 745,    /* nor has it such an entry */
	FL_NETD_UNCONFIRMED = 746, /* an apply waits for its confirmation */
	FL_NETD_CONFIRMED = 747,   /* and none does */
	FL_NETD_BUDGET = 748,      /* more would be disrupted than may be */
	FL_NETD_STUCK = 749,       /* a PF hangs; all others were done */
	FL_NETD_RECORD = 752,      /* the machine cannot be recorded */
	FL_NETD_QUARANTINE = 757,  /* a VF that is not proved to be clean */
	FL_NETD_LOAN = 758,        /* nothing to lend, or lent already */
	FL_NETD_OWNED = 760,       /* another program sets it, too */
	FL_NETD_RELOAD = 761,      /* the policy file is not taken */
	FL_NETD_METRICS = 765,     /* what is counted cannot be read */
	FL_NETD_NVME = 770,        /* nobody may ask NVMe controllers */
	FL_NETD_NVME_LATE = 771,   /* one does not answer */
	FL_NETD_OVS = 778,         /* Open vSwitch does not do it */
	FL_NETD_NO_OVS = 779,      /* ... is not there */
	FL_NETD_MOVED = 782,       /* a guest has another VF for now */
	FL_NETD_WISH = 783,        /* it cannot have that one */
	FL_NETD_MACS = 790,        /* a random MAC is not known, or none free */
	FL_NETD_UNPACK = 651,      /* a kernel cannot be decompressed here */
	FL_NETD_CACHE = 652,       /* nor kept */
};

#define NETD_SOCKET "/run/fairlead/netd.sock"
/* Beside it: the guests' control sockets, SOCK_STREAM, for root and
 * NETD_GROUP. */
#define NETD_GUESTS "guests"
#define NETD_PROTO_VERSION 1
#define NETD_MSG_MAX 65536
/* Of a lease that has all that it can: kvm, kernel, unpacked, initrd, iommu,
 * interrupts, control, vsock, core, log; 16 functions with ROM files, 8 disks,
 * 8 NICs of 8 pairs with vhost. */
#define NETD_FDS_MAX 192
#define NETD_HOLDER_MAX 128 /* who has a loan, with its end */
#define NETD_POLICY_MAX (1u << 20)
/* Where a policy is when nobody says: of this folder one file, and those of a
 * folder in it; of any other folder its files. */
#define NETD_POLICY_ETC "/etc/fairlead"
#define NETD_POLICY_ONE "policy.yaml"
#define NETD_POLICY_MANY "policy.d"
#define NETD_POLICY_SUFFIX ".yaml"
#define NETD_REPLY_MAX (16u << 20)

#define NETD_GROUP "fairlead" /* members may lease */

enum {
	NETD_VMM_FD_LEASE = 3,
	NETD_VMM_FD_CONN = 4,
	NETD_VMM_FD_REPORT = 5,
	NETD_VMM_FD0 = 6,
};

#endif
