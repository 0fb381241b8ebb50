/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_NETD_SIM_H
#define FL_TEST_NETD_SIM_H

/*
 * A machine made of memory behind struct apply_ops: one PF with up to seven
 * VFs, where `two` says so a second one that has only a link, and two whole
 * functions. It is a mock, and stands only where the order of things is tested;
 * what sysfs and netlink really do is tested in the lab (netd-*.sh).
 *
 * The memory is shared, so that a process may do half a transaction and die.
 */

#include "netd/priv.h"

#define SIM_VFS 7
#define SIM_WHOLES 2

struct sim {
	unsigned num_vfs;
	bool autoprobe, up;
	unsigned mtu;
	bool two, up2, autoprobe2; /* 0000:02:00.0 */
	struct pol_vf vf[SIM_VFS];
	/* 0000:03:00.0, a drive, and .1, which nobody drives; one group */
	struct pol_whole whole[SIM_WHOLES];
	struct pol_over over;
	bool offline;             /* overlays have nothing to go over */
	bool whole_gone, pf_gone; /* 03:00.0, 01:00.0 */
	bool shared_group;        /* the VFs' groups have the PF in them */
	/* what goes wrong: the Nth action (from 1) from now on */
	int fail_at, die_at, fail_errno, fail_code;
	int observe_errno;
	unsigned asked;            /* of the parts of all looks (observe.h) */
	bool fail_always, no_link; /* no_link: the link cannot be read */
	int sleep_at;              /* it does not come back */
	bool hangs; /* 01:00.0 does, from when it is first asked on */
	bool stuck; /* it does now */
	int n;      /* actions so far */
	enum pol_op log[256];
};

struct sim *sim_new(void);
void sim_free(struct sim *s);
extern const struct apply_ops sim_ops;
/* The same, where PFs are done side by side, in processes. */
extern const struct apply_ops sim_side_ops;
/* The machine as text, to compare. */
const char *sim_text(const struct sim *s, char buf[2048]);

struct state_dir {
	char path[64];
	int fd;
};
void dir_make(struct state_dir *d);
void dir_drop(struct state_dir *d);
/* "applied.yaml original.json": the journal's files, sorted, without lock and
 * history. */
const char *dir_list(const struct state_dir *d, char buf[256]);

#endif
