/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pol_parse: the text becomes nodes (node.c), the nodes a policy (schema.c by
 * the tables in keys*.c), then what concerns several guests is checked. The
 * MACs, files, interfaces and CPUs are compared only in a policy without
 * errors: a name misread would give addresses that nobody wrote.
 */

#include <string.h>

#include "policy/priv.h"

static int read_policy(const struct node *root, struct pol_policy *p,
                       struct pol_errors *errs)
{
	struct given given = { .n = { 0 } };
	struct read r = { .policy = p, .errs = errs, .given = &given };

	r.taken = calloc(POL_NICS_MAX, sizeof(*r.taken));
	if (!r.taken)
		return -ENOMEM;
	host_init(&p->host);
	read_map(&r, root, &table_policy, p);
	if (!errs->n)
		check_macs(&r);
	if (!errs->n)
		check_mtus(&r);
	if (!errs->n)
		check_switches(&r);
	if (!errs->n)
		check_bridges(&r);
	if (!errs->n)
		check_msix(&r);
	if (!errs->n)
		check_own(&r);
	if (!errs->n)
		check_overlays(&r);
	if (!errs->n)
		check_pins(&r);
	free(r.taken);
	if (r.oom)
		return -ENOMEM;
	return errs->n ? -EINVAL : 0;
}

int policy_load(const char *text, size_t len, struct pol_policy *p,
                struct node **ret, struct pol_errors *errs)
{
	struct files files;
	size_t nodes = 0;
	int r;

	if (!pol_files_several(text, len))
		return node_load(text, len, 0, &nodes, ret, errs);
	r = files_split(text, len, &files, &p->files, errs);
	return r ? r : files_load(&files, p, ret, errs);
}

int pol_parse(const char *text, size_t len, struct pol_policy **ret,
              struct pol_errors *errs)
{
	struct pol_policy *p;
	struct node *root = NULL;
	int r;

	errs->n = 0;
	errs->dropped = 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	r = policy_load(text, len, p, &root, errs);
	if (!r)
		r = read_policy(root, p, errs);
	node_free(root);
	if (r) {
		pol_errors_sort(errs, &p->files);
		pol_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void pol_free(struct pol_policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_pools; i++)
		free(p->pool[i].fn);
	for (size_t i = 0; i < p->n_overrides; i++)
		free(p->override[i].vf);
	free(p->override);
	for (size_t i = 0; i < p->n_guests; i++) {
		free(p->guest[i].nic);
		free(p->guest[i].device);
		free(p->guest[i].gpu);
		free(p->guest[i].nvme);
		free(p->guest[i].disk);
		free(p->guest[i].node);
	}
	for (size_t i = 0; i < p->n_nics; i++) {
		free(p->nic[i].param);
		free(p->nic[i].rates);
	}
	free(p->nic);
	free(p->device);
	free(p->gpu);
	free(p->nvme);
	free(p->network);
	free(p->pool);
	free(p->guest);
	free(p);
}

const struct pol_guest *pol_guest_find(const struct pol_policy *p,
                                       const char *name)
{
	for (size_t i = 0; i < p->n_guests; i++)
		if (!strcmp(p->guest[i].name, name))
			return &p->guest[i];
	return NULL;
}

bool pol_driver_is_vfio(const char *driver)
{
	/* Of each VF, many times: strstr() is for texts that are long. */
	for (driver = strchr(driver, 'v'); driver;
	     driver = strchr(driver + 1, 'v'))
		if (!strncmp(driver, "vfio", strlen("vfio")))
			return true;
	return false;
}

const char *pol_driver_vfio(const struct pol_pf *pf)
{
	return *pf->variant ? pf->variant : "vfio-pci";
}
