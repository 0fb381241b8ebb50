/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which function a `match` means. Exactly one must match; the answer to none
 * or several lists what there is, so that the file can be mended without
 * another tool. Where an address is given and something else is there, each
 * key that differs is named: a card that was swapped is told from a wrong file
 * by its serial number, its MAC, its subsystem.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* ---- one key each: does it fit, and what is there instead? --------------- */

struct line {
	char *buf; /* NULL = nobody asks for words */
	size_t size, at;
	bool differs;
};

/* "KEY is IS, not STATED" */
static void differs(struct line *l, const char *key, const char *is,
                    const char *stated)
{
	l->differs = true;
	if (!l->buf ||
	    l->at + strlen(key) + strlen(is) + strlen(stated) + 16 > l->size)
		return;
	l->at += (size_t)snprintf(l->buf + l->at, l->size - l->at,
	                          "%s%s is %s, not %s", l->at ? "; " : "", key,
	                          is, stated);
}

static void look_id(struct line *l, const char *key, bool by, uint16_t stated,
                    uint16_t is)
{
	char a[8], b[8];

	if (!by || stated == is)
		return;
	snprintf(a, sizeof(a), "%04x", is);
	snprintf(b, sizeof(b), "%04x", stated);
	differs(l, key, a, b);
}

static void look_class(struct line *l, const struct pol_match *m,
                       const struct subject *s)
{
	int more = m->by_interface ? 2 : 0;
	char is[8], stated[8];

	if (!m->by_class || (s->class_code == m->class_code &&
	                     (!more || s->interface == m->interface)))
		return;
	snprintf(is, sizeof(is), "%04x%02x", s->class_code, s->interface);
	snprintf(stated, sizeof(stated), "%04x%02x", m->class_code,
	         m->interface);
	is[4 + more] = stated[4 + more] = '\0';
	differs(l, "class", is, stated);
}

static void look_ids(struct line *l, const struct pol_match *m,
                     const struct subject *s)
{
	look_id(l, "vendor-id", m->by_vendor, m->vendor, s->vendor);
	look_id(l, "device-id", m->by_device, m->device, s->device);
	look_class(l, m, s);
	look_id(l, "subsystem-vendor-id", m->by_subvendor, m->subvendor,
	        s->id->subvendor);
	look_id(l, "subsystem-id", m->by_subdevice, m->subdevice,
	        s->id->subdevice);
}

static bool same_serial(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		int x = *a >= 'A' && *a <= 'F' ? *a + 32 : *a;

		if (x != *b)
			return false;
	}
	return *a == *b;
}

/* The DSN in either case of its digits, the VPD's to the letter. */
static void look_serial(struct line *l, const struct pol_match *m,
                        const struct subject *s)
{
	bool dsn = s->set & POL_HAS_DSN, vpd = *s->id->vpd;
	char is[POL_DEV_SERIAL + 48];

	if (!m->by_serial || (dsn && same_serial(m->serial, s->id->dsn)) ||
	    (vpd && !strcmp(m->serial, s->id->vpd)))
		return;
	snprintf(is, sizeof(is), "%s%s%s%s%s", dsn ? s->id->dsn : "",
	         dsn ? " (DSN)" : "", dsn && vpd ? " and " : "", s->id->vpd,
	         vpd ? " (VPD)" : "");
	differs(l, "serial", dsn || vpd ? is : "not known", m->serial);
}

bool pf_has_name(const struct pol_pf *pf, const char *ifname)
{
	if (!strcmp(pf->ifname, ifname))
		return true;
	for (size_t i = 0; i < POL_ALTNAMES; i++)
		if (!strcmp(pf->altname[i], ifname))
			return true;
	return false;
}

static void look_interface(struct line *l, const struct pol_match *m,
                           const struct subject *s)
{
	bool known = s->set & POL_HAS_PERM_MAC;
	char is[MAC_STRLEN], stated[MAC_STRLEN];

	if (m->by_ifname && s->pf && !pf_has_name(s->pf, m->ifname))
		differs(l, "ifname", *s->pf->ifname ? s->pf->ifname : "none",
		        m->ifname);
	if (m->by_mac && (!known || memcmp(m->mac, s->id->mac, 6) != 0))
		differs(l, "mac-address",
		        known ? mac_format(s->id->mac, is) : "not known",
		        mac_format(m->mac, stated));
}

static void look_root(struct line *l, const struct pol_match *m,
                      const struct subject *s)
{
	bool known = s->set & POL_HAS_ROOT;
	char is[BDF_STRLEN], stated[BDF_STRLEN];

	if (!m->by_root || (known && bdf_equal(m->root, s->id->root)))
		return;
	differs(l, "pcie-root",
	        known ? bdf_format(s->id->root, is) : "not known",
	        bdf_format(m->root, stated));
}

static void look(struct line *l, const struct pol_match *m,
                 const struct subject *s)
{
	char is[16] = "not known", stated[16];

	look_ids(l, m, s);
	if (m->by_driver && strcmp(m->driver, s->driver) != 0)
		differs(l, "driver", *s->driver ? s->driver : "none",
		        m->driver);
	look_serial(l, m, s);
	look_interface(l, m, s);
	look_root(l, m, s);
	if (!m->by_node || (s->set & POL_HAS_NODE && s->id->node == m->node))
		return;
	if (s->set & POL_HAS_NODE)
		snprintf(is, sizeof(is), "%u", s->id->node);
	snprintf(stated, sizeof(stated), "%u", m->node);
	differs(l, "numa", is, stated);
}

bool match_fits(const struct pol_match *m, const struct subject *s)
{
	struct line l = { .buf = NULL };

	if (m->by_pci && !bdf_equal(m->pci, s->bdf))
		return false;
	look(&l, m, s);
	return !l.differs;
}

void match_differences(const struct pol_match *m, const struct subject *s,
                       char *buf, size_t size)
{
	struct line l = { .buf = buf, .size = size };

	buf[0] = '\0';
	look(&l, m, s);
}

/* ---- nics ---------------------------------------------------------------- */

/* Its class is with the functions, of which there may be very many. */
static struct subject of_pf(const struct pol_match *m, const struct pol_pf *pf,
                            const struct pol_state *seen)
{
	const struct pol_whole *w =
		m->by_class ? state_whole(seen, pf->bdf) : NULL;

	return (struct subject){ .bdf = pf->bdf,
		                 .set = pf->set,
		                 .vendor = pf->vendor,
		                 .device = pf->device,
		                 .class_code = w ? w->class_code : 0,
		                 .interface = w ? w->interface : 0,
		                 .driver = pf->driver,
		                 .id = &pf->id,
		                 .pf = pf };
}

static bool matches(const struct pol_nic *nic, const struct pol_pf *pf,
                    const struct pol_state *seen)
{
	const struct subject s = of_pf(&nic->match, pf, seen);

	return match_fits(&nic->match, &s);
}

/* "0000:01:00.0 (8086:10c9, igb, ens1f0)" */
static void describe(const struct pol_pf *pf, char *buf, size_t size)
{
	char b[BDF_STRLEN];

	snprintf(buf, size, "%s (%04x:%04x, %s%s%s)", bdf_format(pf->bdf, b),
	         pf->vendor, pf->device, *pf->driver ? pf->driver : "no driver",
	         *pf->ifname ? ", " : "", pf->ifname);
}

/* The PFs that match, or all where `all`, as many as the line holds. */
static void list_pfs(struct diag *d, const char *lead,
                     const struct pol_nic *nic, const struct pol_state *seen,
                     bool all)
{
	char line[DIAG_LINE], one[120];
	size_t at = (size_t)snprintf(line, sizeof(line), "%s", lead);

	for (size_t i = 0; i < seen->n_pfs; i++) {
		if (!all && !matches(nic, &seen->pf[i], seen))
			continue;
		describe(&seen->pf[i], one, sizeof(one));
		if (at + strlen(one) + 8 > sizeof(line)) {
			snprintf(line + at, sizeof(line) - at, ", ...");
			break;
		}
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s %s",
		                       line[at - 1] == ':' ? "" : ",", one);
	}
	diag_why(d, "%s", line);
}

/* Something is there, and it is not what the policy states. */
static void another_card(const struct pol_nic *nic, const struct pol_pf *pf,
                         const struct pol_state *seen, struct pol_errors *errs)
{
	char one[120], line[DIAG_LINE];
	const struct subject s = of_pf(&nic->match, pf, seen);
	struct diag *d;

	describe(pf, one, sizeof(one));
	d = pol_err(errs, nic->match.pos, FL_POL_IDENTITY,
	            "%s %s: at its address is %s, which is another",
	            pol_kind_name(nic->kind), nic->name, one);
	match_differences(&nic->match, &s, line, sizeof(line));
	diag_why(d, "%s", line);
	diag_mend(d, "if the card was changed on purpose, change 'match'");
}

static void none_matches(const struct pol_nic *nic,
                         const struct pol_state *seen, struct pol_errors *errs)
{
	const struct pol_pf *pf =
		nic->match.by_pci ? state_pf(seen, nic->match.pci) : NULL;
	char b[BDF_STRLEN];
	struct diag *d;

	if (pf) {
		another_card(nic, pf, seen, errs);
		return;
	}
	d = pol_err(errs, nic->match.pos, FL_POL_NO_MATCH,
	            "%s %s: no device matches", pol_kind_name(nic->kind),
	            nic->name);
	if (seen->n_pfs)
		list_pfs(d, "functions that can have VFs:", nic, seen, true);
	else
		diag_why(d, "no function of this host can have VFs");
	if (nic->match.by_pci)
		diag_mend(d, "see `lspci -s %s` and `fairlead doctor`",
		          bdf_format(nic->match.pci, b));
	else
		diag_mend(d, "see `lspci -nnk` and `fairlead doctor`");
}

static bool has_asserted_name(const struct pol_nic *nic,
                              const struct pol_pf *pf, struct pol_errors *errs)
{
	struct diag *d;
	char one[120];

	if (!*nic->ifname || pf_has_name(pf, nic->ifname))
		return true;
	describe(pf, one, sizeof(one));
	d = pol_err(errs, nic->ifname_pos, FL_POL_IDENTITY,
	            "nic %s: %s is not called '%s'", nic->name, one,
	            nic->ifname);
	diag_why(d, "neither its interface nor an alternative name of it");
	diag_mend(d, "see `ip link show`; correct 'ifname' or 'match'");
	return false;
}

const struct pol_pf *match_pf(const struct pol_nic *nic,
                              const struct pol_state *seen,
                              struct pol_errors *errs)
{
	const struct pol_pf *found = NULL;
	struct diag *d;
	size_t n = 0;

	for (size_t i = 0; i < seen->n_pfs; i++)
		if (matches(nic, &seen->pf[i], seen)) {
			found = &seen->pf[i];
			n++;
		}
	if (n == 1)
		return has_asserted_name(nic, found, errs) ? found : NULL;
	if (!n) {
		none_matches(nic, seen, errs);
		return NULL;
	}
	d = pol_err(errs, nic->match.pos, FL_POL_NO_MATCH,
	            "%s %s: %zu devices match, one is needed",
	            pol_kind_name(nic->kind), nic->name, n);
	list_pfs(d, "they are:", nic, seen, false);
	diag_mend(d, "add `pci:` with the address of the one meant");
	return NULL;
}

int pol_match_nic(const struct pol_policy *p, const struct pol_nic *nic,
                  const struct pol_state *seen, const struct pol_pf **ret,
                  struct pol_errors *errs)
{
	const struct pol_pf *pf;

	errs->n = 0;
	errs->dropped = 0;
	pf = match_pf(nic, seen, errs);
	if (!pf) {
		pol_errors_sort(errs, &p->files);
		return -EINVAL;
	}
	*ret = pf;
	return 0;
}
