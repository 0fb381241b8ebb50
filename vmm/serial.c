/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A at COM1 (National PC16550D data sheet, section 8). The transmitter
 * is never busy: a byte written goes to the console's ring at once, so THRE
 * and TEMT are always set. The receiver has the 16 byte FIFO and its trigger.
 *
 *   off  read            write            DLAB=1
 *   0    RBR             THR              DLL
 *   1    IER             IER              DLM
 *   2    IIR             FCR
 *   3    LCR             LCR
 *   4    MCR             MCR
 *   5    LSR             -
 *   6    MSR             -
 *   7    SCR             SCR
 *
 * The character time-out interrupt (table IV) is taken to come at once: bytes
 * below the trigger level do not wait for time to pass.
 */

#include <unistd.h>

#include "vmm/priv.h"

enum {
	IER_RDI = 0x01,
	IER_THRI = 0x02,
	IER_RLSI = 0x04,
	IER_MSI = 0x08,
	IIR_NONE = 0x01,
	IIR_MSI = 0x00,
	IIR_THRI = 0x02,
	IIR_RDI = 0x04,
	IIR_RLSI = 0x06,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFO = 0xc0,
	FCR_ENABLE = 0x01,
	FCR_CLEAR_RX = 0x02,
	LCR_DLAB = 0x80,
	MCR_DTR = 0x01,
	MCR_RTS = 0x02,
	MCR_OUT1 = 0x04,
	MCR_OUT2 = 0x08,
	MCR_LOOP = 0x10,
	LSR_DR = 0x01,
	LSR_OE = 0x02,
	LSR_THRE = 0x20,
	LSR_TEMT = 0x40,
	MSR_DELTA = 0x0f,
	MSR_TERI = 0x04,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80,
};

#define FIFO 16u

struct serial {
	struct vm *vm;
	pthread_mutex_t lock;
	uint8_t rx[FIFO];
	unsigned rx_head, rx_len;
	uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
	bool overrun, thri; /* thri: THRE interrupt not yet taken */
	bool line;          /* level of the interrupt pin as KVM has it */
};

static unsigned fifo_size(const struct serial *s)
{
	return s->fcr & FCR_ENABLE ? FIFO : 1;
}

static unsigned rx_trigger(const struct serial *s)
{
	static const uint8_t level[4] = { 1, 4, 8, 14 };

	return s->fcr & FCR_ENABLE ? level[s->fcr >> 6] : 1;
}

/* The source of highest priority, table IV. */
static uint8_t pending(const struct serial *s)
{
	if ((s->ier & IER_RLSI) && s->overrun)
		return IIR_RLSI;
	if ((s->ier & IER_RDI) && s->rx_len)
		return s->rx_len >= rx_trigger(s) ? IIR_RDI : IIR_TIMEOUT;
	if ((s->ier & IER_THRI) && s->thri)
		return IIR_THRI;
	if ((s->ier & IER_MSI) && (s->msr & MSR_DELTA))
		return IIR_MSI;
	return IIR_NONE;
}

/* The PC gates the interrupt by OUT2, which loopback takes off the pin. */
static void update_irq(struct serial *s)
{
	bool line = pending(s) != IIR_NONE && (s->mcr & MCR_OUT2) &&
	            !(s->mcr & MCR_LOOP);

	if (line == s->line)
		return;
	s->line = line;
	kvm_irq_line(s->vm, GSI_COM1, line);
}

static void rx_push(struct serial *s, uint8_t byte)
{
	if (s->rx_len >= fifo_size(s)) {
		s->overrun = true;
		return;
	}
	s->rx[(s->rx_head + s->rx_len++) % FIFO] = byte;
}

static uint8_t rx_pop(struct serial *s)
{
	uint8_t byte = s->rx[s->rx_head];

	if (!s->rx_len)
		return 0;
	/* The loop stopped reading the console when the FIFO was full. */
	if (s->rx_len-- == fifo_size(s)) {
		uint64_t one = 1;

		(void)!write(s->vm->event_fd, &one, sizeof(one));
	}
	s->rx_head = (s->rx_head + 1) % FIFO;
	return byte;
}

/* Modem inputs: a terminal that is there; in loopback the outputs, 8.6.7. */
static uint8_t modem_inputs(const struct serial *s)
{
	uint8_t v = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (s->mcr & MCR_RTS)
		v |= MSR_CTS;
	if (s->mcr & MCR_DTR)
		v |= MSR_DSR;
	if (s->mcr & MCR_OUT1)
		v |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		v |= MSR_DCD;
	return v;
}

/* Delta bits tell what changed; the ring indicator's only its falling edge. */
static void update_msr(struct serial *s)
{
	uint8_t now = modem_inputs(s), old = s->msr & (uint8_t)~MSR_DELTA;
	uint8_t delta = (uint8_t)((now ^ old) >> 4);

	if (now & MSR_RI)
		delta &= (uint8_t)~MSR_TERI;
	s->msr = (uint8_t)(now | (s->msr & MSR_DELTA) | delta);
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t id = pending(s);

	if (id == IIR_THRI)
		s->thri = false; /* reading it as the source clears it */
	return (uint8_t)(id | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static uint8_t read_lsr(struct serial *s)
{
	uint8_t v = LSR_THRE | LSR_TEMT;

	if (s->rx_len)
		v |= LSR_DR;
	if (s->overrun)
		v |= LSR_OE;
	s->overrun = false;
	return v;
}

static uint8_t read_msr(struct serial *s)
{
	uint8_t v = s->msr;

	s->msr &= (uint8_t)~MSR_DELTA;
	return v;
}

static uint8_t read_reg(struct serial *s, unsigned reg)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case 0:
		return dlab ? s->dll : rx_pop(s);
	case 1:
		return dlab ? s->dlm : s->ier;
	case 2:
		return read_iir(s);
	case 3:
		return s->lcr;
	case 4:
		return s->mcr;
	case 5:
		return read_lsr(s);
	case 6:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void transmit(struct serial *s, uint8_t byte)
{
	s->thri = true; /* sent already */
	if (s->mcr & MCR_LOOP)
		rx_push(s, byte);
	else
		console_output(s->vm->console, &byte, 1);
}

static void write_ier(struct serial *s, uint8_t v)
{
	/* Enabling it while the holding register is empty raises it. */
	if ((v & IER_THRI) && !(s->ier & IER_THRI))
		s->thri = true;
	s->ier = v & 0x0f;
}

static void write_fcr(struct serial *s, uint8_t v)
{
	/* A change of the enable bit clears the FIFOs, 8.6.4. */
	if (((v ^ s->fcr) & FCR_ENABLE) || (v & FCR_CLEAR_RX))
		s->rx_len = 0;
	s->fcr = v & FCR_ENABLE ? v & 0xc9 : 0;
}

static void write_reg(struct serial *s, unsigned reg, uint8_t v)
{
	bool dlab = s->lcr & LCR_DLAB;

	if (reg == 0 && dlab)
		s->dll = v;
	else if (reg == 0)
		transmit(s, v);
	else if (reg == 1 && dlab)
		s->dlm = v;
	else if (reg == 1)
		write_ier(s, v);
	else if (reg == 2)
		write_fcr(s, v);
	else if (reg == 3)
		s->lcr = v;
	else if (reg == 4)
		s->mcr = v & 0x1f;
	else if (reg == 7)
		s->scr = v;
	if (reg == 4)
		update_msr(s);
}

/* Wider accesses are split into bytes, as an 8-bit device's bus does. */
static uint64_t serial_read(void *ctx, uint64_t off, unsigned width)
{
	struct serial *s = ctx;
	uint64_t v = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < width; i++)
		v |= (uint64_t)read_reg(s, (unsigned)off + i) << 8 * i;
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return v;
}

static void serial_write(void *ctx, uint64_t off, unsigned width,
                         uint64_t value)
{
	struct serial *s = ctx;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < width; i++)
		write_reg(s, (unsigned)off + i, (uint8_t)(value >> 8 * i));
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

static const struct bus_ops serial_ops = {
	.read = serial_read,
	.write = serial_write,
};

/* Table III, "after master reset". */
static void power_on(struct serial *s)
{
	s->rx_head = s->rx_len = 0;
	s->ier = s->fcr = s->lcr = s->mcr = s->scr = 0;
	s->dll = s->dlm = 0;
	s->overrun = s->thri = false;
	s->msr = modem_inputs(s);
}

int serial_new(struct vm *vm, struct serial **ret)
{
	struct serial *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->vm = vm;
	pthread_mutex_init(&s->lock, NULL);
	power_on(s);
	r = bus_add(vm->pio, PORT_COM1, 8, EXIT_SERIAL, &serial_ops, s);
	if (r < 0) {
		serial_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void serial_free(struct serial *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void serial_reset(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	power_on(s);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

size_t serial_room(struct serial *s)
{
	size_t room;

	pthread_mutex_lock(&s->lock);
	/* In loopback the line is cut: nothing from outside comes in. */
	room = s->mcr & MCR_LOOP ? 0
	                         : fifo_size(s) - MIN(s->rx_len, fifo_size(s));
	pthread_mutex_unlock(&s->lock);
	return room;
}

size_t serial_input(struct serial *s, const uint8_t *buf, size_t len)
{
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	while (n < len && !(s->mcr & MCR_LOOP) && s->rx_len < fifo_size(s))
		rx_push(s, buf[n++]);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}
