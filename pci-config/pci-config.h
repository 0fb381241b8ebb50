/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_PCI_CONFIG_H
#define FL_PCI_CONFIG_H

/*
 * pci-config: the configuration space a guest sees, as bytes and decisions.
 *
 * Theory of operation
 *   1. cfg_layout_parse() takes a physical function's layout once, from a
 *      snapshot of its bytes: header, BARs, capabilities, MSI and MSI-X
 *      places. Each capability gets a verdict (shown, read-only, hidden) and
 *      a reason. Nothing re-reads the hardware's layout afterwards.
 *   2. cfg_compose_*() compiles const register tables (one row a register,
 *      in the specification's order and with its attributes) into a
 *      cfg_space: for each of the 4096 bytes, what the guest reads and which
 *      bits it may change. A register without a row reads as the snapshot
 *      where its capability is shown, as 0 elsewhere, and is never written.
 *      Hidden capabilities are unlinked from their chain, not nulled.
 *   3. cfg_read() and cfg_write() know bytes, not registers, so a partial,
 *      straddling or unaligned access needs no thought anywhere else. They do
 *      nothing to hardware: they return a decision, the caller performs it.
 *
 *   Attributes of a register bit (PCIe 6.0 7.4); a bit with none is RO:
 *     rw     the guest reads and writes the shadow
 *     w1c    the guest's 1 clears the bit (RW1C). Where such a bit is always
 *            0 the 1 is a command: Initiate FLR
 *     hw     reads are taken from the device (status bits that live)
 *     fwd    writes are also passed on to the device
 *
 * The folder is pure: no descriptor, no system call, no allocation, no log,
 * no abort. A guest may call every function here with any value.
 */

#include "base/base.h"

#define CFG_SIZE 4096u /* PCIe extended configuration space, PCIe 6.0 7.2.2 */
#define CFG_SIZE_PCI 256u
#define CFG_BARS 6
#define CFG_MAX_CAPS 64 /* both chains together; a longer one is a loop */

/* ---- errors: FL-09xx ---- */
enum {
	FL_CFG_HEADER = 901, /* not a type 0 header, or all ones */
	FL_CFG_LOOP = 902,   /* capability chain broken: cut there, a warning */
	FL_CFG_BAR = 903,    /* BAR size impossible for its kind */
};

/* ---- the physical function ---- */

enum cfg_bar_kind {
	CFG_BAR_NONE,
	CFG_BAR_IO,
	CFG_BAR_MEM32,
	CFG_BAR_MEM64, /* occupies this index and the next */
	CFG_BAR_UPPER, /* upper half of the one before */
};
struct cfg_bar {
	enum cfg_bar_kind kind;
	bool prefetch;
	uint64_t size; /* bytes, power of two; 0 when unknown */
};

enum cfg_verdict {
	CFG_HIDDEN,   /* unlinked from the chain, reads 0: the default */
	CFG_READONLY, /* bytes visible, no write */
	CFG_SHOWN,    /* register table applies, rest reads as snapshot */
};
struct cfg_cap {
	uint16_t id;
	uint16_t off;
	uint16_t len;    /* bytes this capability owns */
	uint8_t version; /* extended capabilities only */
	bool ext;
	enum cfg_verdict verdict;
	const char *reason; /* static text: why hidden, why changed */
};

struct cfg_msix_facts {
	uint16_t cap;     /* 0 = function has none */
	uint16_t vectors; /* 1..2048 */
	uint8_t table_bar, pba_bar;
	uint32_t table_off, pba_off;
};
struct cfg_msi_facts {
	uint16_t cap;
	uint8_t vectors; /* 1,2,4..32 offered */
	bool addr64, maskable;
};

struct cfg_layout {
	uint8_t raw[CFG_SIZE];
	uint16_t size;                /* 256 or 4096 */
	struct cfg_bar bar[CFG_BARS]; /* kinds from raw; sizes from caller */
	uint64_t rom_size; /* 0 after parsing; a caller that offers the ROM
	                      sets it: a power of two, 2 KiB to 16 MiB */
	struct cfg_cap cap[CFG_MAX_CAPS]; /* standard chain, then extended */
	uint8_t n_caps;
	struct cfg_msi_facts msi;
	struct cfg_msix_facts msix;
	uint16_t express; /* offset of the PCI Express capability, 0 = none */
	uint16_t pm;
	bool chain_cut; /* a chain was broken and ended early */
	bool vf; /* false after parsing; a caller that knows it a VF sets it */
};

/*
 * Parse `size` (256 or 4096) bytes. `bar_size[i]` is the size the platform
 * decoded for BAR i (0 = not implemented); kinds come from the bytes.
 * A broken chain is cut at the last good capability (chain_cut), not refused:
 * the return is 0 and the diag, code FL_CFG_LOOP, says where.
 * Errors: -EINVAL with FL_CFG_HEADER or FL_CFG_BAR.
 */
_must_check_ int cfg_layout_parse(const uint8_t *raw, size_t size,
                                  const uint64_t bar_size[static CFG_BARS],
                                  struct cfg_layout *ret, struct diag *d);
const struct cfg_cap *cfg_layout_find(const struct cfg_layout *l, bool ext,
                                      uint16_t id);
/* Static text: "MSI-X", "Single Root I/O Virtualization"; "unknown". */
const char *cfg_cap_name(bool ext, uint16_t id);
const char *cfg_verdict_name(enum cfg_verdict v);

/* ---- the guest's view ---- */

/* What a write did, for the caller to act upon; a bit set each. */
enum cfg_event {
	CFG_EV_COMMAND =
		1 << 0, /* I/O, memory decode, bus master or INTx disable */
	CFG_EV_BAR = 1 << 1,   /* some BAR now has another address */
	CFG_EV_MSI = 1 << 2,   /* MSI control, address, data or mask */
	CFG_EV_MSIX = 1 << 3,  /* MSI-X enable or function mask */
	CFG_EV_POWER = 1 << 4, /* PM power state field written */
	CFG_EV_FLR =
		1 << 5, /* Initiate Function Level Reset, PCIe 6.0 7.5.3.4 */
	CFG_EV_BRIDGE = 1 << 6, /* bus numbers or windows of a bridge */
	CFG_EV_SLOT = 1 << 7,   /* slot or link control of a root port */
};

struct cfg_space {
	uint8_t now[CFG_SIZE];   /* what the guest reads */
	uint8_t rw[CFG_SIZE];    /* bits the guest may change */
	uint8_t w1c[CFG_SIZE];   /* bits a 1 clears */
	uint8_t hw[CFG_SIZE];    /* bits read from the device */
	uint8_t fwd[CFG_SIZE];   /* bits passed on when written */
	uint8_t keep[CFG_SIZE];  /* what the other bits of such a write hold */
	uint8_t reset[CFG_SIZE]; /* value after reset */
	uint8_t event[CFG_SIZE]; /* enum cfg_event raised by a write */
	struct cfg_bar bar[CFG_BARS];
	uint64_t rom_size;
	struct cfg_msi_facts msi;
	struct cfg_msix_facts msix;
	uint16_t express, pm;
};

/* Where the function will sit in the guest. */
struct cfg_place {
	bool behind_port; /* Express type is Endpoint; else RCiEP, no link */
	bool multifunction;
	uint8_t intx_pin; /* 0 = no INTx offered, 1..4 = INTA..INTD */
};
/* Endpoint with type 0 header. Never fails: what cannot be shown is hidden. */
void cfg_compose_endpoint(struct cfg_space *s, const struct cfg_layout *l,
                          const struct cfg_place *place);

/*
 * An emulated PCI Express root port, type 1 header (PCIe 6.0 7.5.1.3). With
 * `hotplug` it has the slot of the next section, and MSI, its only interrupt;
 * without, its slot is occupied for ever and it has no interrupt.
 */
struct cfg_port {
	uint8_t slot; /* physical slot number shown */
	uint8_t port; /* port number in Link Capabilities */
	bool hotplug;
	bool empty; /* with hotplug: nothing is in the slot yet */
	/* As Link Status encodes them; 0 = 2.5 GT/s, x1. */
	uint16_t link_speed, link_width;
};
/* The link of a port that leads to this function: the function's own, so that
 * the guest sees no bottleneck that is not there. */
void cfg_port_match_link(struct cfg_port *p, const struct cfg_layout *l);
void cfg_compose_root_port(struct cfg_space *s, const struct cfg_port *p);
void cfg_compose_host_bridge(struct cfg_space *s);

/*
 * Hot plug: the slot of such a port, PCIe 6.0 6.7.1, 7.5.3.9 to 7.5.3.11. The
 * register side only: who is behind the port is the caller's to say, and the
 * guest's orders come back as CFG_EV_SLOT. These functions do nothing to a
 * space that is no such port.
 *
 * The link is up while something is present, the guest gives it power and has
 * not disabled the link; where it is down, nothing behind answers. It follows
 * at once, within cfg_write() too: a guest that turns the power off then finds
 * the link gone and "link state changed". cfg_reset() keeps what is present:
 * an empty slot comes back without power, an occupied one with it.
 *
 * How Linux's pciehp takes part (a slot with an attention button has its
 * presence interrupt off; only the button and the link interrupt):
 *   add       cfg_port_set_link(), cfg_port_set_present(true), then
 *             cfg_port_press(), since the link of a slot without power does
 *             not rise. It finds both events in one interrupt and brings the
 *             slot up at once; the button alone would take it five seconds.
 *   ask       cfg_port_press(): after five seconds its driver lets go and the
 *             power goes off. A second press within them means "do not".
 *   give up   when cfg_port_slot() says that power went off and, a second
 *             later, its indicator too (until then events are ignored), after
 *             cfg_port_press() or by the guest's own will:
 *             cfg_port_set_present(false). Not much later, or the next event
 *             finds a slot still occupied and the guest takes it back.
 *   surprise  cfg_port_set_present(false) alone.
 */
struct cfg_slot {
	bool present, link; /* Presence Detect State, Link Active */
	bool powered;       /* Power Controller Control: what the guest asks */
	uint8_t power_led, attention_led; /* 1 on, 2 blink, 3 off */
};
struct cfg_slot cfg_port_slot(const struct cfg_space *s);
/* Speed and width of what is to be put in; the rest of `p` is not read. */
void cfg_port_set_link(struct cfg_space *s, const struct cfg_port *p);
/* Something came, or went: state, and the "changed" bits of what changed. */
void cfg_port_set_present(struct cfg_space *s, bool present);
/* The attention button is pressed: the guest is asked politely. */
void cfg_port_press(struct cfg_space *s);
/* PCIe 6.0 6.7.3.4: an enabled event stands. An interrupt message is due each
 * time this goes from false to true; cfg_msi_state() has the message. So ask
 * after each of the calls above, and after each CFG_EV_SLOT. */
bool cfg_port_interrupt(const struct cfg_space *s);

/*
 * Read `width` (1, 2 or 4) bytes at `off`. Bits of `hw_mask` are to be taken
 * from the device at the same place: value = shadow & ~hw_mask | device &
 * hw_mask. Out of range or an odd width reads all ones with hw_mask 0.
 */
struct cfg_read {
	uint32_t value;
	uint32_t hw_mask;
};
struct cfg_read cfg_read(const struct cfg_space *s, unsigned off,
                         unsigned width);

/*
 * Write. The shadow is updated; `events` says what happened: POWER and SLOT
 * when the register is written, even with the same value; FLR when a 1 is
 * written; the others on change. When `forward` is set, write `hw_value` of the
 * same width at the same place to the device: bits of `fwd` hold the shadow
 * (RW1C bits: what the guest wrote), all others what the device had when its
 * layout was taken, so that no bit outside the tables ever reaches it.
 */
struct cfg_write {
	uint32_t hw_value;
	uint8_t events;
	bool forward;
};
struct cfg_write cfg_write(struct cfg_space *s, unsigned off, unsigned width,
                           uint32_t value);

/* Conventional reset or FLR: shadow to reset values. */
void cfg_reset(struct cfg_space *s);

/* Decoded views of the shadow. */
uint16_t cfg_command(const struct cfg_space *s);
/* Guest physical (or port) address of BAR i; for a 64-bit BAR both halves. */
uint64_t cfg_bar_addr(const struct cfg_space *s, unsigned i);
/* True when the BAR decodes now: COMMAND bit on, in D0, size known and the
 * range [addr, addr+size) does not wrap. */
bool cfg_bar_decodes(const struct cfg_space *s, unsigned i);
/* For a VMM that places BARs before the guest runs. Address must be aligned
 * to the size: -EINVAL otherwise. */
_must_check_ int cfg_bar_place(struct cfg_space *s, unsigned i, uint64_t addr);
/* The same for the expansion ROM, which has an enable bit of its own. */
bool cfg_rom_decodes(const struct cfg_space *s, uint64_t *ret_addr);

struct cfg_bridge {
	uint8_t primary, secondary, subordinate;
	bool reset; /* Secondary Bus Reset is held, PCIe 6.0 7.5.1.3.13 */
};
struct cfg_bridge cfg_bridge_buses(const struct cfg_space *s);

struct cfg_msix_state {
	bool enabled,
		masked; /* Message Control bits 15 and 14, PCIe 6.0 7.7.2.2 */
};
struct cfg_msix_state cfg_msix_state(const struct cfg_space *s);

struct cfg_msi_state {
	bool enabled;
	uint8_t vectors; /* enabled count, 1..32 */
	uint64_t addr;
	uint32_t data;
	uint32_t mask;
};
struct cfg_msi_state cfg_msi_state(const struct cfg_space *s);

/* ---- the MSI-X table, PCIe 6.0 7.7.2.3 ---- */

#define CFG_MSIX_MAX 2048
#define CFG_MSIX_ENTRY 16u
struct cfg_msix_entry {
	uint64_t addr;
	uint32_t data;
	uint32_t ctrl; /* bit 0 = masked */
};
struct cfg_msix {
	struct cfg_msix_entry *entry; /* caller's storage */
	uint16_t vectors;
};
/* All entries masked, zero message: the state after reset. */
void cfg_msix_reset(struct cfg_msix *t);
/* Only naturally aligned 4- and 8-byte accesses are defined (PCIe 6.0 7.7.2);
 * others read 0 and write nothing. `off` is relative to the table. */
uint64_t cfg_msix_read(const struct cfg_msix *t, uint64_t off, unsigned width);
struct cfg_msix_change {
	int vector; /* -1: nothing changed */
	bool mask;  /* its mask bit flipped */
};
struct cfg_msix_change cfg_msix_write(struct cfg_msix *t, uint64_t off,
                                      unsigned width, uint64_t value);
static inline bool cfg_msix_masked(const struct cfg_msix *t, unsigned v)
{
	return t->entry[v].ctrl & 1;
}
/* Bytes of the Pending Bit Array: 8 for each 64 vectors, PCIe 6.0 7.7.2.4. */
static inline uint32_t cfg_msix_pba_size(unsigned vectors)
{
	return (vectors + 63) / 64 * 8;
}

/* ---- quirks: what certain devices need, as data -------------------------
 *
 * A row matches by ids and class, says what to do, why, and where that is
 * known from. Whoever acts on an effect asks for it; nobody else knows of
 * particular devices. Rows are what others have published of hardware that was
 * not here to be tried.
 */
enum cfg_quirk_effect {
	CFG_QUIRK_MIRROR,      /* [off, off+size) of BAR `bar` shows
	                          configuration space from 0: trapped, answered
	                          by the view */
	CFG_QUIRK_PASS,        /* inside a MIRROR: writes to [off, off+size) go
	                          to the device as well */
	CFG_QUIRK_WINDOW,      /* address register at `off`, data register at
	                          `data`: some addresses are configuration
	                          space, answered by the view; size: of both */
	CFG_QUIRK_MSIX_WINDOW, /* such registers reach the MSI-X table */
	CFG_QUIRK_NO_ROM,   /* its ROM hangs the device, or whoever runs it */
	CFG_QUIRK_OPREGION, /* Intel graphics: OpRegion and stolen memory,
	                       named by configuration registers at `off` */
	CFG_QUIRK_NO_OWN_RESET, /* FLR and PM reset are not to be trusted */
	CFG_QUIRK_NO_BUS_RESET, /* a bus reset leaves it dead, or as it was */
	CFG_QUIRK_VF_MEMORY,    /* VF: COMMAND memory bit reads 0 in hardware,
	                           shown as the guest wrote it */
	CFG_QUIRK_EFFECTS
};
struct cfg_quirk {
	/* What it matches. */
	uint16_t vendor;            /* 0 = any */
	uint16_t first, last;       /* device ids; last 0 = any */
	uint16_t config;            /* this dword of configuration space holds
	                               something: not 0, not all ones; 0 = any */
	uint32_t class, class_mask; /* base, sub, interface; mask 0 = any */
	uint8_t revision;           /* 0 = any */
	bool vf;                    /* virtual functions only */
	/* Where, and what. A BAR's range must lie inside the BAR. */
	uint8_t bar;
	enum cfg_bar_kind kind; /* of `bar`; NONE = any */
	enum cfg_quirk_effect effect;
	uint32_t off, size;
	uint32_t data;         /* WINDOW: offset of the data register */
	uint32_t select, span; /* WINDOW: addresses [select, select+span) */
	const char *reason;    /* static text */
	const char *source;    /* where it is known from */
};
/* The next row that matches after `after` (NULL = from the first), or NULL. */
const struct cfg_quirk *cfg_quirk_next(const struct cfg_layout *l,
                                       const struct cfg_quirk *after);
/* The first that has this effect, or NULL. */
const struct cfg_quirk *cfg_quirk_find(const struct cfg_layout *l,
                                       enum cfg_quirk_effect e);
const char *cfg_quirk_effect_name(enum cfg_quirk_effect e);
/* WINDOW: the place in configuration space (or in the MSI-X table) that
 * `address` in the address register means; -1: some other register. */
int cfg_quirk_window(const struct cfg_quirk *q, uint32_t address);

/* ---- why the guest's view differs from the function --------------------- */

struct cfg_difference {
	uint16_t off, len; /* bytes: from the first to the last that differs */
	bool ext;
	uint16_t cap;     /* its place; 0 = header, or no capability's bytes */
	const char *what; /* register or capability, static text */
	const char *reason; /* static text */
};
/* Where a fresh view reads other than the snapshot: one entry for a register
 * or a capability that is not shown, ascending, disjoint; every differing byte
 * lies in one. Bits that are read from the device differ from nothing. `s` is
 * composed from `l` at `place`, whatever was written to it since. Returns how
 * many there are; at most `max` are written. */
size_t cfg_explain(const struct cfg_layout *l, const struct cfg_place *place,
                   const struct cfg_space *s, struct cfg_difference *ret,
                   size_t max);

/* ---- SR-IOV capability, PCIe 6.0 9.3.3: decode only, for sriov/ ---- */

struct cfg_sriov {
	uint16_t initial_vfs, total_vfs, num_vfs;
	uint16_t offset, stride; /* first VF and VF to VF, in routing ids */
	uint16_t vf_device;
	uint32_t page_size;
	bool enabled;
};
/* -ENOENT when the function has no such capability. */
_must_check_ int cfg_sriov_decode(const uint8_t *raw, size_t size,
                                  struct cfg_sriov *ret);

#endif
