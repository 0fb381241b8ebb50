/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of functions of our own: MSI-X with its table and pending bits
 * (PCIe 6.0 7.7.2, 6.1.4.2 to 6.1.4.4), and the pin.
 *
 * A message leaves while MSI-X is enabled, neither the function nor the vector
 * is masked, and the function may write to memory (bus master, D0). Until then
 * it waits: as a bit here, or, of a vector that somebody else raises, as the
 * count of its eventfd, which has no irqfd meanwhile (irq_bank_hold()).
 *
 * Order: a message is sent under the lock, so that none comes after the mask
 * that a guest has set; what an eventfd counted while MSI-X was off is thrown
 * away before it is tied, since it was no interrupt.
 *
 * The pin is high while the device wants it and may: INTx Disable is clear,
 * MSI-X is off (6.1.4.3), and it is in D0.
 */

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/own_priv.h"

#define WORD 64u
#define COMMAND_INTX_OFF BIT(10)

/* A guest can cause refusals as fast as it likes: five in ten seconds. */
#define SAY_INTERVAL_NS 10000000000ull
#define SAY_BURST 5

static bool bit_get(const uint64_t *map, unsigned i)
{
	return map[i / WORD] >> i % WORD & 1;
}

static void bit_put(uint64_t *map, unsigned i, bool to)
{
	if (to)
		map[i / WORD] |= BIT64(i % WORD);
	else
		map[i / WORD] &= ~BIT64(i % WORD);
}

/* ---- messages; all under the lock ---------------------------------------- */

static bool may_send(const struct own_vectors *v, unsigned i)
{
	return v->open && !cfg_msix_masked(&v->table, i);
}

static void raise(struct own_vectors *v, unsigned i)
{
	const struct cfg_msix_entry *e = &v->table.entry[i];
	bool now = may_send(v, i);

	if (now) {
		kvm_signal_msi(v->vm, e->addr, e->data);
		stats_add(&v->counts.messages, 1);
	} else if (bit_get(v->pending, i)) {
		stats_add(&v->counts.coalesced, 1);
	} else {
		stats_add(&v->counts.held, 1);
	}
	bit_put(v->pending, i, !now);
}

/* What waited, and need not any more. */
static void release(struct own_vectors *v, unsigned i)
{
	if (bit_get(v->pending, i) && may_send(v, i))
		raise(v, i);
}

/* ---- eventfds; likewise -------------------------------------------------- */

static void drain(struct own_vectors *v, unsigned i)
{
	eventfd_t count;
	int fd = irq_bank_eventfd(v->bank, i);

	if (fd >= 0)
		(void)!eventfd_read(fd, &count);
}

/* For the commit that follows. */
static void stage(struct own_vectors *v, unsigned i)
{
	const struct cfg_msix_entry *e = &v->table.entry[i];
	const struct irq_msg msg = { e->addr, e->data };

	if (!v->enabled) {
		irq_bank_unstage(v->bank, i);
		return;
	}
	irq_bank_hold(v->bank, i, !may_send(v, i));
	/* A masked one keeps the route it has. */
	if (may_send(v, i))
		(void)!irq_bank_stage(v->bank, i, msg);
}

static void commit(struct own *o)
{
	struct own_vectors *v = &o->v;
	struct diag d = { 0 };

	if (!v->bank || irq_bank_commit(v->bank, &d) == 0 ||
	    !ratelimit_pass(&v->limit, now_ns()))
		return;
	loop_say(o->desc.name);
	loop_say_diag(&d);
}

static int make_bank(struct own_vectors *v)
{
	uint32_t id = (uint32_t)topology_bus(v->vm, v->slot) << 8;

	return v->bank ? 0 : irq_bank_new(v->vm->irqs, id, v->n, &v->bank);
}

static int make_fd(struct own_vectors *v, unsigned i)
{
	int r = make_bank(v);

	return r < 0 ? r : irq_bank_eventfd(v->bank, i);
}

/* Whoever asks again is not to believe that it is tied. */
static void forget_fd(struct own_vectors *v, unsigned i)
{
	bit_put(v->fds, i, false);
	irq_bank_unstage(v->bank, i);
	(void)!irq_bank_commit(v->bank, NULL);
}

int own_vector_fd(struct own *o, unsigned vector)
{
	struct own_vectors *v = &o->v;
	int fd, r = 0;

	if (vector >= v->n)
		return -EINVAL;
	pthread_mutex_lock(&v->lock);
	fd = make_fd(v, vector);
	if (fd >= 0 && !bit_get(v->fds, vector)) {
		bit_put(v->fds, vector, true);
		stage(v, vector);
		r = irq_bank_commit(v->bank, NULL);
		if (r < 0)
			forget_fd(v, vector);
	}
	pthread_mutex_unlock(&v->lock);
	return r < 0 ? r : fd;
}

/* ---- the table ----------------------------------------------------------- */

static void entry_changed(struct own *o, unsigned i)
{
	struct own_vectors *v = &o->v;

	if (v->bank && bit_get(v->fds, i)) {
		stage(v, i);
		commit(o);
	}
	release(v, i);
}

void own_table_write(struct own *o, uint64_t off, unsigned width,
                     uint64_t value)
{
	struct own_vectors *v = &o->v;
	struct cfg_msix_change c;

	if (!own_in_table(&o->desc, off))
		return; /* pending bits are read only */
	pthread_mutex_lock(&v->lock);
	c = cfg_msix_write(&v->table, off - o->desc.table_off, width, value);
	/* A message that is changed behind its mask waits for the unmask. */
	if (c.vector >= 0 &&
	    (c.mask || !cfg_msix_masked(&v->table, (unsigned)c.vector)))
		entry_changed(o, (unsigned)c.vector);
	pthread_mutex_unlock(&v->lock);
}

/* Eventfds that count while they are not tied. */
static uint64_t waiting_fds(struct own_vectors *v, unsigned word)
{
	uint64_t left = v->fds[word], ret = 0;
	struct pollfd p[WORD];
	unsigned at[WORD], n = 0;

	if (!v->enabled)
		return 0;
	for (; left; left &= left - 1) {
		unsigned i = word * WORD + (unsigned)__builtin_ctzll(left);

		if (may_send(v, i))
			continue;
		at[n] = i % WORD;
		p[n++] = (struct pollfd){ irq_bank_eventfd(v->bank, i), POLLIN,
			                  0 };
	}
	if (n && poll(p, n, 0) > 0)
		for (unsigned k = 0; k < n; k++)
			ret |= (uint64_t) !!(p[k].revents & POLLIN) << at[k];
	return ret;
}

/* PCIe 6.0 7.7.2.8: dwords and quadwords, aligned; other reads see a part. */
static uint64_t pending_read(struct own_vectors *v, uint64_t off)
{
	unsigned word = (unsigned)(off / 8);

	return (v->pending[word] | waiting_fds(v, word)) >> 8 * (off % 8);
}

uint64_t own_table_read(struct own *o, uint64_t off, unsigned width)
{
	struct own_vectors *v = &o->v;
	uint64_t value;

	pthread_mutex_lock(&v->lock);
	if (own_in_table(&o->desc, off))
		value = cfg_msix_read(&v->table, off - o->desc.table_off,
		                      width);
	else
		value = pending_read(v, off - o->desc.pba_off);
	pthread_mutex_unlock(&v->lock);
	return value;
}

/* ---- for devices --------------------------------------------------------- */

void own_raise(struct own *o, unsigned vector)
{
	struct own_vectors *v = &o->v;

	pthread_mutex_lock(&v->lock);
	if (v->enabled && vector < v->n)
		raise(v, vector);
	pthread_mutex_unlock(&v->lock);
}

bool own_msix_enabled(struct own *o)
{
	return atomic_load_explicit(&o->v.enabled, memory_order_relaxed);
}

static void drive(struct own_vectors *v)
{
	bool want = v->level && v->pin_open;

	if (want == v->driven)
		return;
	v->driven = want;
	stats_add(&v->counts.pin, want);
	pin_drive(v->vm, topology_gsi(v->slot, 1), want);
}

void own_intx(struct own *o, bool level)
{
	struct own_vectors *v = &o->v;

	pthread_mutex_lock(&v->lock);
	v->level = level;
	drive(v);
	pthread_mutex_unlock(&v->lock);
}

/* ---- registers have changed ---------------------------------------------- */

static void turn_on_off(struct own_vectors *v, bool enabled)
{
	if (enabled == v->enabled)
		return;
	v->enabled = enabled;
	for (unsigned i = 0; i < v->n; i += WORD)
		v->pending[i / WORD] = 0;
	for (unsigned i = 0; enabled && v->bank && i < v->n; i++)
		if (bit_get(v->fds, i))
			drain(v, i);
}

static void refresh(struct own *o)
{
	struct own_vectors *v = &o->v;

	for (unsigned i = 0; v->bank && i < v->n; i++)
		if (bit_get(v->fds, i))
			stage(v, i);
	commit(o);
	for (unsigned i = 0; i < v->n; i++)
		release(v, i);
}

void own_vectors_follow(struct own *o)
{
	const struct cfg_msix_state s = cfg_msix_state(&o->cfg);
	const bool awake = own_is_awake(o);
	struct own_vectors *v = &o->v;
	bool open, was;

	o->dma = !o->halted && own_command(o) & OWN_COMMAND_MASTER;
	open = s.enabled && !s.masked && o->dma;
	pthread_mutex_lock(&v->lock);
	was = v->enabled;
	turn_on_off(v, s.enabled);
	if (open != v->open || was != v->enabled) {
		v->open = open;
		refresh(o);
	}
	v->pin_open = o->desc.intx && awake && !s.enabled &&
	              !(cfg_command(&o->cfg) & COMMAND_INTX_OFF);
	drive(v);
	pthread_mutex_unlock(&v->lock);
}

void own_vectors_reset(struct own *o)
{
	struct own_vectors *v = &o->v;

	pthread_mutex_lock(&v->lock);
	cfg_msix_reset(&v->table);
	v->open = false;
	turn_on_off(v, false);
	refresh(o);
	v->level = false;
	/* As after reset: INTx Disable is clear. */
	v->pin_open = o->desc.intx;
	drive(v);
	pthread_mutex_unlock(&v->lock);
}

int own_vectors_init(struct own *o)
{
	const unsigned n = o->desc.vectors, words = (n + WORD - 1) / WORD;
	struct own_vectors *v = &o->v;

	pthread_mutex_init(&v->lock, NULL);
	v->vm = o->vm;
	v->slot = o->desc.slot;
	v->n = n;
	v->pin_open = o->desc.intx;
	v->limit = (struct ratelimit){ .interval_ns = SAY_INTERVAL_NS,
		                       .burst = SAY_BURST };
	v->table.vectors = (uint16_t)n;
	v->table.entry = calloc(MAX(n, 1u), sizeof(*v->table.entry));
	v->pending = calloc(MAX(words, 1u), sizeof(*v->pending));
	v->fds = calloc(MAX(words, 1u), sizeof(*v->fds));
	if (!v->table.entry || !v->pending || !v->fds)
		return -ENOMEM;
	cfg_msix_reset(&v->table);
	return 0;
}

void own_vectors_fini(struct own *o)
{
	struct own_vectors *v = &o->v;

	irq_bank_free(v->bank);
	free(v->table.entry);
	free(v->pending);
	free(v->fds);
	pthread_mutex_destroy(&v->lock);
}
