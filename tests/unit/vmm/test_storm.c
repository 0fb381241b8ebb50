/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is masked for a storm is let go, whatever becomes of the function. The
 * host's counts are a file here; the function records what it is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/storm.h"

#define BDF "0000:01:10.0"
#define VECTORS 4

static struct cfg_layout layout = {
	.msix = { .cap = 0x70, .vectors = VECTORS },
};
static bool held[VFIO_KIND_MSIX + 1][VECTORS];
static bool busy, here;
static unsigned calls, told;

/* ---- the rest of the VMM, and vfio --------------------------------------- */

struct vfio_dev *assign_device(struct vm *vm, unsigned i)
{
	(void)vm;
	return here && !i ? (struct vfio_dev *)&layout : NULL;
}

const struct cfg_layout *vfio_dev_layout(const struct vfio_dev *v)
{
	return (const struct cfg_layout *)v;
}

bool vfio_dev_throttle(struct vfio_dev *v, enum vfio_irq_kind kind,
                       unsigned index, bool on)
{
	(void)v;
	calls++;
	assert_true(index < VECTORS);
	if (!busy)
		held[kind][index] = on;
	return !busy;
}

void loop_say_diag(const struct diag *d)
{
	assert_int_equal(d->code, FL_VMM_STORM);
	told++;
}

/* ---- a host -------------------------------------------------------------- */

struct host {
	struct vm vm;
	struct storms *storms;
};

static void make(struct host *h)
{
	struct diag d;

	memset(h, 0, sizeof(*h));
	memset(held, 0, sizeof(held));
	busy = false;
	here = true;
	calls = told = 0;
	h->vm.cfg.n_devices = 1;
	h->vm.cfg.interrupt_limit = 1000;
	h->vm.cfg.interrupts_fd = memfd_create("interrupts", MFD_CLOEXEC);
	snprintf(h->vm.cfg.device[0].bdf, BDF_STRLEN, "%s", BDF);
	assert_int_equal(storms_new(&h->vm, &h->storms, &d), 0);
}

static void end(struct host *h)
{
	storms_free(h->storms);
	close_fd(&h->vm.cfg.interrupts_fd);
}

/* The next second, with these lines. */
static void tick(struct host *h, const char *lines)
{
	const struct itimerspec now = { .it_value = { .tv_nsec = 1 } };
	struct pollfd p = { .fd = storms_fd(h->storms), .events = POLLIN };

	assert_int_equal(ftruncate(h->vm.cfg.interrupts_fd, 0), 0);
	assert_int_equal(fd_pwrite_full(h->vm.cfg.interrupts_fd, lines,
	                                strlen(lines), 0),
	                 0);
	assert_int_equal(timerfd_settime(p.fd, 0, &now, NULL), 0);
	assert_int_equal(poll(&p, 1, 1000), 1);
	storms_tick(h->storms);
}

#define LINE(count, owner) " 45: " count " chip 1-edge " owner "(" BDF ")\n"

static void storm(struct host *h)
{
	tick(h, LINE("1", "vfio-msix[0]"));
	tick(h, LINE("100000000", "vfio-msix[0]"));
}

/* ---- tests --------------------------------------------------------------- */

static void masked(void **state)
{
	struct host h;

	(void)state;
	make(&h);
	storm(&h);
	assert_true(held[VFIO_KIND_MSIX][0]);
	assert_int_equal(told, 1);
	assert_int_equal(storms_masked(h.storms), 1);
	/* Its time is a second: not yet. */
	tick(&h, "");
	assert_true(held[VFIO_KIND_MSIX][0]);
	end(&h);
}

/* Nobody would remember that it was held. */
static void another_kind(void **state)
{
	struct host h;

	(void)state;
	make(&h);
	storm(&h);
	assert_true(held[VFIO_KIND_MSIX][0]);
	tick(&h, LINE("1", "vfio-intx"));
	assert_false(held[VFIO_KIND_MSIX][0]);
	end(&h);
}

/* A guest that resets the device over and over: tried again, once a second. */
static void busy_device(void **state)
{
	struct host h;

	(void)state;
	make(&h);
	busy = true;
	tick(&h, LINE("1", "vfio-msix[0]") LINE("1", "vfio-msix[1]"));
	tick(&h, LINE("100000000", "vfio-msix[0]")
	                 LINE("100000000", "vfio-msix[1]"));
	assert_int_equal(calls, 1);
	assert_int_equal(told + storms_masked(h.storms), 0);
	busy = false;
	tick(&h, LINE("200000000", "vfio-msix[0]"));
	assert_true(held[VFIO_KIND_MSIX][0]);
	/* Nor is it forgotten when the kind changes meanwhile. */
	busy = true;
	tick(&h, LINE("1", "vfio-intx"));
	assert_true(held[VFIO_KIND_MSIX][0]);
	busy = false;
	tick(&h, LINE("1", "vfio-intx"));
	assert_false(held[VFIO_KIND_MSIX][0]);
	end(&h);
}

static void gone(void **state)
{
	struct host h;

	(void)state;
	make(&h);
	storm(&h);
	here = false;
	tick(&h, "");
	assert_int_equal(calls, 1);
	end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masked),
		cmocka_unit_test(another_kind),
		cmocka_unit_test(busy_device),
		cmocka_unit_test(gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
