/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening, with each call to the kernel failing in turn: the error names the
 * call and the device, and nothing is left behind. */

#include "tests/unit/vfio/fake.h"

#include <dirent.h>
#include <stdlib.h>

static unsigned count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A device with everything that opening has to ask for. */
static void init(struct fake *f)
{
	fake_init(f);
	f->pin = 1;
	f->err_count = 1;
}

/* Kernels without such an interrupt answer so. */
static bool may_be_absent(const struct fake *f)
{
	return f->fail_error == EINVAL &&
	       !strcmp(f->failed, "VFIO_DEVICE_GET_IRQ_INFO") &&
	       (f->failed_irq == VFIO_PCI_REQ_IRQ_INDEX ||
	        f->failed_irq == VFIO_PCI_ERR_IRQ_INDEX);
}

static void check_refusal(const struct fake *f, const struct diag *d, int err)
{
	char all[3 * DIAG_LINE];

	snprintf(all, sizeof(all), "%s %s", d->what, d->why);
	assert_true(d->code >= 401 && d->code < 1000);
	if (!strstr(all, f->bdf))
		fail_msg("no device in: %s", all);
	if (!strstr(all, strerror(err)) && err != ENOSPC)
		fail_msg("no reason in: %s", all);
	if (strncmp(f->failed, "VFIO_", 5) == 0 && !strstr(all, f->failed))
		fail_msg("%s is not named in: %s", f->failed, all);
}

/* False when opening makes fewer than `n` calls. */
static bool fail_call(struct fake *f, unsigned n, int err, unsigned *refused)
{
	unsigned before = count_descriptors();
	struct diag d = { 0 };
	bool reached;
	int r;

	init(f);
	f->fail_call = n;
	f->fail_error = err;
	r = fake_open(f, true, &d);
	reached = f->failed;
	if (r < 0) {
		assert_int_equal(r, -err);
		check_refusal(f, &d, err);
		assert_null(f->dev);
		(*refused)++;
	} else if (reached) {
		assert_true(may_be_absent(f));
	}
	fake_close(f);
	assert_int_equal(count_descriptors(), before);
	return reached;
}

static void test_each_call(void **state _unused_)
{
	static const int errors[] = { EIO,    ENOMEM, EINVAL, EPERM,
		                      ENOSPC, EBUSY,  ENODEV };
	struct fake *f = calloc(1, sizeof(*f));
	unsigned refused = 0;

	assert_non_null(f);
	for (unsigned e = 0; e < ARRAY_SIZE(errors); e++)
		for (unsigned n = 1; fail_call(f, n, errors[e], &refused);)
			n++;
	assert_true(refused > 10 * ARRAY_SIZE(errors));
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call),
	};

	return cmocka_run_group_tests_name("vfio/open", tests, NULL, NULL);
}
