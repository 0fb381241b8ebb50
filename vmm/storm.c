/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt storms, where the policy sets a limit (interrupt-limit: of the
 * guest). Once a second the host's own counts are read and each vector's rate
 * is judged (irq-remap's irq_storm); one above the limit is masked in its
 * device, for longer each time. Without a limit there is no timer and no work.
 *
 * The host counts only what it sees: a vector that is posted to its vCPU costs
 * the host nothing, and is not limited.
 *
 * While a vector is masked the kernel has no handler for it, so its line is
 * gone from /proc/interrupts: its time runs by what was counted before.
 */

#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/storm.h"

#define FIRST_MS 1000u
#define LONGEST_MS 64000u
/* A storm can come each second: five in a minute are told. */
#define NOISE_NS 60000000000ull
#define NOISE_BURST 5

/* The vectors of one function; it has one kind of interrupt at a time. */
struct sources {
	char bdf[BDF_STRLEN]; /* "" = none */
	enum irq_host_kind kind;
	unsigned n;
	uint64_t busy;           /* the pass that found the device in a reset */
	struct irq_storm *storm; /* by index; allocated on first use */
};
struct storms {
	struct vm *vm;
	int timer;
	struct irq_storm_limit limit;
	uint64_t now; /* of the present pass */
	uint32_t masked;
	struct ratelimit noise;
	struct sources of[VM_DEVICES_MAX];
};

/* ---- one vector ---------------------------------------------------------- */

static void tell(struct storms *s, unsigned device, unsigned index,
                 uint64_t per_second)
{
	const struct vm_device *c = &s->vm->cfg.device[device];
	struct diag d;

	if (!ratelimit_pass(&s->noise, s->now))
		return;
	diag_fail(&d, -EAGAIN, FL_VMM_STORM,
	          "interrupt storm of %s (%s), vector %u: masked for %u ms",
	          c->name, c->bdf, index, s->of[device].storm[index].off_ms);
	diag_why(&d,
	         "%llu a second; interrupt-limit: allows %u; masked %u times "
	         "so far",
	         (unsigned long long)per_second, s->limit.per_second,
	         s->of[device].storm[index].masked);
	diag_mend(&d, "the guest's driver (interrupt moderation: ethtool -c), "
	              "or a higher interrupt-limit: in the policy");
	loop_say_diag(&d);
}

/* False when it is to be tried again: the device is in a reset, and a guest can
 * have it there again and again. It is waited for once a pass, not once a
 * vector. */
static bool throttle(struct storms *s, unsigned device, unsigned index, bool on)
{
	struct vfio_dev *v = assign_device(s->vm, device);
	struct sources *of = &s->of[device];

	if (!v)
		return true;
	if (of->busy == s->now)
		return false;
	/* The kinds have one order in both headers. */
	if (vfio_dev_throttle(v, (enum vfio_irq_kind)of->kind, index, on))
		return true;
	of->busy = s->now;
	return false;
}

static void judge(struct storms *s, unsigned device, unsigned index,
                  uint64_t count)
{
	struct sources *of = &s->of[device];
	struct irq_storm *storm = &of->storm[index], was = *storm;
	enum irq_storm_verdict verdict =
		irq_storm_sample(storm, &s->limit, s->now, count);

	if (verdict == IRQ_STORM_NONE)
		return;
	if (!throttle(s, device, index, verdict == IRQ_STORM_MASK)) {
		*storm = was;
		return;
	}
	if (verdict != IRQ_STORM_MASK)
		return;
	s->masked++;
	tell(s, device, index,
	     (uint64_t)((double)(count - was.count) * 1e9 /
	                (double)(s->now - was.since_ns)));
}

/* ---- all of them --------------------------------------------------------- */

static unsigned room_of(struct vfio_dev *v)
{
	const struct cfg_layout *l = vfio_dev_layout(v);

	return MAX(MAX(l->msix.cap ? l->msix.vectors : 0u,
	               l->msi.cap ? l->msi.vectors : 0u),
	           1u);
}

/* What vfio holds back it holds through every change of kind: it must not be
 * forgotten here. False when some of it is held still. */
static bool forget(struct storms *s, unsigned device)
{
	struct sources *of = &s->of[device];

	for (unsigned k = 0; k < of->n && of->storm; k++) {
		if (!of->storm[k].until_ns)
			continue;
		if (!throttle(s, device, k, false))
			return false;
		of->storm[k].until_ns = 0;
	}
	return true;
}

/* False when there is no memory, or the device is busy: that function is not
 * limited now. */
static bool fits(struct storms *s, unsigned device, const struct irq_host *line,
                 struct vfio_dev *v)
{
	struct sources *of = &s->of[device];

	if (strcmp(of->bdf, line->bdf) != 0 || of->kind != line->kind) {
		/* Another function, or its interrupts are of another kind
		 * now. */
		if (!forget(s, device))
			return false;
		free(of->storm);
		*of = (struct sources){ .kind = line->kind, .n = room_of(v) };
		snprintf(of->bdf, sizeof(of->bdf), "%s", line->bdf);
		of->storm = calloc(of->n, sizeof(*of->storm));
	}
	return of->storm && line->index < of->n;
}

static void on_line(const struct irq_host *line, void *arg)
{
	struct storms *s = arg;

	for (unsigned i = 0; i < s->vm->cfg.n_devices; i++) {
		struct vfio_dev *v = assign_device(s->vm, i);

		if (!v || strcmp(s->vm->cfg.device[i].bdf, line->bdf) != 0)
			continue;
		/* One that is masked is seen to afterwards. */
		if (fits(s, i, line, v) &&
		    !s->of[i].storm[line->index].until_ns)
			judge(s, i, line->index, line->count);
		return;
	}
}

static void let_go(struct storms *s)
{
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++)
		for (unsigned k = 0; k < s->of[i].n && s->of[i].storm; k++)
			if (s->of[i].storm[k].until_ns)
				judge(s, i, k, s->of[i].storm[k].count);
}

static void stop(struct storms *s, int err)
{
	static const struct itimerspec never;
	struct diag d;

	diag_fail(&d, err, FL_VMM_STORM,
	          "interrupts of this guest are not limited any more");
	diag_why(&d, "/proc/interrupts: %s", strerror(-err));
	diag_mend(&d, "restart the guest");
	loop_say_diag(&d);
	(void)!timerfd_settime(s->timer, 0, &never, NULL);
}

void storms_tick(struct storms *s)
{
	uint64_t ticks;
	int r;

	if (!s || read(s->timer, &ticks, sizeof(ticks)) <= 0)
		return;
	s->now = now_ns();
	let_go(s);
	r = irq_host_each(s->vm->cfg.interrupts_fd, on_line, s);
	if (r < 0)
		stop(s, r);
}

/* ---- life ---------------------------------------------------------------- */

int storms_new(struct vm *vm, struct storms **ret, struct diag *d)
{
	static const struct itimerspec each_second = {
		.it_value = { .tv_sec = 1 },
		.it_interval = { .tv_sec = 1 },
	};
	struct storms *s;
	int r;

	if (!vm->cfg.interrupt_limit || vm->cfg.interrupts_fd < 0)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return diag_fail(d, -ENOMEM, FL_VMM_STORM,
		                 "no memory to limit interrupts");
	s->vm = vm;
	s->limit = (struct irq_storm_limit){
		.per_second = vm->cfg.interrupt_limit,
		.first_ms = FIRST_MS,
		.longest_ms = LONGEST_MS,
	};
	s->noise = (struct ratelimit){ .interval_ns = NOISE_NS,
		                       .burst = NOISE_BURST };
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->timer < 0 ||
	    timerfd_settime(s->timer, 0, &each_second, NULL) < 0) {
		r = diag_fail(d, -errno, FL_VMM_STORM,
		              "no timer to limit interrupts");
		diag_why(d, "%s", strerror(-r));
		diag_mend_else(d, "interrupt-limit: none in the policy");
		storms_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void storms_free(struct storms *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++)
		free(s->of[i].storm);
	close_fd(&s->timer);
	free(s);
}

int storms_fd(const struct storms *s)
{
	return s ? s->timer : -1;
}

uint32_t storms_masked(const struct storms *s)
{
	return s ? s->masked : 0;
}
