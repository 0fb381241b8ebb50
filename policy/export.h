/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_EXPORT_H
#define FL_POLICY_EXPORT_H

/* Inside policy: export.c and its parts. */

#include "policy/priv.h"

struct export_nic {
	const struct pol_pf *pf;
	char name[POL_NAME];
};
struct export
{
	const struct pol_state *s;
	char *text;
	size_t n, room;
	int err; /* from then on nothing more is written */
	struct export_nic nic[POL_NICS_MAX];
	size_t n_nics, n_pools, n_devices, n_overrides, n_nvmes;
	uint8_t(*mac)[6]; /* of all VFs, in their order */
	size_t n_macs;
};

void put(struct export *e, const char *fmt, ...) _printf_(2, 3);
/* "# not said of 0000:01:00.0: ..." */
void not_said(struct export *e, struct bdf b, const char *fmt, ...)
	_printf_(3, 4);
void put_match(struct export *e, struct bdf b, uint16_t vendor,
               uint16_t device);
bool is_name(const char *s);
/* The driver as a pool has it; NULL = none can, and `say`: why. */
const char *export_driver(struct export *e, const struct pol_pf *pf,
                          const struct pol_vf *v, bool say);
/* export-nvme.c: controllers with VFs. */
void export_nvme(struct export *e);
/* export-vfs.c: what is set on the VFs of the nics. */
void export_vfs(struct export *e);
/* export-devices.c: whole functions. */
void export_devices(struct export *e);

/* export-switch.c: of a nic, of what it cannot say, of an override. */
void export_switch(struct export *e, const struct pol_pf *pf);
void export_switch_unsaid(struct export *e, const struct pol_pf *pf);
bool export_has_groups(const struct pol_pf *pf);
bool export_vf_switch_says(const struct pol_pf *pf, const struct pol_vf *v);
void export_vf_switch(struct export *e, const struct pol_pf *pf,
                      const struct pol_vf *v);

#endif
