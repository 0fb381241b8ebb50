/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random MACs, drawn once and kept: macs.h. */

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "netd/macs.h"

#define FILE_NAME "macs.json"
#define LABEL ((size_t)2 * POL_NAME) /* "guest/nic" */
/* Of 24 bits and at most 4096 nics, one in 4096 is taken. */
#define TRIES 64

/* ---- the file ------------------------------------------------------------ */

/* An empty one where there is none. */
static int read_kept(int state_fd, json_t **ret, struct diag *d)
{
	int r = document_read(state_fd, FILE_NAME, ret, d);

	if (r != -ENOENT)
		return r;
	*ret = json_object();
	return *ret ? 0 : -ENOMEM;
}

static const char *name_of(const struct pol_guest *g,
                           const struct pol_guest_nic *n,
                           char ret[static LABEL])
{
	snprintf(ret, LABEL, "%s/%s", g->name, n->name);
	return ret;
}

static bool kept(const json_t *doc, const char *name, uint8_t ret[static 6])
{
	const char *text = json_string_value(json_object_get(doc, name));

	return text && !mac_parse(text, ret);
}

static bool kept_for_another(const json_t *doc, const char *name,
                             const uint8_t mac[static 6])
{
	const char *key;
	uint8_t other[6];
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)doc, key, v)
	{
		if (strcmp(key, name) != 0 && kept(doc, key, other) &&
		    !memcmp(other, mac, sizeof(other)))
			return true;
	}
	return false;
}

/* ---- each nic ------------------------------------------------------------ */

struct macs {
	struct pol_policy *p;
	json_t *doc;
	struct diag *d;
};

static int fill(struct macs *m, struct pol_guest *g, struct pol_guest_nic *n)
{
	char name[LABEL];
	uint8_t mac[6];

	if (!kept(m->doc, name_of(g, n, name), mac) ||
	    pol_mac_taken(m->p, mac, n))
		return 0;
	memcpy(n->drawn.v, mac, sizeof(mac));
	n->drawn.given = POL_GIVEN;
	return 0;
}

static int draw(struct macs *m, struct pol_guest *g, struct pol_guest_nic *n)
{
	uint8_t *mac = n->drawn.v;
	char name[LABEL];
	unsigned draws;

	if (n->drawn.given == POL_GIVEN)
		return 0;
	draws = pol_nic_draws(m->p, n, mac);
	name_of(g, n, name);
	for (int i = 0; i < TRIES; i++) {
		if (getrandom(mac + 6 - draws, draws, 0) != (ssize_t)draws)
			break;
		if (pol_mac_taken(m->p, mac, n) ||
		    kept_for_another(m->doc, name, mac))
			continue;
		n->drawn.given = POL_GIVEN;
		return 0;
	}
	diag_fail(m->d, -EAGAIN, FL_NETD_MACS, "no random MAC for %s", name);
	diag_why(m->d, "the kernel gave no random bytes, or only such as are "
	               "another's");
	diag_mend(m->d, "give its pool another `prefix`, or none");
	return -EAGAIN;
}

static int keep(struct macs *m, struct pol_guest *g, struct pol_guest_nic *n)
{
	char name[LABEL], text[MAC_STRLEN];

	if (n->drawn.given != POL_GIVEN)
		return 0;
	return json_object_set_new(m->doc, name_of(g, n, name),
	                           json_string(mac_format(n->drawn.v, text)))
	               ? -ENOMEM
	               : 0;
}

static int refuse(struct macs *m, struct pol_guest *g, struct pol_guest_nic *n)
{
	char name[LABEL];

	if (n->drawn.given == POL_GIVEN)
		return 0;
	diag_fail(m->d, -ENODATA, FL_NETD_MACS, "the MAC of %s is not known",
	          name_of(g, n, name));
	diag_why(m->d,
	         "it was drawn at random, but the state folder's %s does not "
	         "have it",
	         FILE_NAME);
	diag_mend(m->d, "put that back, or have another drawn: fairlead apply "
	                "FILE");
	return -ENODATA;
}

typedef int each_fn(struct macs *m, struct pol_guest *g,
                    struct pol_guest_nic *n);

static int each(struct macs *m, each_fn *fn)
{
	uint8_t ignored[6];
	int r = 0;

	for (size_t i = 0; i < m->p->n_guests; i++)
		for (size_t k = 0; !r && k < m->p->guest[i].n_nics; k++) {
			struct pol_guest *g = &m->p->guest[i];

			if (pol_nic_draws(m->p, &g->nic[k], ignored))
				r = fn(m, g, &g->nic[k]);
		}
	return r;
}

/* Most policies have none: then no file is read. */
static bool has_any(const struct pol_policy *p)
{
	for (size_t i = 0; i < p->n_pools; i++)
		if (p->pool[i].mac_assign == POL_MAC_RANDOM)
			return true;
	return false;
}

static int no_memory(int r, struct diag *d)
{
	return r == -ENOMEM ? diag_fail(d, r, FL_NETD_MEMORY, "no memory") : r;
}

static int with_kept(int state_fd, struct pol_policy *p, each_fn *others,
                     struct diag *d)
{
	struct macs m = { .p = p, .d = d };
	int r = has_any(p) ? read_kept(state_fd, &m.doc, d) : 0;

	if (!r && m.doc)
		r = each(&m, fill);
	if (!r && m.doc && others)
		r = each(&m, others);
	json_decref(m.doc);
	return no_memory(r, d);
}

int macs_fill(int state_fd, struct pol_policy *p, struct diag *d)
{
	return with_kept(state_fd, p, NULL, d);
}

int macs_applied(int state_fd, struct pol_policy *p, struct diag *d)
{
	return with_kept(state_fd, p, refuse, d);
}

int macs_draw(int state_fd, struct pol_policy *p, struct diag *d)
{
	return with_kept(state_fd, p, draw, d);
}

int macs_keep(int state_fd, const struct pol_policy *p, struct diag *d)
{
	struct macs m = { .p = (struct pol_policy *)(uintptr_t)p, .d = d };
	json_t *before = NULL;
	int r = has_any(p) ? read_kept(state_fd, &m.doc, d) : 0;

	if (!m.doc)
		return r;
	before = json_deep_copy(m.doc);
	r = before ? each(&m, keep) : -ENOMEM;
	if (!r && !json_equal(before, m.doc))
		r = document_write(state_fd, FILE_NAME, TAKE_PTR(m.doc), d);
	json_decref(before);
	json_decref(m.doc);
	return no_memory(r, d);
}

int macs_forget_all(int state_fd, struct diag *d)
{
	return journal_drop(state_fd, FILE_NAME, d);
}
