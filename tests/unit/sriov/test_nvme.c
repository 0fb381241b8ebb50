/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Queues and interrupts of an NVMe controller's VFs, against a controller that
 * is played here as its specification has it: strict about the order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <linux/nvme_ioctl.h>

#include <cmocka.h>

#include "sriov/priv.h"
#include "tests/unit/sriov/tree.h"

#define VFS 140 /* more than one piece of the list */
#define FIRST_ID 0x41u
#define OP_IDENTIFY 0x06
#define OP_VIRT 0x1c

struct secondary {
	bool online;
	uint16_t queues, interrupts;
};
struct controller {
	unsigned n;
	uint32_t total[2];
	uint16_t own[2], most[2], step[2];
	uint8_t types; /* of resources that are flexible */
	struct secondary vf[VFS];
	unsigned commands, changes;
	unsigned fail_at; /* this change is refused; from 1 */
	bool lies;        /* takes all, does nothing */
	bool circles;     /* its list does not grow */
};

static uint32_t given(const struct controller *c, unsigned type)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < c->n; i++)
		sum += type ? c->vf[i].interrupts : c->vf[i].queues;
	return sum;
}

static void tell_primary(const struct controller *c, uint8_t *p)
{
	store_le(p, 2, FIRST_ID - 1);
	p[4] = c->types;
	for (unsigned t = 0; t < 2; t++) {
		uint8_t *at = p + 32 + 32 * (size_t)t;

		store_le(at, 4, c->total[t]);
		store_le(at + 4, 4, given(c, t));
		store_le(at + 8, 2, c->own[t]);
		store_le(at + 12, 2, c->most[t]);
		store_le(at + 14, 2, c->step[t]);
	}
}

static void tell_list(const struct controller *c, unsigned from, uint8_t *p)
{
	unsigned n = 0;

	if (c->circles)
		from = 0;
	for (unsigned i = 0; i < c->n && n < 127; i++) {
		uint8_t *e = p + 32 * (size_t)(n + 1);

		if (FIRST_ID + i < from)
			continue;
		store_le(e, 2, FIRST_ID + i);
		e[4] = c->vf[i].online;
		store_le(e + 8, 2, i + 1);
		store_le(e + 10, 2, c->vf[i].queues);
		store_le(e + 12, 2, c->vf[i].interrupts);
		n++;
	}
	p[0] = (uint8_t)n;
}

static int assign(struct controller *c, struct secondary *s, unsigned type,
                  unsigned n)
{
	uint16_t *has = type ? &s->interrupts : &s->queues;

	if (s->online)
		return 0x4120;
	if (n > c->most[type])
		return 0x4121;
	if (given(c, type) - *has + n + c->own[type] > c->total[type])
		return 0x4122;
	*has = (uint16_t)n;
	return 0;
}

static int change(struct controller *c, const struct nvme_admin_cmd *cmd)
{
	unsigned id = cmd->cdw10 >> 16, type = cmd->cdw10 >> 8 & 7;
	struct secondary *s;

	if (++c->changes == c->fail_at)
		return 0x4006;
	if (c->lies)
		return 0;
	if ((cmd->cdw10 & 15) == 1 && id == FIRST_ID - 1) {
		c->own[type] = (uint16_t)cmd->cdw11;
		return 0;
	}
	if (id < FIRST_ID || id >= FIRST_ID + c->n)
		return 0x411f;
	s = &c->vf[id - FIRST_ID];
	switch (cmd->cdw10 & 15) {
	case 7:
		*s = (struct secondary){ false, 0, 0 };
		return 0;
	case 8:
		return assign(c, s, type, cmd->cdw11);
	case 9:
		if (s->queues < 2 || !s->interrupts)
			return 0x4120;
		s->online = true;
		return 0;
	default:
		return 0x4002;
	}
}

static int admin(void *ctx, struct nvme_admin_cmd *cmd)
{
	struct controller *c = ctx;
	uint8_t *page = (uint8_t *)(uintptr_t)cmd->addr;

	assert_true(++c->commands < 100);
	if (cmd->opcode == OP_VIRT)
		return change(c, cmd);
	assert_int_equal(cmd->opcode, OP_IDENTIFY);
	assert_int_equal(cmd->data_len, 4096);
	if (!c->types)
		return 0x4002;
	if ((cmd->cdw10 & 0xff) == 0x14)
		tell_primary(c, page);
	else
		tell_list(c, cmd->cdw10 >> 16, page);
	return 0;
}

static struct controller fresh(void)
{
	return (struct controller){ .n = 4,
		                    .types = 3,
		                    .total = { 8, 4 },
		                    .most = { 4, 2 },
		                    .step = { 1, 1 } };
}

#define LINE(c) (&(const struct sriov_nvme_line){ admin, (c) })

static int set(struct controller *c, unsigned vf, unsigned queues,
               unsigned interrupts, bool online, struct diag *d)
{
	const struct sriov_nvme_vf want = { .queues = (uint16_t)queues,
		                            .interrupts = (uint16_t)interrupts,
		                            .online = online };

	*d = (struct diag){ 0 };
	return sriov_nvme_set(LINE(c), vf, &want, d);
}

static void test_set(void **state)
{
	struct controller c = fresh();
	struct diag d;

	(void)state;
	assert_int_equal(set(&c, 1, 2, 1, true, &d), 0);
	assert_true(c.vf[1].online);
	assert_int_equal(c.vf[1].queues, 2);
	assert_int_equal(c.vf[1].interrupts, 1);
	/* One that is online goes offline first. */
	assert_int_equal(set(&c, 1, 3, 2, true, &d), 0);
	assert_true(c.vf[1].online);
	assert_int_equal(c.vf[1].queues, 3);
	/* Back to what a new VF has, in one command. */
	c.changes = 0;
	assert_int_equal(set(&c, 1, 0, 0, false, &d), 0);
	assert_false(c.vf[1].online);
	assert_int_equal(given(&c, 0) + given(&c, 1), 0);
	assert_int_equal(c.changes, 1);
	/* Given, and not online: as somebody may have left it. */
	assert_int_equal(set(&c, 0, 2, 1, false, &d), 0);
	assert_false(c.vf[0].online);
	assert_int_equal(c.vf[0].queues, 2);
}

static void test_read(void **state)
{
	struct controller c = fresh();
	struct sriov_nvme *n = calloc(1, sizeof(*n));
	struct diag d;

	(void)state;
	assert_non_null(n);
	c.n = VFS;
	c.total[0] = 2 * VFS;
	c.vf[VFS - 1] = (struct secondary){ true, 2, 1 };
	c.own[0] = 5;
	assert_int_equal(sriov_nvme_read(LINE(&c), n, &d), 0);
	assert_int_equal(c.commands, 3);
	assert_int_equal(n->id, FIRST_ID - 1);
	assert_int_equal(n->queues.total, 2 * VFS);
	assert_int_equal(n->queues.given, 2);
	assert_int_equal(n->queues.own, 5);
	assert_int_equal(n->interrupts.most, 2);
	assert_true(n->vf[VFS - 1].there && n->vf[VFS - 1].online);
	assert_int_equal(n->vf[VFS - 1].id, FIRST_ID + VFS - 1);
	assert_false(n->vf[VFS].there);
	/* A list that never ends. */
	c.circles = true;
	c.commands = 0;
	assert_int_equal(sriov_nvme_read(LINE(&c), n, &d), 0);
	assert_true(c.commands <= 3);
	free(n);
}

/* Entries that say what cannot be: 255 of them, VFs beyond all. */
static int rubbish(void *ctx, struct nvme_admin_cmd *cmd)
{
	unsigned *n = ctx;

	assert_true(++*n < 100);
	memset((void *)(uintptr_t)cmd->addr, 0xff, cmd->data_len);
	return 0;
}

static void test_rubbish(void **state)
{
	struct sriov_nvme *n = calloc(1, sizeof(*n));
	struct sriov_nvme_line l = { rubbish, &(unsigned){ 0 } };
	struct diag d;

	(void)state;
	assert_non_null(n);
	assert_int_equal(sriov_nvme_read(&l, n, &d), 0);
	for (unsigned i = 0; i < SRIOV_VFS_MAX; i++)
		assert_false(n->vf[i].there);
	free(n);
}

static void test_few(void **state)
{
	static const struct {
		unsigned queues, interrupts;
		const char *why;
	} no[] = {
		{ 5, 1, "at most 4" },
		{ 2, 3, "at most 2" },
		{ 3, 1, "2 are left: of 8 the controller itself has 3, VFs 3" },
	};
	struct controller c = fresh();
	struct diag d;

	(void)state;
	c.own[0] = 3;
	c.vf[3] = (struct secondary){ true, 3, 1 };
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		assert_int_equal(
			set(&c, 0, no[i].queues, no[i].interrupts, true, &d),
			-ERANGE);
		assert_int_equal(d.code, FL_SRIOV_NVME_FEW);
		assert_non_null(strstr(d.why, no[i].why));
		assert_true(*d.mend);
	}
	/* Its own are its own to keep. */
	assert_int_equal(set(&c, 3, 4, 1, true, &d), 0);
	/* Nothing was tried in vain. */
	assert_int_equal(c.changes, 4);
	c.step[0] = 2;
	assert_int_equal(set(&c, 3, 3, 1, true, &d), -ERANGE);
	assert_non_null(strstr(d.why, "by 2"));
}

static void test_refused(void **state)
{
	struct controller c = fresh();
	struct diag d;

	(void)state;
	for (unsigned at = 1; at <= 4; at++) {
		c.changes = 0;
		c.fail_at = at;
		assert_int_equal(set(&c, 0, 2, 1, true, &d), -EIO);
		assert_int_equal(d.code, FL_SRIOV_NVME_CMD);
		assert_non_null(strstr(d.why, "006h: an error within"));
		assert_false(c.vf[0].online);
	}
	c.fail_at = 0;
	c.lies = true;
	assert_int_equal(set(&c, 0, 2, 1, true, &d), -EIO);
	assert_int_equal(d.code, FL_SRIOV_NVME_BACK);
	assert_int_equal(set(&c, 4, 2, 1, true, &d), -ENODEV);
	assert_int_equal(d.code, FL_SRIOV_NVME_NONE);
	assert_int_equal(set(&c, SRIOV_VFS_MAX, 2, 1, true, &d), -ENODEV);
}

static void test_none(void **state)
{
	struct controller c = fresh();
	struct diag d;

	(void)state;
	c.types = 1;
	assert_int_equal(set(&c, 0, 2, 1, true, &d), -EOPNOTSUPP);
	assert_int_equal(d.code, FL_SRIOV_NVME_NONE);
	c.types = 0; /* the command is not known at all */
	assert_int_equal(set(&c, 0, 2, 1, true, &d), -EOPNOTSUPP);
	assert_int_equal(d.code, FL_SRIOV_NVME_NONE);
}

static int denied(void *ctx, struct nvme_admin_cmd *cmd)
{
	(void)ctx;
	(void)cmd;
	return -EACCES;
}

static void test_denied(void **state)
{
	const struct sriov_nvme_vf want = { .queues = 2 };
	struct sriov_nvme_line l = { denied, NULL };
	struct diag d;

	(void)state;
	assert_int_equal(sriov_nvme_set(&l, 0, &want, &d), -EACCES);
	assert_int_equal(d.code, FL_SRIOV_NVME_CMD);
	assert_non_null(strstr(d.mend, "CAP_SYS_ADMIN"));
}

static void test_keep(void **state)
{
	struct controller c = fresh();
	struct diag d;

	(void)state;
	assert_int_equal(sriov_nvme_keep(LINE(&c), 6, 3, &d), 0);
	assert_int_equal(c.own[0], 6);
	assert_int_equal(c.own[1], 3);
	c.fail_at = c.changes + 2;
	assert_int_equal(sriov_nvme_keep(LINE(&c), 0, 0, &d), -EIO);
	assert_int_equal(d.code, FL_SRIOV_NVME_CMD);
}

#define NVME "sys/bus/pci/devices/" PF "/nvme/nvme3"

static void test_open(void **state)
{
	struct tree *t = *state;
	struct diag d;
	int fd = -1;

	tree_add_pf(t, 2, 0);
	assert_int_equal(sriov_nvme_open(t->root_fd, bdf_of(PF), &fd, &d),
	                 -ENODEV);
	assert_int_equal(d.code, FL_SRIOV_NVME);
	tree_put(t, "1:3\n", NVME "/dev");
	assert_int_equal(sriov_nvme_open(t->root_fd, bdf_of(PF), &fd, &d),
	                 -ENOENT);
	/* A file, a link to a node: neither is its node. */
	tree_put(t, "", "dev/nvme3");
	assert_int_equal(sriov_nvme_open(t->root_fd, bdf_of(PF), &fd, &d),
	                 -ENODEV);
	assert_non_null(strstr(d.why, "another's"));
	tree_link(t, "/dev/null", "dev/nvme3");
	assert_int_equal(sriov_nvme_open(t->root_fd, bdf_of(PF), &fd, &d),
	                 -ELOOP);
	assert_int_equal(fd, -1);
	tree_remove(t, "dev");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_rubbish),
		cmocka_unit_test(test_few),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_keep),
		cmocka_unit_test_setup_teardown(test_open, tree_setup,
		                                tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
