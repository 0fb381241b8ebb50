/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues and interrupts of an NVMe controller's VFs: sriov.h says what and in
 * which order. Names and numbers are those of the NVM Express Base
 * Specification 2.0.
 *
 * The list of secondary controllers comes in pieces of at most 127 entries in
 * the order of their ids; the next piece begins behind the last id of the one
 * before. An id that does not grow ends it, so no list is endless.
 */

#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sriov/priv.h"

/* Identify, and what it is asked for */
#define OP_IDENTIFY 0x06
#define CNS_PRIMARY 0x14u
#define CNS_SECONDARIES 0x15u
#define IDENTIFY_SIZE 4096
#define CNS_CNTID(id) ((uint32_t)(id) << 16)
/* Virtualization Management */
#define OP_VIRT 0x1c
#define VIRT_KEEP 1u    /* primary controller flexible allocation */
#define VIRT_OFFLINE 7u /* secondary controller offline */
#define VIRT_ASSIGN 8u
#define VIRT_ONLINE 9u
#define VIRT_QUEUES 0u /* resource types */
#define VIRT_INTERRUPTS 1u
/* Secondary Controller List: one entry, as long as its head */
#define ENTRIES_MAX 127u
#define ENTRY_SIZE ((size_t)32)
/* Type and code of a status, without what the kernel adds (Do Not Retry) */
#define STATUS(v) ((unsigned)(v)&0x7ffu)

struct job {
	const struct sriov_nvme_line *l;
	struct diag *d;
};

/* ---- refusals ------------------------------------------------------------ */

static const char *status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} known[] = {
		{ 0x001, "it has no such command" },
		{ 0x002, "it has no such thing (Invalid Field in Command)" },
		{ 0x006, "an error within the controller" },
		{ 0x11f, "it knows no controller of that id" },
		{ 0x120, "the VF's state does not allow it" },
		{ 0x121, "a VF may not have so many" },
		{ 0x122, "so many are not left" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].status == status)
			return known[i].text;
	return "a status of the controller's";
}

static int refused(struct job *j, const char *what, int r)
{
	int err = r < 0 ? r : -EIO;

	diag_fail(j->d, err, FL_SRIOV_NVME_CMD, "cannot %s", what);
	if (r > 0)
		diag_why(j->d, "the controller says %03xh: %s", STATUS(r),
		         status_text(STATUS(r)));
	else
		diag_why(j->d, "%s", strerror(-r));
	diag_mend(j->d, r == -EPERM || r == -EACCES
	                        ? "admin commands need CAP_SYS_ADMIN: see "
	                          "docs/netd.md, NVMe"
	                        : "see `nvme primary-ctrl-caps` and `nvme "
	                          "list-secondary` of the controller, and "
	                          "`dmesg`");
	return err;
}

static int shares_none(struct job *j, const char *why)
{
	diag_fail(j->d, -EOPNOTSUPP, FL_SRIOV_NVME_NONE,
	          "the controller shares out no queues to VFs");
	diag_why(j->d, "%s", why);
	diag_mend(j->d, "leave `vf-resources` out; VFs of such a controller "
	                "have what its maker gave them");
	return -EOPNOTSUPP;
}

/* ---- read ---------------------------------------------------------------- */

static int identify(struct job *j, uint32_t cdw10, uint8_t *page)
{
	struct nvme_admin_cmd c = {
		.opcode = OP_IDENTIFY,
		.addr = (uint64_t)(uintptr_t)page,
		.data_len = IDENTIFY_SIZE,
		.cdw10 = cdw10,
	};

	memset(page, 0, IDENTIFY_SIZE);
	return j->l->admin(j->l->ctx, &c);
}

/* Primary Controller Capabilities: one kind of resource. */
static struct sriov_nvme_pool pool_at(const uint8_t *p)
{
	return (struct sriov_nvme_pool){
		.total = (uint32_t)load_le(p, 4),
		.given = (uint32_t)load_le(p + 4, 4),
		.own = (uint16_t)load_le(p + 8, 2),
		.most = (uint16_t)load_le(p + 12, 2),
		.step = (uint16_t)MAX(load_le(p + 14, 2), 1ull),
	};
}

static int read_primary(struct job *j, uint8_t *page, struct sriov_nvme *ret)
{
	int r = identify(j, CNS_PRIMARY, page);

	if (STATUS(r) == 0x002 && r > 0)
		return shares_none(j, "it has no virtualization enhancements");
	if (r)
		return refused(j, "read what the controller shares out", r);
	if ((page[4] & 3) != 3)
		return shares_none(j, "its queues or its interrupts are fixed");
	ret->id = (uint16_t)load_le(page, 2);
	ret->queues = pool_at(page + 32);
	ret->interrupts = pool_at(page + 64);
	return 0;
}

/* False = the list goes no further. */
static bool take_entry(const uint8_t *p, uint32_t *next, struct sriov_nvme *ret)
{
	uint16_t id = (uint16_t)load_le(p, 2), vf = (uint16_t)load_le(p + 8, 2);

	if (id < *next)
		return false;
	*next = id + 1u;
	/* Numbers of VFs begin with 1; 0 is none. */
	if (!vf || vf > SRIOV_VFS_MAX)
		return true;
	ret->vf[vf - 1] = (struct sriov_nvme_vf){
		.id = id,
		.there = true,
		.online = p[4] & 1,
		.queues = (uint16_t)load_le(p + 10, 2),
		.interrupts = (uint16_t)load_le(p + 12, 2),
	};
	return true;
}

static int read_secondaries(struct job *j, uint8_t *page,
                            struct sriov_nvme *ret)
{
	uint32_t next = 0;
	unsigned n;

	do {
		int r = identify(j, CNS_SECONDARIES | CNS_CNTID(next), page);

		if (r)
			return refused(j, "list the controller's VFs", r);
		n = MIN(page[0], ENTRIES_MAX);
		for (unsigned i = 0; i < n; i++)
			if (!take_entry(page + ENTRY_SIZE * (i + 1), &next,
			                ret))
				return 0;
	} while (n == ENTRIES_MAX && next <= UINT16_MAX);
	return 0;
}

int sriov_nvme_read(const struct sriov_nvme_line *l, struct sriov_nvme *ret,
                    struct diag *d)
{
	struct job j = { .l = l, .d = d };
	_cleanup_free_ uint8_t *page = malloc(IDENTIFY_SIZE);
	int r;

	if (!page)
		return diag_fail(d, -ENOMEM, FL_SRIOV_NVME_CMD, "no memory");
	*ret = (struct sriov_nvme){ .id = 0 };
	r = read_primary(&j, page, ret);
	return r ? r : read_secondaries(&j, page, ret);
}

/* ---- change -------------------------------------------------------------- */

static int virt(struct job *j, uint16_t id, unsigned resource, unsigned act,
                unsigned n)
{
	struct nvme_admin_cmd c = {
		.opcode = OP_VIRT,
		.cdw10 = (uint32_t)id << 16 | resource << 8 | act,
		.cdw11 = n,
	};

	return j->l->admin(j->l->ctx, &c);
}

struct kind { /* of resource */
	const char *name;
	unsigned resource;
};
static const struct kind kinds[] = {
	{ "queues", VIRT_QUEUES },
	{ "interrupts", VIRT_INTERRUPTS },
};

/* What the controller would refuse with a number is refused in words. */
static int check(struct job *j, const struct kind *k,
                 const struct sriov_nvme_pool *p, unsigned vf, uint16_t has,
                 uint16_t n)
{
	uint64_t taken = (uint64_t)p->own + p->given;
	uint64_t left = p->total + has - MIN(taken, (uint64_t)p->total + has);

	if (n <= p->most && n % p->step == 0 && n <= left)
		return 0;
	diag_fail(j->d, -ERANGE, FL_SRIOV_NVME_FEW,
	          "VF %u cannot have %u %s of the controller", vf, n, k->name);
	if (n > p->most)
		diag_why(j->d, "a VF of it may have at most %u", p->most);
	else if (n % p->step)
		diag_why(j->d, "it gives them by %u at a time", p->step);
	else
		diag_why(j->d,
		         "%llu are left: of %u the controller itself has %u, "
		         "VFs %u",
		         (unsigned long long)left, p->total, p->own, p->given);
	diag_mend(j->d, "state fewer in `vf-resources`, or fewer VFs");
	return -ERANGE;
}

static int give(struct job *j, const struct kind *k, uint16_t id, unsigned vf,
                uint16_t n)
{
	char what[64];
	int r = n ? virt(j, id, k->resource, VIRT_ASSIGN, n) : 0;

	snprintf(what, sizeof(what), "give VF %u %u %s", vf, n, k->name);
	return r ? refused(j, what, r) : 0;
}

static int set_state(struct job *j, uint16_t id, unsigned vf, bool online)
{
	char what[64];
	int r = virt(j, id, 0, online ? VIRT_ONLINE : VIRT_OFFLINE, 0);

	snprintf(what, sizeof(what), "set VF %u %s", vf,
	         online ? "online" : "offline");
	return r ? refused(j, what, r) : 0;
}

static int read_back(struct job *j, struct sriov_nvme *n, unsigned vf,
                     const struct sriov_nvme_vf *want)
{
	const struct sriov_nvme_vf *is = &n->vf[vf];
	int r = sriov_nvme_read(j->l, n, j->d);

	if (r ||
	    (is->queues == want->queues && is->interrupts == want->interrupts &&
	     is->online == want->online))
		return r;
	diag_fail(j->d, -EIO, FL_SRIOV_NVME_BACK,
	          "VF %u has not what it was given", vf);
	diag_why(j->d,
	         "the controller took each command; the VF is %s and has %u "
	         "queues, %u interrupts",
	         is->online ? "online" : "offline", is->queues, is->interrupts);
	diag_mend(j->d, "see `nvme list-secondary`, and the firmware's notes");
	return -EIO;
}

static int is_none(struct job *j, unsigned vf)
{
	diag_fail(j->d, -ENODEV, FL_SRIOV_NVME_NONE,
	          "the controller has no secondary controller for VF %u", vf);
	diag_why(j->d, "it is not in its list");
	diag_mend(j->d, "see `nvme list-secondary`; lower "
	                "virtual-function-count");
	return -ENODEV;
}

int sriov_nvme_set(const struct sriov_nvme_line *l, unsigned vf,
                   const struct sriov_nvme_vf *want, struct diag *d)
{
	struct job j = { .l = l, .d = d };
	_cleanup_free_ struct sriov_nvme *n = calloc(1, sizeof(*n));
	struct sriov_nvme_vf now;
	int r;

	if (!n)
		return diag_fail(d, -ENOMEM, FL_SRIOV_NVME_CMD, "no memory");
	r = sriov_nvme_read(l, n, d);
	if (r)
		return r;
	if (vf >= SRIOV_VFS_MAX || !n->vf[vf].there)
		return is_none(&j, vf);
	now = n->vf[vf];
	r = check(&j, &kinds[0], &n->queues, vf, now.queues, want->queues);
	if (!r)
		r = check(&j, &kinds[1], &n->interrupts, vf, now.interrupts,
		          want->interrupts);
	if (!r)
		r = set_state(&j, now.id, vf, false);
	if (!r)
		r = give(&j, &kinds[0], now.id, vf, want->queues);
	if (!r)
		r = give(&j, &kinds[1], now.id, vf, want->interrupts);
	if (!r && want->online)
		r = set_state(&j, now.id, vf, true);
	return r ? r : read_back(&j, n, vf, want);
}

int sriov_nvme_keep(const struct sriov_nvme_line *l, uint16_t queues,
                    uint16_t interrupts, struct diag *d)
{
	struct job j = { .l = l, .d = d };
	_cleanup_free_ struct sriov_nvme *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return diag_fail(d, -ENOMEM, FL_SRIOV_NVME_CMD, "no memory");
	r = sriov_nvme_read(l, n, d);
	if (r)
		return r;
	r = virt(&j, n->id, VIRT_QUEUES, VIRT_KEEP, queues);
	if (!r)
		r = virt(&j, n->id, VIRT_INTERRUPTS, VIRT_KEEP, interrupts);
	return r ? refused(&j, "say what the controller itself keeps", r) : 0;
}

/* ---- the kernel's -------------------------------------------------------- */

static int admin(void *ctx, struct nvme_admin_cmd *c)
{
	const int *fd = ctx;
	int r = ioctl(*fd, NVME_IOCTL_ADMIN_CMD, c);

	return r < 0 ? -errno : r;
}

struct sriov_nvme_line sriov_nvme_line(const int *fd)
{
	return (struct sriov_nvme_line){ .admin = admin,
		                         .ctx = (void *)(uintptr_t)fd };
}

static int keep_name(const char *name, void *arg)
{
	snprintf(arg, SRIOV_NAME, "%.31s", name);
	return 1;
}

bool sriov_nvme_name(int root_fd, struct bdf pf, char ret[static SRIOV_NAME])
{
	char path[SRIOV_PATH];

	ret[0] = '\0';
	return sysfs_each(root_fd, fn_path(path, pf, "nvme"), keep_name, ret) ==
	       1;
}

static int no_controller(struct bdf pf, int err, const char *why,
                         struct diag *d)
{
	char b[BDF_STRLEN];

	diag_fail(d, err, FL_SRIOV_NVME, "%s is no NVMe controller to ask",
	          bdf_format(pf, b));
	diag_why(d, "%s", why);
	diag_mend(d,
	          "the kernel's driver nvme must have it: `lspci -ks %s`, "
	          "`dmesg | grep nvme`",
	          b);
	return err;
}

/* The node is the one of the number that sysfs tells. */
static bool is_node_of(int root_fd, struct bdf pf, const char *name, int fd)
{
	char path[SRIOV_PATH], attr[2 * SRIOV_NAME], is[24], has[24];
	struct stat st;

	snprintf(attr, sizeof(attr), "nvme/%s/dev", name);
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    sysfs_read(root_fd, fn_path(path, pf, attr), is, sizeof(is)) < 0)
		return false;
	snprintf(has, sizeof(has), "%u:%u", major(st.st_rdev),
	         minor(st.st_rdev));
	return !strcmp(is, has);
}

int sriov_nvme_open(int root_fd, struct bdf pf, int *ret_fd, struct diag *d)
{
	char name[SRIOV_NAME], node[SRIOV_NAME + 8];
	_cleanup_close_ int fd = -1;

	if (!sriov_nvme_name(root_fd, pf, name))
		return no_controller(pf, -ENODEV, "it has no driver nvme", d);
	snprintf(node, sizeof(node), "dev/%s", name);
	fd = openat(root_fd, node, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return no_controller(pf, -errno, strerror(errno), d);
	if (!is_node_of(root_fd, pf, name, fd))
		return no_controller(pf, -ENODEV,
		                     "its node in /dev is another's", d);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
