/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `fairlead import libvirt FILE`: a network of mode hostdev as a policy. Which
 * VF of which physical function an address is, sysfs tells (this machine's, or
 * --root's). What it cannot say is a comment, so that `fairlead check` takes
 * the rest.
 */

#include "cli/formats.h"
#include "cli/function.h"

#include <string.h>

struct import {
	const struct xml_network *x;
	FILE *out;
	/* Physical functions, and which of their VFs are meant. */
	struct pf_vfs {
		struct sriov_pf pf;
		bool vf[SRIOV_VFS_MAX];
	} * pf;
	size_t n_pfs;
	struct diag *d;
};

static int nowhere(struct import *im, const char *what)
{
	diag_fail(im->d, -ENODEV, FL_CLI_IMPORT,
	          "%s has no VFs on this machine, or is none", what);
	diag_mend(im->d, "import where the VFs are, or --root DIR with that "
	                 "machine's sysfs");
	return -ENODEV;
}

/* ---- which VFs ----------------------------------------------------------- */

static struct pf_vfs *add_pf(struct import *im, int root, struct bdf b)
{
	struct pf_vfs *more;

	for (size_t i = 0; i < im->n_pfs; i++)
		if (bdf_equal(im->pf[i].pf.fn.bdf, b))
			return &im->pf[i];
	more = reallocarray(im->pf, im->n_pfs + 1, sizeof(*im->pf));
	if (!more)
		return NULL;
	im->pf = more;
	more = &im->pf[im->n_pfs];
	memset(more, 0, sizeof(*more));
	if (im->n_pfs == POL_NICS_MAX ||
	    sriov_pf_read(root, b, &more->pf, NULL) < 0)
		return NULL;
	im->n_pfs++;
	return more;
}

static int add_vf(struct import *im, int root, struct bdf vf)
{
	char text[BDF_STRLEN];
	struct pf_vfs *p = NULL;
	struct bdf b;

	if (!sriov_pf_of(root, vf, &b))
		p = add_pf(im, root, b);
	for (unsigned i = 0; p && i < p->pf.num_vfs; i++)
		if (bdf_equal(p->pf.vf[i], vf)) {
			p->vf[i] = true;
			return 0;
		}
	return nowhere(im, bdf_format(vf, text));
}

struct named_pf {
	struct import *im;
	int root;
	bool found;
};

/* <pf dev='eth3'/> is all that it has now. */
static int look_for(struct bdf b, void *arg)
{
	struct named_pf *n = arg;
	struct sriov_fn fn;
	struct pf_vfs *p;

	if (sriov_fn_look(n->root, b, &fn) < 0 ||
	    strcmp(fn.ifname, n->im->x->pf) != 0)
		return 0;
	p = add_pf(n->im, n->root, b);
	for (unsigned i = 0; p && i < p->pf.num_vfs; i++)
		n->found = p->vf[i] = true;
	return 0;
}

static int find_vfs(struct import *im, int root)
{
	struct named_pf n = { .im = im, .root = root };
	int r = 0;

	if (*im->x->pf) {
		(void)!sriov_each_pf(root, look_for, &n);
		if (!n.found)
			return nowhere(im, im->x->pf);
	}
	for (size_t i = 0; !r && i < im->x->n_vfs; i++)
		r = add_vf(im, root, im->x->vf[i].bdf);
	return r;
}

/* ---- the policy ---------------------------------------------------------- */

/* A name of ours from one of theirs: a letter first, then what names may have.
 * Quoted where it is printed, as it may be a word of YAML's. */
static const char *name_of(const char *name, char ret[static POL_NAME])
{
	snprintf(ret, POL_NAME, "%s%s",
	         (*name | 0x20) >= 'a' && (*name | 0x20) <= 'z' ? "" : "n",
	         name);
	for (char *c = ret; *c; c++)
		if (!((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z') &&
		    !(*c >= '0' && *c <= '9') && *c != '-' && *c != '_' &&
		    *c != '.')
			*c = '-';
	return ret;
}

static void say_nics(const struct import *im)
{
	char b[BDF_STRLEN];

	fputs("nics:\n", im->out);
	for (size_t i = 0; i < im->n_pfs; i++)
		fprintf(im->out,
		        "  - name: pf%zu\n    match: { pci: \"%s\" }\n"
		        "    virtual-function-count: %u\n",
		        i, bdf_format(im->pf[i].pf.fn.bdf, b),
		        im->pf[i].pf.num_vfs);
}

static void say_networks(const struct import *im)
{
	char name[POL_NAME];

	if (im->x->n_groups)
		fputs("networks:\n", im->out);
	for (size_t i = 0; i < im->x->n_groups; i++) {
		const struct xml_group *g = &im->x->group[i];

		if (g->trunk)
			fprintf(im->out,
			        "  # not held: the trunk of portgroup %zu\n",
			        i + 1);
		fprintf(im->out, "  - name: \"%s\"\n", name_of(g->name, name));
		if (g->vlan && !g->trunk)
			fprintf(im->out, "    vlan: { id: %u }\n", g->vlan);
	}
}

static void say_pool(const struct import *im)
{
	char name[POL_NAME], ranges[4 * SRIOV_VFS_MAX];
	struct pol_fn fn[SRIOV_VFS_MAX];
	const char *sep = "";

	fprintf(im->out,
	        "pools:\n  - name: \"%s\"\n    driver: vfio\n"
	        "    functions: [",
	        name_of(*im->x->name ? im->x->name : "imported", name));
	for (size_t i = 0; i < im->n_pfs; i++) {
		size_t n = 0;

		for (unsigned k = 0; k < im->pf[i].pf.num_vfs; k++)
			if (im->pf[i].vf[k])
				fn[n++] = (struct pol_fn){ .vf = (uint16_t)k };
		format_ranges(fn, n, ranges, sizeof(ranges));
		fprintf(im->out, "%s\"pf%zu#%s\"", sep, i, ranges);
		sep = ", ";
	}
	fputs("]\n", im->out);
}

/* A guest of ours has a kernel and memory, which an interface does not tell. */
static void say_interfaces(const struct import *im)
{
	char b[BDF_STRLEN], mac[MAC_STRLEN];
	uint8_t address[6];

	for (size_t i = 0; i < im->x->n_vfs; i++) {
		const struct xml_vf *v = &im->x->vf[i];

		if (!v->interface)
			continue;
		fprintf(im->out, "# not held: interface %s of a guest",
		        bdf_format(v->bdf, b));
		if (!mac_parse(v->mac, address))
			fprintf(im->out, ", mac-address \"%s\"",
			        mac_format(address, mac));
		if (v->vlan)
			fprintf(im->out, ", vlan %u", v->vlan);
		fputs("\n", im->out);
	}
}

static void say(const struct import *im)
{
	fputs("version: 1\n", im->out);
	say_nics(im);
	say_networks(im);
	say_pool(im);
	say_interfaces(im);
}

static int import(const struct cli *c, const struct xml_network *x)
{
	struct diag d = { 0 };
	struct import im = { .x = x, .out = stdout, .d = &d };
	_cleanup_close_ int root = cli_open_root(c, &d);
	int r = root < 0 ? root : find_vfs(&im, root);

	if (!r)
		say(&im);
	free(im.pf);
	return r ? cli_refuse(c, CLI_REFUSED, &d) : CLI_OK;
}

int cli_import(const struct cli *c, char *const *args, unsigned n)
{
	_cleanup_free_ struct xml_network *x = calloc(1, sizeof(*x));
	_cleanup_free_ char *text = NULL;
	struct diag d = { 0 };
	size_t len = 0;

	(void)n;
	if (!x)
		return CLI_INTERNAL;
	if (strcmp(args[0], "libvirt") != 0) {
		fprintf(stderr,
		        "fairlead: cannot import from \"%s\"\n"
		        "  mend: fairlead import libvirt FILE\n",
		        args[0]);
		return CLI_USAGE;
	}
	if (cli_policy_text(args[1], &text, &len, &d) < 0 ||
	    xml_read(text, len, x, &d) < 0)
		return d.code ? cli_refuse(c, CLI_REFUSED, &d) : CLI_INTERNAL;
	return import(c, x);
}
