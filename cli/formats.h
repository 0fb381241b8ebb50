/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_FORMATS_H
#define FL_CLI_FORMATS_H

#include "cli/cli.h"
#include "policy/policy.h"
#include "sriov/sriov.h"

#include <stdio.h>

/*
 * A policy in other programs' words, and theirs in ours.
 *
 * Theory of operation
 *   `fairlead export --format libvirt|device-plugin|openstack FILE` reads the
 *   policy and, where an address of a VF is wanted, this machine's sysfs (or
 *   --root's, or --sim's record): no daemon, no right. Whose VFs they are, the
 *   policy's own matcher says, as it does to a plan. `fairlead import libvirt
 *   FILE` is the other way about, to standard output, and `fairlead check`
 *   takes what it prints.
 *
 *   None of these formats holds all of a policy. What is left out is said, each
 *   time and by name: as a comment in the output, and on standard error. Nobody
 *   shall believe that a VLAN's priority went along.
 *
 * Limits: XML of 1 MiB without a document type (so without entities),
 * FORMAT_VFS functions and FORMAT_GROUPS portgroups of it.
 */
#define FORMAT_VFS 4096u
#define FORMAT_GROUPS POL_NETWORKS_MAX

struct format {
	const struct pol_policy *p;
	const char *text; /* that it was read from */
	size_t len;
	int root_fd;
	FILE *out;
	/* formats-where.c: the machine, and who of it each nic is; NULL = not
	 * asked yet. */
	struct pol_state *seen;
	bool recorded;
	const struct pol_pf **pf;
	/* What is refused: in `d`, or in `errs`; or it was printed, and `said`
	 * is the enum cli_exit. */
	struct diag *d;
	struct pol_errors *errs;
	int said;
};
/* formats-where.c: the machine's functions; forgotten in any case. */
_must_check_ int format_look(const struct cli *c, struct format *f);
void format_forget(struct format *f);
/* The one PF that the nic is. -EINVAL with errors of the policy; -ENODEV
 * FL_CLI_FORMAT where it is not to be told from here. */
_must_check_ int format_pf(struct format *f, size_t nic,
                           const struct pol_pf **ret);
/* Where the VF is on this machine; the same, and where it is not there. */
_must_check_ int format_address(struct format *f, struct pol_fn fn,
                                struct bdf *ret);
/* What does not go along: to standard error, with "# " or as XML's comment to
 * the output. */
void format_left_out(struct format *f, const char *mark, const char *end,
                     const char *fmt, ...) _printf_(4, 5);
/* formats-held.c: says all keys that libvirt's XML does not hold. -ENOMEM. */
_must_check_ int format_held(struct format *f);
/* formats-libvirt.c */
_must_check_ int export_libvirt(struct format *f);
/* Is it exported as two interfaces, a VF and its standby? */
bool format_in_pair(const struct format *f, const struct pol_guest *g,
                    const struct pol_guest_nic *nic);
/* formats-json.c */
_must_check_ int export_device_plugin(struct format *f);
_must_check_ int export_openstack(struct format *f);
/* "nic#0-3,5" without the nic: the VFs of one nic, of those from `i` on.
 * Returns how many it took. */
size_t format_ranges(const struct pol_fn *fn, size_t n, char *buf, size_t size);

/* import-xml.c: pure. */
struct xml_group {
	char name[POL_NAME];
	unsigned vlan; /* 0 = none */
	bool trunk;
};
struct xml_vf {
	struct bdf bdf;
	bool interface; /* of one, not of the network */
	char mac[20];
	unsigned vlan;
};
struct xml_network {
	char name[POL_NAME];
	char pf[POL_IFNAME]; /* "" = none; then the addresses */
	size_t n_groups, n_vfs;
	struct xml_group group[FORMAT_GROUPS];
	struct xml_vf vf[FORMAT_VFS];
};
/* -EBADMSG FL_CLI_IMPORT. */
_must_check_ int xml_read(const char *text, size_t len, struct xml_network *ret,
                          struct diag *d);

#endif
