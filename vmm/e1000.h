/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_E1000_H
#define FL_VMM_E1000_H

/*
 * The parts of an 82540EM. Sections are of Intel's manual for software
 * developers, "PCI/PCI-X Family of Gigabit Ethernet Controllers", 317453
 * revision 4.0: "SDM 13.4.1".
 *
 * Locks, in this order: tx.lock, rx.lock, lock, each held for a bounded time.
 *   tx.lock   the transmit engine: the vCPU that wrote TDT, or the loop
 *   rx.lock   the receive engine: the loop; a vCPU when frames are looped back
 *   lock      all other registers, and the interrupt; innermost
 * Ring tails are atomic: who writes RDT does not wait for a burst of packets.
 * Registers that the engines go by are written with all three, so that an
 * engine may read them with its own.
 */

#include "vmm/io.h"
#include "vmm/own.h"

#include <linux/virtio_net.h>
#include <sys/uio.h>

/* ---- registers, SDM table 13-2 ------------------------------------------- */

enum {
	R_CTRL = 0x0000,
	R_STATUS = 0x0008,
	R_EECD = 0x0010,
	R_EERD = 0x0014,
	R_CTRL_EXT = 0x0018,
	R_FLA = 0x001c,
	R_MDIC = 0x0020,
	R_FCAL = 0x0028,
	R_FCAH = 0x002c,
	R_FCT = 0x0030,
	R_VET = 0x0038,
	R_ICR = 0x00c0,
	R_ITR = 0x00c4,
	R_ICS = 0x00c8,
	R_IMS = 0x00d0,
	R_IMC = 0x00d8,
	R_RCTL = 0x0100,
	R_FCTTV = 0x0170,
	R_TXCW = 0x0178,
	R_RXCW = 0x0180,
	R_TCTL = 0x0400,
	R_TIPG = 0x0410,
	R_AIT = 0x0458,
	R_LEDCTL = 0x0e00,
	R_PBA = 0x1000,
	R_FCRTL = 0x2160,
	R_FCRTH = 0x2168,
	R_RDFH = 0x2410,
	R_RDFT = 0x2418,
	R_RDFHS = 0x2420,
	R_RDFTS = 0x2428,
	R_RDFPC = 0x2430,
	R_RDBAL = 0x2800,
	R_RDBAH = 0x2804,
	R_RDLEN = 0x2808,
	R_RDH = 0x2810,
	R_RDT = 0x2818,
	R_RDTR = 0x2820,
	R_RXDCTL = 0x2828,
	R_RADV = 0x282c,
	R_RSRPD = 0x2c00,
	R_TXDMAC = 0x3000,
	R_TDFH = 0x3410,
	R_TDFT = 0x3418,
	R_TDFHS = 0x3420,
	R_TDFTS = 0x3428,
	R_TDFPC = 0x3430,
	R_TDBAL = 0x3800,
	R_TDBAH = 0x3804,
	R_TDLEN = 0x3808,
	R_TDH = 0x3810,
	R_TDT = 0x3818,
	R_TIDV = 0x3820,
	R_TXDCTL = 0x3828,
	R_TADV = 0x382c,
	R_TSPMT = 0x3830,
	R_STATS = 0x4000, /* SDM 13.7 */
	R_STATS_END = 0x4100,
	R_RXCSUM = 0x5000,
	R_MTA = 0x5200,  /* 128 */
	R_RA = 0x5400,   /* 16 pairs */
	R_VFTA = 0x5600, /* 128 */
	R_WUC = 0x5800,
	R_WUFC = 0x5808,
	R_WUS = 0x5810,
	R_MANC = 0x5820,
	R_IPAV = 0x5838,
	R_IP4AT = 0x5840, /* 4, 8 bytes apart */
	R_IP6AT = 0x5880, /* 4 */
	R_WUPL = 0x5900,
	R_WUPM = 0x5a00, /* 32 */
	E1000_REGS_END = 0x5a80,
};

#define E1000_BAR_MEM (128u << 10)
#define E1000_BAR_IO 64u

enum {
	CTRL_FD = BIT(0),
	CTRL_LRST = BIT(3),
	CTRL_SLU = BIT(6),
	CTRL_RST = BIT(26),
	CTRL_VME = BIT(30),
	CTRL_PHY_RST = BIT(31),
	STATUS_FD = BIT(0),
	STATUS_LU = BIT(1),
	STATUS_SPEED_1000 = BIT(7),
	CTRL_EXT_EE_RST = BIT(13),
	TCTL_EN = BIT(1),
	RCTL_EN = BIT(1),
	RCTL_SBP = BIT(2),
	RCTL_UPE = BIT(3),
	RCTL_MPE = BIT(4),
	RCTL_LPE = BIT(5),
	RCTL_LBM = BITS(7, 6),
	RCTL_RDMTS = BITS(9, 8),
	RCTL_MO = BITS(13, 12),
	RCTL_BAM = BIT(15),
	RCTL_BSIZE = BITS(17, 16),
	RCTL_VFE = BIT(18),
	RCTL_BSEX = BIT(25),
	RCTL_SECRC = BIT(26),
	RXCSUM_TUOFLD = BIT(9),
	RAH_AV = BIT(31),
};

/* Interrupt causes, SDM 13.4.17. */
enum {
	INT_TXDW = BIT(0),
	INT_TXQE = BIT(1),
	INT_LSC = BIT(2),
	INT_RXSEQ = BIT(3),
	INT_RXDMT0 = BIT(4),
	INT_RXO = BIT(6),
	INT_RXT0 = BIT(7),
	INT_MDAC = BIT(9),
	INT_TXD_LOW = BIT(15),
	INT_ALL = BITS(16, 15) | BITS(14, 9) | BITS(7, 6) | BITS(4, 0),
	/* What may be forced: the test of a driver forces all of 9:0. */
	INT_FORCE = INT_ALL | BIT(8) | BIT(5),
};

#define E1000_DESC ((size_t)16)
#define E1000_RING_MAX 65536u /* by RDLEN, TDLEN: 20 bits */
#define E1000_SEGS 128u       /* descriptors of a packet */
#define E1000_HEAD 272u       /* of a packet that is changed on its way */
#define E1000_FRAME_MAX 16384u
#define E1000_SEND_MAX 65536u /* what one descriptor chain may ask for */
#define E1000_MIN 60u         /* without its CRC */
#define E1000_CRC 4u
#define E1000_TAG 4u
#define E1000_MACS 12u /* destination, source */
#define E1000_RAR 16u

struct e1000_ring {
	uint8_t *base; /* NULL = not in RAM: nothing is done */
	uint32_t n;    /* descriptors */
	_Atomic uint32_t head, tail;
};

/* ---- transmit ------------------------------------------------------------ */

/* SDM 3.3.6: what the last context descriptor of its kind said. */
struct e1000_context {
	uint8_t ipcss, ipcso, tucss, tucso, hdrlen;
	uint16_t ipcse, tucse, mss;
	bool ip4, tcp;
};

/* One packet of the guest's, from its descriptors. The pieces begin at iov[2]:
 * [0] and [1] are for headers of ours. */
struct e1000_packet {
	struct iovec iov[2 + E1000_SEGS];
	unsigned n; /* pieces */
	uint32_t len;
	unsigned descs;
	bool bad; /* not in RAM, or too much: lost */
	bool tso, ixsm, txsm, tag;
	uint16_t vlan;
	struct e1000_context cx;
	/* Descriptors that want to be reported, SDM 3.3.3.1. */
	uint64_t report[E1000_SEGS / 64];
};

/* Of one burst, to be added to the registers. */
struct e1000_count {
	uint32_t packets, broadcast, multicast, size[6];
	uint64_t bytes;
	uint32_t missed, long_, short_;
	uint32_t tso, tso_failed;
};

struct e1000_tx {
	pthread_mutex_t lock;
	struct e1000_ring ring;
	bool on;
	bool loop;         /* frames come back to the receiver */
	bool dropping;     /* the rest of a packet with too many pieces */
	_Atomic bool want; /* there is more, for the loop */
	/* Causes of this burst: at once, and those that may wait; descriptors
	 * that wait to be told of. */
	uint32_t causes, late, fresh, untold;
	struct e1000_context cx[2]; /* [1]: of TCP segmentation */
	uint8_t *bounce;            /* e1000_segment.c's, when needed */
	struct e1000_count count;
	struct e1000_packet packet;
};

/* ---- receive ------------------------------------------------------------- */

/* Free descriptors, as pieces to read into. iov[0] is the header of the tap's;
 * behind the buffers comes one byte, by which a frame is known to be longer. */
struct e1000_room {
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct iovec iov[1 + E1000_FRAME_MAX / 256 + 1];
	unsigned n;     /* buffers */
	uint32_t bytes; /* that they have, to the longest frame's or beyond */
	uint8_t more;
};

struct e1000_rx {
	pthread_mutex_t lock;
	struct e1000_ring ring;
	bool on;
	uint32_t size;         /* of a buffer */
	uint32_t longest, crc; /* with `crc` bytes of CRC */
	uint32_t low;          /* free descriptors at which RXDMT0 comes */
	/* Descriptors that the longest frame took so far: with fewer it is
	 * better to wait than to lose one. */
	_Atomic uint32_t need;
	_Atomic bool starved;
	uint32_t causes;
	uint8_t *sink; /* E1000_FRAME_MAX: for buffers that are not in RAM */
	struct e1000_count count;
	struct e1000_room room;
};

/* ---- the device ---------------------------------------------------------- */

/* Microwire, SDM 5.3 and 13.4.3: what has been clocked in. */
struct e1000_eeprom {
	uint16_t word[64];
	uint32_t in, out;
	unsigned bits;
};

struct e1000_irq {
	uint32_t late;     /* causes that may wait */
	uint64_t late_ns;  /* until then */
	uint64_t last_ns;  /* the pin went high */
	uint64_t timer_ns; /* when the timer will be heard, 0 = off */
	bool level;
	int timer_fd;
	struct io_watch watch;
};

struct e1000 {
	struct vm *vm;
	struct own *own;
	int tap;
	char name[VM_NAME];
	uint8_t mac[6];
	struct e1000_tx tx;
	struct e1000_rx rx;

	pthread_mutex_t lock;
	uint32_t reg[E1000_REGS_END / 4];
	uint32_t ioaddr; /* SDM 13.3: window in BAR 1 */
	uint16_t phy[32];
	struct e1000_eeprom eeprom;
	struct e1000_irq irq;
	struct io_watch watch; /* of the tap */
	uint32_t events;
	bool gone; /* the tap */
};

static inline uint32_t e1000_reg(const struct e1000 *e, unsigned off)
{
	return e->reg[off / 4];
}

/* e1000_regs.c: what a write keeps, what a read gives. Any thread. */
uint32_t e1000_read_reg(struct e1000 *e, uint32_t off);
void e1000_write_reg(struct e1000 *e, uint32_t off, uint32_t v);

/* e1000.c */
void e1000_reset_mac(struct e1000 *e); /* SDM 14: CTRL.RST */
void e1000_watch(struct e1000 *e); /* `lock` held: what the loop waits for */
void e1000_gone(struct e1000 *e);  /* the loop; no lock held */

/* e1000_eeprom.c; `lock` held */
void e1000_eeprom_init(struct e1000_eeprom *p, const uint8_t mac[static 6]);
uint32_t e1000_eecd_read(struct e1000 *e);
void e1000_eecd_write(struct e1000 *e, uint32_t v);
void e1000_eerd_write(struct e1000 *e, uint32_t v);

/* e1000_phy.c; `lock` held */
void e1000_phy_init(struct e1000 *e);
void e1000_mdic_write(struct e1000 *e, uint32_t v);
bool e1000_phy_loops(const struct e1000 *e);
void e1000_link_update(struct e1000 *e);

/* e1000_irq.c; `lock` held */
void e1000_raise(struct e1000 *e, uint32_t causes);
/* May wait for others: until `ticks` of 1.024 us from now. */
void e1000_raise_late(struct e1000 *e, uint32_t causes, uint32_t ticks);
void e1000_unmasked(struct e1000 *e); /* before the update */
void e1000_irq_update(struct e1000 *e);
void e1000_irq_reset(struct e1000 *e);
uint32_t e1000_icr_take(struct e1000 *e);
_must_check_ int e1000_irq_init(struct e1000 *e);
void e1000_irq_ready(void *ctx, uint32_t events); /* the timer's */

/* e1000_stats.c */
void e1000_count_frame(struct e1000_count *c, const uint8_t *dst, uint32_t len);
void e1000_count_tx(struct e1000 *e, struct e1000_count *c); /* `lock` held */
void e1000_count_rx(struct e1000 *e, struct e1000_count *c);
uint32_t e1000_stat_read(struct e1000 *e, uint32_t off);

/* e1000_tx.c */
void e1000_tx_kick(struct e1000 *e, uint32_t tail);
void e1000_tx_run(struct e1000 *e); /* a burst */
/* From the registers; all locks held. */
void e1000_tx_setup(struct e1000 *e);

/* e1000_send.c; tx.lock held. 0 = it has left, or is lost; -EAGAIN. */
int e1000_send(struct e1000 *e, struct e1000_packet *p);
/* iov[0] is the tap's header, iov[1] has the addresses; `len` of the frame. */
int e1000_put(struct e1000 *e, const struct iovec *iov, unsigned n,
              uint32_t len);
/* RFC 1071, of big-endian words, `sum` added; not folded. */
uint32_t e1000_sum(const uint8_t *p, size_t len, uint32_t sum);
uint16_t e1000_fold(uint32_t sum);

/* e1000_segment.c; tx.lock held: all of it done here. */
int e1000_send_soft(struct e1000 *e, struct e1000_packet *p);

/* e1000_rx.c */
void e1000_rx_run(struct e1000 *e); /* a burst */
void e1000_rx_tail(struct e1000 *e, uint32_t tail);
/* A frame of our own transmitter; tx.lock held. */
void e1000_rx_loop(struct e1000 *e, const uint8_t *data, uint32_t len);
/* From the registers; all locks held. */
void e1000_rx_setup(struct e1000 *e);
bool e1000_rx_ready(const struct e1000 *e); /* is the tap to be read? */

/* e1000_filter.c; rx.lock held. */
bool e1000_accepts(const struct e1000 *e, const uint8_t *frame, uint32_t len);

/* A ring's place by its registers, from base address (low) `off`. */
void e1000_ring_setup(struct e1000 *e, struct e1000_ring *r, unsigned off);

#endif
