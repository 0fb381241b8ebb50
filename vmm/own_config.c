/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of the configuration space of a function of our own, as a device
 * that one can buy would have them: pci-config makes the guest's view of them,
 * with the same tables as for an assigned one.
 *
 * Order of the chain: behind the device's registers, if it has some there,
 * power management, Express, MSI-X, then the device's own capabilities, each at
 * a dword. There is no extended capability.
 */

#include <string.h>

#include "vmm/own_priv.h"

/* PCIe 6.0 7.5.1. */
enum {
	REG_STATUS = 0x06,
	STATUS_CAPS = 1 << 4,
	REG_CLASS = 0x08,
	REG_BAR = 0x10,
	REG_SUBSYSTEM = 0x2c,
	REG_CAPS = 0x34,
	HEADER_END = 0x40,
};
enum {
	CAP_PM = 0x01,
	CAP_VENDOR = 0x09,
	CAP_EXPRESS = 0x10,
	CAP_MSIX = 0x11,
};
#define PM_LEN 8u
#define PM_VERSION 3u
#define PM_CONTROL 4u
#define PM_STATE 3u
#define PM_NO_SOFT_RESET BIT(3)
#define EXPRESS_LEN 0x3cu
#define EXPRESS_VERSION 2u /* an endpoint, by type 0 */
#define EXPRESS_ROLE_BASED BIT(15)
#define EXPRESS_FLR BIT(28)
/* Relaxed ordering, no snoop, reads of 512 bytes. */
#define EXPRESS_CONTROL (BIT(4) | BIT(11) | 2u << 12)
#define MSIX_LEN 12u

#define COMMAND_TRANSACTIONS 7u /* I/O, memory, bus master */

struct chain {
	uint8_t *raw;
	unsigned link, next; /* pointer to be filled in, first free byte */
};

/* Its first byte, or NULL: no room. */
static uint8_t *chain_add(struct chain *c, uint8_t id, unsigned len)
{
	uint8_t *p = c->raw + c->next;

	if (!range_inside(c->next, len, CFG_SIZE_PCI))
		return NULL;
	c->raw[c->link] = (uint8_t)c->next;
	c->link = c->next + 1;
	c->next = ALIGN_UP(c->next + len, 4u);
	p[0] = id;
	return p;
}

static void put_header(uint8_t *raw, const struct own_desc *c)
{
	store_le(raw, 2, c->vendor);
	store_le(raw + 2, 2, c->device);
	store_le(raw + REG_STATUS, 2, STATUS_CAPS);
	store_le(raw + REG_CLASS, 4, c->class << 8 | c->revision);
	store_le(raw + REG_SUBSYSTEM, 2, c->subvendor);
	store_le(raw + REG_SUBSYSTEM + 2, 2, c->subdevice);
	for (unsigned i = 0; i < CFG_BARS; i++) {
		const struct cfg_bar *b = &c->bar[i];
		uint32_t flags = b->kind == CFG_BAR_IO;

		if (b->kind == CFG_BAR_MEM64)
			flags |= 4;
		if (b->prefetch)
			flags |= 8;
		store_le(raw + REG_BAR + (size_t)4 * i, 4, flags);
	}
}

static void put_basics(struct chain *chain)
{
	uint8_t *pm = chain_add(chain, CAP_PM, PM_LEN);
	uint8_t *express = chain_add(chain, CAP_EXPRESS, EXPRESS_LEN);

	store_le(pm + 2, 2, PM_VERSION);
	pm[PM_CONTROL] = PM_NO_SOFT_RESET;
	store_le(express + 2, 2, EXPRESS_VERSION);
	store_le(express + 4, 4, EXPRESS_ROLE_BASED | EXPRESS_FLR);
	store_le(express + 8, 2, EXPRESS_CONTROL);
}

static void put_msix(struct chain *chain, const struct own_desc *c)
{
	uint8_t *p;

	if (!c->vectors)
		return;
	p = chain_add(chain, CAP_MSIX, MSIX_LEN);
	store_le(p + 2, 2, c->vectors - 1u);
	store_le(p + 4, 4, c->table_off | c->msix_bar);
	store_le(p + 8, 4, c->pba_off | c->msix_bar);
}

static int put_caps(struct own *o, struct chain *chain)
{
	o->live_from = CFG_SIZE;
	for (unsigned i = 0; i < o->desc.n_caps; i++) {
		const struct own_cap *cap = &o->desc.cap[i];
		uint8_t *p;

		if (cap->len < 3 || cap->len > sizeof(cap->bytes) ||
		    cap->bytes[0] != CAP_VENDOR)
			return -EINVAL;
		p = chain_add(chain, CAP_VENDOR, cap->len);
		if (!p)
			return -ENOSPC;
		memcpy(p + 2, cap->bytes + 2, cap->len - 2u);
		/* Its length is a register of its own, 7.9.4. */
		p[2] = cap->len;
		o->cap_at[i] = (uint8_t)(p - chain->raw);
		if (cap->live)
			o->live_from = (uint16_t)MIN(
				(unsigned)o->live_from,
				o->cap_at[i] + (unsigned)cap->live);
	}
	return 0;
}

/* pci-config lets nobody write to what is a vendor's. */
static void allow_writes(struct own *o)
{
	for (unsigned i = 0; i < o->desc.n_caps; i++)
		memcpy(o->cfg.rw + o->cap_at[i], o->desc.cap[i].rw,
		       o->desc.cap[i].len);
}

static int view(struct own *o, const uint8_t *raw, struct diag *d)
{
	const struct cfg_place place = {
		.behind_port = true,
		.intx_pin = o->desc.intx,
	};
	_cleanup_free_ struct cfg_layout *l = calloc(1, sizeof(*l));
	uint64_t size[CFG_BARS];
	int r;

	if (!l)
		return -ENOMEM;
	for (unsigned i = 0; i < CFG_BARS; i++)
		size[i] = o->desc.bar[i].size;
	r = cfg_layout_parse(raw, CFG_SIZE, size, l, d);
	if (r == 0 && o->desc.vectors && !l->msix.cap)
		r = -EINVAL;
	if (r == 0)
		cfg_compose_endpoint(&o->cfg, l, &place);
	return r;
}

int own_compose(struct own *o, struct diag *d)
{
	_cleanup_free_ uint8_t *raw = calloc(1, CFG_SIZE);
	const unsigned area_end = o->desc.area.at + (unsigned)o->desc.area.len;
	struct chain chain = {
		raw,
		REG_CAPS,
		ALIGN_UP(MAX((unsigned)HEADER_END, area_end), 4u),
	};
	int r;

	if (!raw)
		return -ENOMEM;
	put_header(raw, &o->desc);
	put_basics(&chain);
	put_msix(&chain, &o->desc);
	r = put_caps(o, &chain);
	if (r == 0)
		r = view(o, raw, d);
	if (r == 0)
		allow_writes(o);
	return r;
}

bool own_is_awake(const struct own *o)
{
	return !(o->cfg.now[o->cfg.pm + PM_CONTROL] & PM_STATE);
}

uint16_t own_command(const struct own *o)
{
	uint16_t command = cfg_command(&o->cfg);

	return own_is_awake(o) ? command
	                       : command & (uint16_t)~COMMAND_TRANSACTIONS;
}
