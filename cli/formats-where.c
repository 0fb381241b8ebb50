/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the policy's VFs are. The physical functions are those of --sim's
 * record, or as far as sysfs tells anybody of them; which of them a nic is,
 * says the matcher that `plan` has. Nobody may be given another card's VFs, so
 * a nic that is none of them is refused, and so is one that may be among them
 * by a key that is not to be read here:
 *
 *   serial        configuration space and VPD are root's to read
 *   mac-address   where the interface has another one than its permanent one,
 *                 only netlink tells that
 *   ifname        where it is an alternative name: netlink, too
 */

#include "cli/formats.h"
#include "cli/inventory.h"

#include <string.h>

/* ---- what is here -------------------------------------------------------- */

struct look {
	struct format *f;
	struct pol_state *s;
	bool serials;       /* some nic is told by it */
	struct sriov_pf pf; /* the one being read */
};

/* linux/netdevice.h: the kernel makes such an address the permanent one. */
#define NET_ADDR_PERM 0

static void see_mac(int root_fd, struct pol_pf *p)
{
	char path[128], text[32], b[BDF_STRLEN];
	uint64_t type;

	bdf_format(p->bdf, b);
	snprintf(path, sizeof(path),
	         "sys/bus/pci/devices/%s/net/%.15s/addr_assign_type", b,
	         p->ifname);
	if (sysfs_read(root_fd, path, text, sizeof(text)) < 0 ||
	    parse_u64(text, UINT8_MAX, &type) || type != NET_ADDR_PERM)
		return;
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/net/%.15s/address",
	         b, p->ifname);
	if (sysfs_read(root_fd, path, text, sizeof(text)) >= 0 &&
	    !mac_parse(text, p->id.mac))
		p->set |= POL_HAS_PERM_MAC;
}

static void see_serial(int root_fd, struct pol_pf *p)
{
	struct sriov_serial s = { 0 };

	sriov_serial_read(root_fd, p->bdf, false, &s);
	sriov_serial_read(root_fd, p->bdf, true, &s);
	snprintf(p->id.dsn, sizeof(p->id.dsn), "%s", s.dsn);
	snprintf(p->id.vpd, sizeof(p->id.vpd), "%s", s.vpd);
	p->set |= *s.dsn ? POL_HAS_DSN : 0;
}

static void see_ident(struct look *l, struct pol_pf *p)
{
	const struct sriov_fn *fn = &l->pf.fn;

	p->id.subvendor = fn->subvendor;
	p->id.subdevice = fn->subdevice;
	if (fn->numa >= 0 && fn->numa < POL_HOST_NODES) {
		p->id.node = (uint16_t)fn->numa;
		p->set |= POL_HAS_NODE;
	}
	if (!sriov_root_port(l->f->root_fd, p->bdf, &p->id.root))
		p->set |= POL_HAS_ROOT;
	if (*p->ifname)
		see_mac(l->f->root_fd, p);
	if (l->serials)
		see_serial(l->f->root_fd, p);
}

/* A function of both lists: classes are with the whole ones. */
static int add_pf(struct look *l)
{
	const struct sriov_pf *from = &l->pf;
	struct pol_state *s = l->s;
	struct pol_whole *whole =
		reallocarray(s->whole, s->n_wholes + 1, sizeof(*whole));
	struct pol_pf *pf, *p;

	if (!whole)
		return -ENOMEM;
	s->whole = whole;
	whole[s->n_wholes++] = (struct pol_whole){
		.bdf = from->fn.bdf,
		.class_code = (uint16_t)(from->fn.class_code >> 8),
		.interface = (uint8_t)from->fn.class_code,
	};
	pf = reallocarray(s->pf, s->n_pfs + 1, sizeof(*pf));
	if (!pf)
		return -ENOMEM;
	s->pf = pf;
	p = &pf[s->n_pfs++];
	*p = (struct pol_pf){ .bdf = from->fn.bdf,
		              .vendor = from->fn.vendor,
		              .device = from->fn.device,
		              .vf = calloc(from->num_vfs + 1, sizeof(*p->vf)) };
	if (!p->vf)
		return -ENOMEM;
	p->n_vfs = p->num_vfs = from->num_vfs;
	for (unsigned i = 0; i < from->num_vfs; i++)
		p->vf[i] = (struct pol_vf){ .index = (uint16_t)i,
			                    .bdf = from->vf[i] };
	snprintf(p->driver, sizeof(p->driver), "%s", from->fn.driver);
	snprintf(p->ifname, sizeof(p->ifname), "%s", from->fn.ifname);
	see_ident(l, p);
	return 0;
}

/* One that is just being changed is none to leave out: it may be the one. */
static int look_at(struct bdf b, void *arg)
{
	struct look *l = arg;
	struct diag d = { 0 };
	int r = sriov_pf_read(l->f->root_fd, b, &l->pf, &d);

	if (r == -EAGAIN)
		*l->f->d = d;
	return !r ? add_pf(l) : r == -EAGAIN || r == -ENOMEM ? r : 0;
}

static int look_here(struct format *f)
{
	struct look *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	*l = (struct look){ .f = f, .s = calloc(1, sizeof(*l->s)) };
	for (size_t i = 0; i < f->p->n_nics; i++)
		l->serials |= f->p->nic[i].match.by_serial;
	f->seen = l->s;
	/* Without sysfs nothing is found, which is said where it is wanted. */
	r = l->s ? sriov_each_pf(f->root_fd, look_at, l) : -ENOMEM;
	free(l);
	return r == -EAGAIN || r == -ENOMEM ? r : 0;
}

static int look_at_record(const struct cli *c, struct format *f)
{
	struct pol_state *s = NULL;
	int r = inventory_state(c, &s);

	f->seen = s;
	f->said = r;
	return r ? -EINVAL : 0;
}

int format_look(const struct cli *c, struct format *f)
{
	f->recorded = c->sim;
	// NOLINTNEXTLINE(bugprone-sizeof-expression): it is a table of pointers
	f->pf = calloc(f->p->n_nics + 1, sizeof(*f->pf));
	f->errs = calloc(1, sizeof(*f->errs));
	if (!f->pf || !f->errs)
		return -ENOMEM;
	return f->recorded ? look_at_record(c, f) : look_here(f);
}

void format_forget(struct format *f)
{
	pol_state_free(f->seen);
	free(f->pf);
	free(f->errs);
}

/* ---- which of them ------------------------------------------------------- */

/* What the nic is told by and the machine does not say of the PF, and why;
 * NULL = nothing. `nic` is without it then. */
static const char *take_untold(const struct format *f, const struct pol_pf *pf,
                               struct pol_nic *nic)
{
	struct pol_match *m = &nic->match;

	if (m->by_serial && !(pf->set & POL_HAS_DSN) && !*pf->id.vpd) {
		m->by_serial = false;
		return "its serial is not known: it has none, or only root may "
		       "read it";
	}
	if (m->by_mac && !(pf->set & POL_HAS_PERM_MAC)) {
		m->by_mac = false;
		return "its permanent mac-address is not known: sysfs has only "
		       "the one that it has now";
	}
	if (f->recorded || !*pf->ifname)
		return NULL;
	if (m->by_ifname && strcmp(m->ifname, pf->ifname) != 0) {
		m->by_ifname = false;
		return "its alternative names are not known: sysfs has only "
		       "its ifname";
	}
	if (*nic->ifname && strcmp(nic->ifname, pf->ifname) != 0) {
		*nic->ifname = '\0';
		return "its alternative names are not known, to assert its "
		       "ifname by";
	}
	return NULL;
}

/* But for what is not told of it, the PF is the nic: why that is not known. */
static const char *why_maybe(struct format *f, const struct pol_nic *nic,
                             struct pol_pf *pf)
{
	const struct pol_state one = { .pf = pf,
		                       .n_pfs = 1,
		                       .whole = f->seen->whole,
		                       .n_wholes = f->seen->n_wholes };
	struct pol_nic rest = *nic;
	const char *why = take_untold(f, pf, &rest);
	const struct pol_pf *found;

	if (!why)
		return NULL;
	while (take_untold(f, pf, &rest))
		;
	return pol_match_nic(f->p, &rest, &one, &found, f->errs) ? NULL : why;
}

static int cannot_tell(struct format *f, const struct pol_nic *nic,
                       const struct pol_pf *pf, const char *why)
{
	char b[BDF_STRLEN];

	f->errs->n = 0;
	diag_fail(f->d, -ENODEV, FL_CLI_FORMAT,
	          "nic %s: it cannot be told whether it is %s", nic->name,
	          bdf_format(pf->bdf, b));
	diag_why(f->d, "%s", why);
	diag_mend(f->d, "as root on that machine: fairlead record DIR; then "
	                "export with --sim DIR; or match it by another key");
	return -ENODEV;
}

/* Is it one of these? Then there are several, and that is the policy's. */
static bool is_any(struct format *f, const struct pol_nic *nic)
{
	const struct pol_pf *found;
	bool any = false;

	for (size_t i = 0; !any && i < f->seen->n_pfs; i++) {
		const struct pol_state one = { .pf = &f->seen->pf[i],
			                       .n_pfs = 1,
			                       .whole = f->seen->whole,
			                       .n_wholes = f->seen->n_wholes };

		any = !pol_match_nic(f->p, nic, &one, &found, f->errs);
	}
	return any;
}

static int no_pf(struct format *f, const struct pol_nic *nic)
{
	bool several = is_any(f, nic);
	const struct pol_pf *found;
	int r;

	for (size_t i = 0; !several && i < f->seen->n_pfs; i++) {
		const char *why = why_maybe(f, nic, &f->seen->pf[i]);

		if (why)
			return cannot_tell(f, nic, &f->seen->pf[i], why);
	}
	r = pol_match_nic(f->p, nic, f->seen, &found, f->errs);
	if (!several)
		diag_mend(&f->errs->e[0].diag,
		          "correct it, or export where the policy is applied; "
		          "else with --root DIR, that machine's sysfs, or "
		          "--sim DIR, what `fairlead record` wrote there");
	return r;
}

int format_pf(struct format *f, size_t i, const struct pol_pf **ret)
{
	const struct pol_nic *nic = &f->p->nic[i];

	if (!f->pf[i] && pol_match_nic(f->p, nic, f->seen, &f->pf[i], f->errs))
		return no_pf(f, nic);
	*ret = f->pf[i];
	return 0;
}

int format_address(struct format *f, struct pol_fn fn, struct bdf *ret)
{
	const struct pol_pf *pf = NULL;
	char b[BDF_STRLEN];
	int r = format_pf(f, fn.nic, &pf);

	if (!pf)
		return r;
	if (fn.vf < pf->n_vfs) {
		*ret = pf->vf[fn.vf].bdf;
		return 0;
	}
	diag_fail(f->d, -ENODEV, FL_CLI_FORMAT,
	          "VF %u of nic %s has no address here", fn.vf,
	          f->p->nic[fn.nic].name);
	diag_why(f->d, "%s has %u VFs", bdf_format(pf->bdf, b), pf->num_vfs);
	diag_mend(f->d, "export where the policy is applied, or --root DIR "
	                "with that machine's sysfs");
	return -ENODEV;
}
