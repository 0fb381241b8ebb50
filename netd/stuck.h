/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_STUCK_H
#define FL_NETD_STUCK_H

/*
 * Physical functions that do not answer.
 *
 * Theory of operation
 *   A driver may sleep for ever in a write to sriov_numvfs, holding the
 *   device's lock: whoever then reads that file, or binds the device, sleeps
 *   with it, and no signal ends that. So before anything of a PF is read, a
 *   child reads sriov_numvfs of all PFs in a row; where it does not come back
 *   in STUCK_MS, the PF it is at is stuck, and another child goes on behind
 *   it. Usually that is one fork for each look at the machine.
 *
 *   A stuck PF is noted in a file of the state folder, stuck-BDF.json: what
 *   hangs, since when, and a process that hangs in it, by number and start
 *   time. As long as that process is there the PF is stuck, and is not asked
 *   again: so there is one sleeper a PF, not one a question.
 *
 *   What follows: the PF is seen, but nothing of its VFs is (pol_pf.stuck); a
 *   plan has no action of it, a guest with a VF of it gets no lease (FL-0154),
 *   all others go on. An apply does what it can of the others, is kept, and
 *   says so (FL-0749). When the process has ended the next apply, or netd's
 *   next start, does the rest. The file goes when a change was done with
 *   nothing stuck.
 *
 *   Devlink is asked by that child, too, behind the PFs: a driver that sleeps
 *   in a change over it has its instance's lock, and whoever dumps ports or
 *   rates sleeps with it. Which PF that is of cannot be told, since the dump
 *   would tell. So where it is not back devlink as a whole is noted (stuck-
 *   devlink.json), nobody asks it as long as that child is there, and the
 *   switches are unknown because they were not asked (pol_pf.unasked): of a PF
 *   of whose switch something is wanted nothing is done, and of the others all.
 *   Where the child has found no port there is none to ask for, and the worker
 *   does not ask a second time.
 *
 *   A netlink request that hangs holds the kernel's one lock of all
 *   interfaces: then nothing is served, by anybody, and nothing here helps.
 */

#include "netd/priv.h"

#define STUCK_MS 3000u
/* For a write that an earlier netd may have left under way. */
#define STUCK_PATIENT_MS 20000u
#define STUCK_MAX 64

struct stuck_pf {
	struct bdf pf;
	bool hangs; /* its process is there; else it has come back */
};
struct stuck {
	struct stuck_pf pf[STUCK_MAX];
	size_t n;
	bool devlink, devlink_hangs; /* it is noted; and still so */
};
/* All PFs that there are; none where they are more, or cannot be told. */
#define STUCK_PFS 1024
struct stuck_pfs {
	struct bdf pf[STUCK_PFS];
	size_t n;
};
enum stuck_devlink {
	STUCK_DEVLINK_ANSWERS, /* as far as is known */
	STUCK_DEVLINK_NONE,    /* no function has a port there */
	STUCK_DEVLINK_HANGS,
};
/* All that is noted. */
void stuck_read(const struct env *e, struct stuck *ret);
bool stuck_hangs(const struct stuck *all, struct bdf pf);
/* Any file of it? main's, at its start. */
bool stuck_noted(int state_fd);
/* Asks every PF, and devlink, that is not noted as hanging; what does not
 * answer is noted. STUCK_MS each, or `ms`. `ret` may be NULL. */
enum stuck_devlink stuck_look(const struct env *e, unsigned ms,
                              struct stuck_pfs *ret);
/* After a write did not come back: does the PF hang? Then it is noted, with
 * `what`. */
bool stuck_probe(const struct env *e, struct bdf pf, const char *what);
/* Those that have come back are forgotten: all was done. */
void stuck_forget(const struct env *e);
/* [{"pf", "what", "since", "hangs"}], "pf" may be "devlink" */
json_t *stuck_json(const struct env *e);

#endif
