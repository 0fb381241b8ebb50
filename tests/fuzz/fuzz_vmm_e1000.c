/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of the 82540EM that means harm: any access to its registers, any
 * bytes in its rings, frames of any length from the tap. Nothing outside of
 * guest memory is touched, and the device still answers afterwards.
 *
 * The input is a list of steps: a byte that says which, and its operands.
 * fuzz: runs=100000 time=60
 */

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guarded.h"
#include "vmm/devices.h"
#include "vmm/e1000.h"
#include "vmm/own_priv.h"

#define RAM (1u << 20)
#define SLOT 3
#define RINGS 0x1000u
#define DATA 0x8000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
	struct vm vm;
	uint8_t *ram;
	int tap, wire;
};

struct input {
	const uint8_t *at;
	size_t left;
};

static uint32_t take(struct input *in, unsigned width)
{
	uint32_t v = 0;

	if (in->left >= width)
		v = (uint32_t)load_le(in->at, width);
	width = (unsigned)MIN(width, in->left);
	in->at += width;
	in->left -= width;
	return v;
}

static void make_nic(struct rig *r)
{
	struct vm_nic c = {
		.name = "lan", .slot = SLOT, .model = VM_NIC_E1000, .pairs = 1
	};
	struct diag d;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	c.mac[0] = 0x52;
	c.tap_fd[0] = r->tap = pair[0];
	r->wire = pair[1];
	if (e1000_add(&r->vm, &c, &d) < 0)
		abort();
}

static struct rig *rig(void)
{
	static struct rig r; /* the fuzzer's process has one guest */
	struct diag d;

	if (r.ram)
		return &r;
	r.ram = guarded_ram(&r.vm, RAM);
	r.vm.fd = -1; /* no KVM: interrupts go nowhere */
	pthread_mutex_init(&r.vm.pins.lock, NULL);
	if (bus_new(&r.vm.pio) < 0 || bus_new(&r.vm.mmio) < 0 ||
	    own_init(&r.vm) < 0 || io_new(&r.vm, &r.vm.io, &d) < 0)
		abort();
	make_nic(&r);
	return &r;
}

static void wr(struct e1000 *e, uint32_t off, uint32_t v)
{
	e1000_write_reg(e, off, v);
}

/* As a driver begins, so that most runs have rings. */
static void begin(struct e1000 *e, uint32_t how)
{
	wr(e, R_CTRL, CTRL_SLU | (how & 1 ? (uint32_t)CTRL_VME : 0));
	wr(e, R_VET, 0x8100);
	wr(e, R_TDBAL, RINGS);
	wr(e, R_TDLEN, 512);
	wr(e, R_RDBAL, RINGS + 0x1000);
	wr(e, R_RDLEN, how & 2 ? 128 : 1024);
	wr(e, R_TCTL, TCTL_EN);
	wr(e, R_RCTL, RCTL_EN | RCTL_UPE | (how << 3 & 0x060fc0e0));
}

static void frame(struct rig *r, struct input *in)
{
	uint8_t f[20000] = { 0 };
	size_t len = 1 + take(in, 2) % (sizeof(f) - 1);

	for (size_t i = 12; i < len; i++)
		f[i] = (uint8_t)i;
	if (in->left >= 16) {
		memcpy(f + 12, in->at, 16);
		in->at += 16;
		in->left -= 16;
	}
	(void)!send(r->wire, f, len, 0);
}

static void desc(struct rig *r, struct input *in)
{
	uint8_t *at = r->ram + RINGS + 16 * (take(in, 1) % 320);
	uint64_t q0 = DATA + take(in, 2), q1 = take(in, 4);

	q1 |= (uint64_t)take(in, 4) << 32;
	if (q1 >> 20 & 2) {
		q0 = (uint64_t)take(in, 4) << 32;
		q0 |= take(in, 4);
	}
	store_le(at, 8, q0);
	store_le(at + 8, 8, q1);
}

static void step(struct rig *r, struct e1000 *e, struct input *in)
{
	uint32_t off;

	switch (take(in, 1) % 9) {
	case 0:
		off = take(in, 2) * 4 % E1000_BAR_MEM;
		wr(e, off, take(in, 4));
		break;
	case 1:
		(void)e1000_read_reg(e, take(in, 2) * 4 % E1000_BAR_MEM);
		break;
	case 2:
		frame(r, in);
		break;
	case 3:
	case 4:
		desc(r, in);
		break;
	case 5:
		wr(e, R_TDT, take(in, 1) % 40);
		break;
	case 6:
		wr(e, R_RDT, take(in, 1) % 70);
		break;
	case 7:
		begin(e, take(in, 4));
		break;
	default:
		e->watch.ready(e, e->events);
		e1000_irq_ready(e, EPOLLIN);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct rig *r = rig();
	struct own *o = r->vm.own->at[SLOT];
	struct e1000 *e = o->desc.ctx;
	uint8_t buf[16];

	own_reset_all(&r->vm);
	own_cfg_write(&r->vm, SLOT, 4, 2, 4); /* bus master */
	begin(e, take(&in, 1));
	while (in.left) {
		step(r, e, &in);
		while (recv(r->wire, buf, sizeof(buf), 0) >= 0)
			;
	}
	while (recv(r->tap, buf, sizeof(buf), 0) >= 0)
		;
	if (e->gone)
		abort();
	return 0;
}
