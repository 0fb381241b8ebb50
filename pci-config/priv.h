/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_PCI_CONFIG_PRIV_H
#define FL_PCI_CONFIG_PRIV_H

/*
 * Inside pci-config: register rows, what each capability brings, the walker.
 *
 * A capability is one file: how long it is, what makes it unfit to be shown,
 * and its register table. caps.c and ecap.c list them; the engine (space.c)
 * knows none of them.
 */

#include "pci-config/pci-config.h"

/* ---- registers ---------------------------------------------------------- */

/*
 * One register. After reset it reads (snapshot & snap) | init; a bit that is
 * in no mask reads 0 and is never written. RsvdP and RsvdZ bits are such bits.
 */
struct cfg_row {
	uint16_t off;  /* from the start of its block */
	uint8_t width; /* 1, 2 or 4 */
	uint8_t event; /* enum cfg_event, raised by bytes the guest can write */
	uint32_t snap; /* starts as the snapshot has it */
	uint32_t init; /* starts as 1 */
	uint32_t rw, w1c, hw, fwd;
	/* For cfg_explain(): the register, and why the guest's may differ.
	 * NULL: as the capability's own. */
	const char *what, *why;
};

/* Rows at one place; a row that does not lie inside `len` does not apply. */
struct cfg_block {
	uint16_t base, len;
	const struct cfg_row *row;
	unsigned n;
};

/* Everything that is laid over a snapshot to make the guest's view, in order:
 * a later block wins. */
#define CFG_PLAN_BLOCKS 48
#define CFG_PLAN_ROWS 24
struct cfg_plan {
	struct cfg_block block[CFG_PLAN_BLOCKS];
	unsigned n_blocks;
	struct cfg_row row[CFG_PLAN_ROWS]; /* rows known only at run time */
	unsigned n_rows;
};
void cfg_plan_add(struct cfg_plan *p, unsigned base, unsigned len,
                  const struct cfg_row *row, size_t n);
#define CFG_PLAN_ADD(p, base, len, table)                                      \
	cfg_plan_add(p, base, len, table, ARRAY_SIZE(table))
/* One row with values of this device, copied into the plan. */
void cfg_plan_row(struct cfg_plan *p, unsigned base, unsigned len,
                  struct cfg_row row);
void cfg_plan_endpoint(struct cfg_plan *p, const struct cfg_layout *l,
                       const struct cfg_place *place);

/* Compile a plan into an empty space; `raw` NULL is a snapshot of zeros. */
void cfg_space_init(struct cfg_space *s);
void cfg_space_plan(struct cfg_space *s, const uint8_t *raw,
                    const struct cfg_plan *p);
/* What is now is what reset brings back, and what a forward keeps. */
void cfg_space_seal(struct cfg_space *s, const uint8_t *raw);

/* ---- capabilities -------------------------------------------------------- */

struct cfg_kind {
	const char *name;
	const char *reason;
	enum cfg_verdict verdict;
	uint16_t need;  /* hidden when fewer bytes than this are its own */
	uint16_t bytes; /* its length, or */
	unsigned (*len)(const struct cfg_layout *l, unsigned off);
	/* Record its facts in the layout. A reason to hide it, or NULL. */
	const char *(*take)(struct cfg_layout *l, const struct cfg_cap *c);
	/* Its register tables, for CFG_SHOWN. */
	void (*plan)(struct cfg_plan *p, const struct cfg_layout *l,
	             const struct cfg_cap *c, const struct cfg_place *place);
};
/* Never NULL: an id nobody knows has a kind of its own, hidden. */
const struct cfg_kind *cfg_kind_find(bool ext, uint16_t id);
const struct cfg_kind *cfg_kind_std(uint16_t id); /* NULL when unknown */
const struct cfg_kind *cfg_kind_ext(uint16_t id);

/* cap_pm.c, cap_msi.c, cap_msix.c, cap_exp.c, cap_af.c */
extern const struct cfg_kind cfg_kind_pm, cfg_kind_msi, cfg_kind_msix,
	cfg_kind_exp, cfg_kind_af;

/* header.c, bar.c */
void cfg_plan_header(struct cfg_plan *p, const struct cfg_place *place);
void cfg_plan_bars(struct cfg_plan *p, const struct cfg_layout *l);

/* port_slot.c: after a port is composed, and after a write that raised
 * CFG_EV_SLOT: the link follows presence, power and Link Disable. */
void cfg_port_begin(struct cfg_space *s, const struct cfg_port *p);
void cfg_port_settle(struct cfg_space *s);

/* Snapshot bytes; 0 past its end. */
uint32_t cfg_raw(const struct cfg_layout *l, unsigned off, unsigned width);

/* ---- walking a chain ----------------------------------------------------- */

struct cfg_step {
	uint16_t off, id;
	uint8_t version;
};
struct cfg_walk {
	const uint8_t *raw;
	unsigned size;
	bool ext;
	unsigned next;
	bool cut;         /* ended at something that is no capability */
	unsigned cut_ptr; /* the pointer that was not followed */
	uint64_t seen[CFG_SIZE / 4 / 64];
};
void cfg_walk_begin(struct cfg_walk *w, const uint8_t *raw, size_t size,
                    bool ext);
bool cfg_walk_next(struct cfg_walk *w, struct cfg_step *ret);

/* ---- register names (include/uapi/linux/pci_regs.h has them too; these are
 * the ones that more than one file here needs) --------------------------------
 */

enum {
	CFG_COMMAND = 0x04,
	CFG_COMMAND_IO = 1 << 0,
	CFG_COMMAND_MEM = 1 << 1,
	CFG_COMMAND_MASTER = 1 << 2,
	CFG_COMMAND_PARITY = 1 << 6,
	CFG_COMMAND_SERR = 1 << 8,
	CFG_COMMAND_INTX_OFF = 1 << 10,
	CFG_STATUS = 0x06,
	CFG_STATUS_READY = 1 << 0,
	CFG_STATUS_INTX = 1 << 3,
	CFG_STATUS_CAPS = 1 << 4,
	CFG_STATUS_ERRORS = 0xf900, /* bits 15:11 and 8, all RW1C */
	CFG_BAR0 = 0x10,
	CFG_ROM = 0x30,
	CFG_CAP_PTR = 0x34,
	CFG_HEADER_SIZE = 0x40,

	CFG_CAP_PM = 0x01,
	CFG_CAP_MSI = 0x05,
	CFG_CAP_VENDOR = 0x09,
	CFG_CAP_EXP = 0x10,
	CFG_CAP_MSIX = 0x11,
	CFG_CAP_AF = 0x13,
	CFG_ECAP_SRIOV = 0x10,

	CFG_PM_CTRL = 4,
	CFG_PM_STATE = 3,
	CFG_EXP_DEVCTL = 8,
	CFG_EXP_LNKCAP = 0x0c,
	CFG_EXP_LNKCTL = 0x10,
	CFG_EXP_LNKSTA = 0x12,
	CFG_EXP_SLTCAP = 0x14,
	CFG_EXP_SLTCTL = 0x18,
	CFG_EXP_SLTSTA = 0x1a,
	CFG_BUS_PRIMARY = 0x18,
	CFG_BRIDGE_CTRL = 0x3e,
	CFG_BRIDGE_RESET = 1 << 6,
};

#endif
