/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `fairlead export --format ...`: see formats.h. */

#include "cli/formats.h"
#include "cli/function.h"

#include <stdarg.h>
#include <string.h>

static const struct {
	const char *name;
	int (*fn)(struct format *f);
} formats[] = {
	{ "libvirt", export_libvirt },
	{ "device-plugin", export_device_plugin },
	{ "openstack", export_openstack },
};

/* ---- where VFs are ------------------------------------------------------- */

struct look {
	struct format *f;
	struct sriov_pf pf; /* the one being read */
};

static bool fits(const struct pol_match *m, const struct sriov_pf *pf)
{
	return (!m->by_pci || bdf_equal(m->pci, pf->fn.bdf)) &&
	       (!m->by_vendor || m->vendor == pf->fn.vendor) &&
	       (!m->by_device || m->device == pf->fn.device) &&
	       (!m->by_driver || !strcmp(m->driver, pf->fn.driver)) &&
	       (!m->by_ifname || !strcmp(m->ifname, pf->fn.ifname));
}

/* The first that fits: that it is the only one, plan says. */
static int look_at(struct bdf b, void *arg)
{
	struct look *l = arg;
	struct format *f = l->f;

	if (sriov_pf_read(f->root_fd, b, &l->pf, NULL) < 0)
		return 0;
	for (size_t i = 0; i < f->p->n_nics; i++)
		if (!f->pf[i].num_vfs && fits(&f->p->nic[i].match, &l->pf))
			f->pf[i] = l->pf;
	return 0;
}

static int look(struct format *f)
{
	struct look *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	f->pf = calloc(f->p->n_nics + 1, sizeof(*f->pf));
	if (l && f->pf) {
		l->f = f;
		/* Without sysfs nothing is found, which is said where it is
		 * wanted. */
		(void)!sriov_each_pf(f->root_fd, look_at, l);
		r = 0;
	}
	free(l);
	return r;
}

int format_address(struct format *f, struct pol_fn fn, struct bdf *ret)
{
	const struct pol_nic *nic = &f->p->nic[fn.nic];

	if (fn.vf < f->pf[fn.nic].num_vfs) {
		*ret = f->pf[fn.nic].vf[fn.vf];
		return 0;
	}
	diag_fail(f->d, -ENODEV, FL_CLI_FORMAT,
	          "VF %u of nic %s has no address here", fn.vf, nic->name);
	diag_why(f->d, "%s",
	         f->pf[fn.nic].num_vfs ? "there are fewer VFs"
	                               : "there is no such device, or it has "
	                                 "no VFs");
	diag_mend(f->d, "export where the policy is applied, or --root DIR "
	                "with that machine's sysfs");
	return -ENODEV;
}

/* ---- what all formats share ---------------------------------------------- */

void format_left_out(struct format *f, const char *mark, const char *end,
                     const char *fmt, ...)
{
	char text[DIAG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "fairlead: not held: %s\n", text);
	/* XML's comments may not have "--". */
	for (char *c = text; *end && *c; c++)
		if (c[0] == '-' && c[1] == '-')
			*c = '~';
	fprintf(f->out, "%snot held: %s%s\n", mark, text, end);
}

size_t format_ranges(const struct pol_fn *fn, size_t n, char *buf, size_t size)
{
	size_t i = 0, at = 0;

	buf[0] = '\0';
	while (i < n && fn[i].nic == fn[0].nic && at < size) {
		size_t last = i;

		while (last + 1 < n && fn[last + 1].nic == fn[0].nic &&
		       fn[last + 1].vf == fn[last].vf + 1)
			last++;
		at += (size_t)snprintf(buf + at, size - at, "%s%u",
		                       i ? "," : "", fn[i].vf);
		if (last > i && at < size)
			at += (size_t)snprintf(buf + at, size - at, "-%u",
			                       fn[last].vf);
		i = last + 1;
	}
	return i;
}

/* ---- the verb ------------------------------------------------------------ */

static int print(const struct cli *c, struct format *f,
                 int (*fn)(struct format *f))
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	/* All of it or nothing: half a network is worse than none. */
	f->out = open_memstream(&text, &len);
	if (!f->out)
		return CLI_INTERNAL;
	r = look(f);
	if (!r)
		r = fn(f);
	free(f->pf);
	if (fclose(f->out) != 0)
		return CLI_INTERNAL;
	if (r < 0 && !f->d->code)
		return CLI_INTERNAL;
	if (r < 0)
		return cli_refuse(c, CLI_REFUSED, f->d);
	fwrite(text, 1, len, stdout);
	return CLI_OK;
}

int cli_export_as(const struct cli *c, const char *file)
{
	struct diag d = { 0 };
	struct format f = { .d = &d };
	struct pol_policy *p = NULL;
	_cleanup_close_ int root = -1;
	int r = cli_policy_read(c, file, &p);

	if (r != CLI_OK)
		return r;
	root = cli_open_root(c, &d);
	if (root < 0) {
		pol_free(p);
		return cli_refuse(c, CLI_REFUSED, &d);
	}
	f.p = p;
	f.root_fd = root;
	r = CLI_USAGE;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(formats[i].name, c->format))
			r = print(c, &f, formats[i].fn);
	pol_free(p);
	if (r == CLI_USAGE)
		fprintf(stderr,
		        "fairlead: no format \"%s\"\n  mend: --format "
		        "libvirt, device-plugin or openstack\n",
		        c->format);
	return r;
}
