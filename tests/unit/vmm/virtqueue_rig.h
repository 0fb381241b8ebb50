/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring between its driver (virtio_driver.h) and the device's side of it, of
 * every kind there is. To be included by one file of a test.
 */
#ifndef FL_TESTS_VIRTQUEUE_RIG_H
#define FL_TESTS_VIRTQUEUE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/vmm/virtio_driver.h"

#define F_INDIRECT VIRTIO_F(28)
#define F_EVENT_IDX VIRTIO_F(29)
#define F_PACKED VIRTIO_F(34)

static const uint64_t kinds[] = {
	F_INDIRECT,
	F_INDIRECT | F_EVENT_IDX,
	F_INDIRECT | F_PACKED,
	F_INDIRECT | F_PACKED | F_EVENT_IDX,
};

struct rig {
	struct drv_machine m;
	struct drv g;
	struct vq q;
	struct vq_chain c;
};

static inline int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	*state = r;
	return !r || drv_vm_init(&r->m) < 0 ? -1 : 0;
}

static inline int teardown(void **state)
{
	struct rig *r = *state;

	drv_vm_fini(&r->m);
	free(r);
	return 0;
}

static inline void begin(struct rig *r, uint16_t size, uint64_t features)
{
	drv_init(&r->g, &r->m.vm, size, features);
	assert_int_equal(vq_start(&r->q, &r->m.vm, &r->g.setup, features), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
