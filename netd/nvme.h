/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_NVME_H
#define FL_NETD_NVME_H

/*
 * What the VFs of an NVMe controller have of its queues and interrupts.
 *
 * Theory of operation
 *   Saying so takes admin commands, and the kernel takes such from who has
 *   CAP_SYS_ADMIN alone, which netd gives up: it is as good as all of root. So
 *   a process that is forked before that, and does nothing else, has it, and
 *   no other capability:
 *
 *     worker --- what is asked, and a socket for the answer ---> keeper
 *     worker <--- the answer --- child of the keeper, for this one
 *
 *   It is asked for three things, of which none is a command of the asker's
 *   making: to read what there is, to set one VF, and to say what a controller
 *   keeps for itself. A worker that has been taken over can so take queues from
 *   VFs, and not read a disk. The controller is found by the address of its
 *   function, in sysfs, by the child.
 *
 *   Where netd has no CAP_SYS_ADMIN itself (its unit leaves that out, see
 *   docs/netd.md), there is no keeper: then nothing is known of queues, and a
 *   policy that states some is refused, FL-0770.
 *
 *   A controller may not answer. The kernel gives a command up after a minute,
 *   with a reset of the controller; the asker does after NVME_MS, FL-0771. The
 *   child has its own end, and keeps nobody waiting. Of those that wait for
 *   one controller there are few at a time, and so of all: who asks then is
 *   refused at once, FL-0771.
 *
 *   The keeper ends with netd: its socket has no other end then.
 *
 * Against it: one more process, asleep, of some 100 KiB. CAP_SYS_ADMIN in the
 * workers, raised for the call, would save it, and leave each worker one prctl
 * away from everything.
 */

#include "netd/priv.h"

#define NVME_MS 10000u

/* Before capabilities go. *ret_fd: where it is asked, -1 = there is none. */
_must_check_ int nvme_keeper_start(int root_fd, int *ret_fd, struct diag *d);
/* The keeper itself, until nobody is left to ask. */
void nvme_keeper_serve(int root_fd, int sock);

/* Asked by a worker; `ms`: its patience. Refusals are the keeper's, sriov.h, or
 * one of the above. */
_must_check_ int nvme_ask_read(int keeper_fd, struct bdf pf, unsigned ms,
                               struct sriov_nvme *ret, struct diag *d);
_must_check_ int nvme_ask_set(int keeper_fd, struct bdf pf, unsigned vf,
                              const struct sriov_nvme_vf *want, unsigned ms,
                              struct diag *d);
_must_check_ int nvme_ask_keep(int keeper_fd, struct bdf pf, uint16_t queues,
                               uint16_t interrupts, unsigned ms,
                               struct diag *d);

/* nvme-state.c: into what was observed; after whole functions. */
void observe_nvme(const struct env *e, struct pol_state *s);
/* Into status' "pfs". */
void status_nvme(const struct pol_state *s, json_t *pfs);
/* An action of apply_ops. */
_must_check_ int op_nvme(void *ctx, const struct pol_action *a, struct diag *d);

#endif
