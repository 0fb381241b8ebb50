/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notes of what drivers have refused: refused.h. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/refused.h"

#define FILE_BEFORE "refused-"
#define FILE_NAME (sizeof(FILE_BEFORE) + BDF_STRLEN + sizeof(".json"))
#define NOTES_MAX (POL_VFS_MAX * 8u)

static const char *file_name(struct bdf pf, char ret[static FILE_NAME])
{
	char b[BDF_STRLEN];

	snprintf(ret, FILE_NAME, FILE_BEFORE "%s.json", bdf_format(pf, b));
	return ret;
}

void refused_clear(struct refused *r)
{
	free(r->note);
	*r = (struct refused){ 0 };
}

/* ---- what was wanted, as text -------------------------------------------- */

static void value_of(enum pol_op op, const struct pol_vf *v,
                     char ret[static 40])
{
	char mac[MAC_STRLEN];

	switch (op) {
	case POL_OP_VF_MAC:
		snprintf(ret, 40, "%s", mac_format(v->mac, mac));
		break;
	case POL_OP_VF_VLAN:
		snprintf(ret, 40, "%u qos %u %s", v->vlan, v->qos,
		         v->proto == 0x88a8 ? "802.1ad" : "802.1q");
		break;
	case POL_OP_VF_RATE:
		snprintf(ret, 40, "%u to %u Mbit/s", v->rate_min, v->rate_max);
		break;
	case POL_OP_VF_LINK:
		snprintf(ret, 40, "%s", pol_link_state_name(v->link_state));
		break;
	default:
		snprintf(ret, 40, "%s",
		         (op == POL_OP_VF_SPOOF && v->spoof) ||
		                         (op == POL_OP_VF_TRUST && v->trust) ||
		                         (op == POL_OP_VF_RSS && v->rss)
		                 ? "true"
		                 : "false");
	}
}

static void value_of_action(const struct pol_action *a, char ret[static 40])
{
	struct pol_vf v = { .vlan = a->vlan,
		            .proto = a->proto,
		            .qos = a->qos,
		            .rate_min = a->rate_min,
		            .rate_max = a->rate_max,
		            .spoof = a->number,
		            .trust = a->number,
		            .rss = a->number,
		            .link_state = (enum pol_link_state)a->number };

	memcpy(v.mac, a->mac, sizeof(v.mac));
	value_of(a->op, &v, ret);
}

/* ---- the file ------------------------------------------------------------ */

static enum pol_op op_of(const char *name)
{
	for (unsigned i = 0; name && i < POL_OP_MAX; i++)
		if (!strcmp(name, pol_op_name((enum pol_op)i)) &&
		    rtnl_knob_key((enum pol_op)i))
			return (enum pol_op)i;
	return POL_OP_MAX;
}

static void read_note(const json_t *o, struct refused *r)
{
	struct refused_note *n = &r->note[r->n];
	const char *op = NULL, *value = NULL, *words = NULL;
	int vf, err, speed;

	if (json_unpack((json_t *)(uintptr_t)o,
	                "{s:i, s:s, s:s, s:i, s:i, s:s}", "vf", &vf, "op", &op,
	                "value", &value, "errno", &err, "speed", &speed,
	                "words", &words))
		return;
	if (vf < 0 || vf >= POL_VFS_MAX || op_of(op) == POL_OP_MAX)
		return;
	*n = (struct refused_note){ .vf = (uint16_t)vf,
		                    .op = op_of(op),
		                    .err = -err,
		                    .speed = (uint32_t)speed };
	snprintf(n->value, sizeof(n->value), "%s", value);
	snprintf(n->words, sizeof(n->words), "%s", words);
	r->n++;
}

int refused_read(int state_fd, struct bdf pf, struct refused *ret)
{
	_cleanup_free_ char *text = NULL;
	char name[FILE_NAME];
	const json_t *list;
	size_t len = 0, n;
	json_t *doc;

	*ret = (struct refused){ 0 };
	if (journal_get(state_fd, file_name(pf, name), &text, &len, NULL) < 0)
		return 0;
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	list = json_object_get(doc, "refused");
	n = MIN(json_array_size(list), (size_t)NOTES_MAX);
	snprintf(ret->driver, sizeof(ret->driver), "%s",
	         json_is_string(json_object_get(doc, "driver"))
	                 ? json_string_value(json_object_get(doc, "driver"))
	                 : "");
	ret->note = n ? calloc(n, sizeof(*ret->note)) : NULL;
	for (size_t i = 0; ret->note && i < n; i++)
		read_note(json_array_get(list, i), ret);
	json_decref(doc);
	return n && !ret->note ? -ENOMEM : 0;
}

int refused_add(struct refused *r, const struct pol_action *a, int err,
                uint32_t speed, const char *words)
{
	struct refused_note *n = r->note;
	size_t i = 0;

	while (i < r->n && (n[i].vf != a->vf || n[i].op != a->op))
		i++;
	if (i == r->n) {
		n = reallocarray(n, r->n + 1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		r->note = n;
		r->n++;
	}
	n[i] = (struct refused_note){
		.vf = (uint16_t)a->vf, .op = a->op, .err = err, .speed = speed
	};
	value_of_action(a, n[i].value);
	snprintf(n[i].words, sizeof(n[i].words), "%s", words);
	return 0;
}

int refused_write(int state_fd, struct bdf pf, const struct refused *r,
                  struct diag *d)
{
	_cleanup_free_ char *text = NULL;
	json_t *list = json_array(), *doc;
	char name[FILE_NAME];

	for (size_t i = 0; i < r->n; i++) {
		const struct refused_note *n = &r->note[i];

		json_array_append_new(
			list,
			json_pack("{s:i, s:s, s:s, s:i, s:i, s:s}", "vf", n->vf,
		                  "op", pol_op_name(n->op), "value", n->value,
		                  "errno", -n->err, "speed", (int)n->speed,
		                  "words", n->words));
	}
	doc = json_pack("{s:i, s:s, s:o}", "version", NETD_PROTO_VERSION,
	                "driver", r->driver, "refused", list);
	text = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;
	json_decref(doc);
	if (!text)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	return journal_put(state_fd, file_name(pf, name), text, strlen(text),
	                   d);
}

int refused_forget(int state_fd, struct bdf pf, struct diag *d)
{
	char name[FILE_NAME];

	file_name(pf, name);
	return faccessat(state_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0
	               ? 0
	               : journal_drop(state_fd, name, d);
}

struct names {
	char (*name)[FILE_NAME];
	size_t n;
};

static int take_name(const char *name, void *arg)
{
	struct names *all = arg;
	char(*more)[FILE_NAME];

	if (strncmp(name, FILE_BEFORE, strlen(FILE_BEFORE)) != 0 ||
	    strlen(name) >= FILE_NAME)
		return 0;
	more = reallocarray(all->name, all->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	all->name = more;
	snprintf(all->name[all->n++], FILE_NAME, "%s", name);
	return 0;
}

int refused_forget_all(int state_fd, struct diag *d)
{
	struct names all = { 0 };
	int r = sysfs_each(state_fd, ".", take_name, &all);

	if (r) {
		diag_fail(d, r, FL_NETD_JOURNAL,
		          "cannot list the journal's folder: %s", strerror(-r));
		diag_mend(d, "see the folder of --state (/var/lib/fairlead) "
		             "and `dmesg` for its disk");
	}
	for (size_t i = 0; !r && i < all.n; i++)
		r = journal_drop(state_fd, all.name[i], d);
	free(all.name);
	return r;
}

/* ---- what it means for what is wanted ------------------------------------ */

static bool states_warn(const struct pol_pf *want)
{
	for (size_t i = 0; i < want->n_vfs; i++)
		if (want->vf[i].warn)
			return true;
	return false;
}

static bool holds(const struct refused_note *n, const struct pol_vf *want)
{
	char value[40];

	if (!want->warn || want->index != n->vf ||
	    !(want->set & rtnl_knob_has(n->op)))
		return false;
	value_of(n->op, want, value);
	return !strcmp(value, n->value);
}

static struct pol_vf *find_vf(struct pol_pf *pf, unsigned index)
{
	for (size_t i = 0; i < pf->n_vfs; i++)
		if (pf->vf[i].index == index)
			return &pf->vf[i];
	return NULL;
}

static void see_pf(int state_fd, struct pol_pf *seen, const struct pol_pf *want)
{
	_cleanup_refused_ struct refused r = { 0 };

	if (!states_warn(want) || refused_read(state_fd, seen->bdf, &r) < 0 ||
	    strcmp(r.driver, seen->driver) != 0)
		return;
	for (size_t i = 0; i < r.n; i++) {
		struct pol_vf *vf = find_vf(seen, r.note[i].vf);
		const struct pol_vf *w = state_find_vf(want, r.note[i].vf);

		if (vf && w && holds(&r.note[i], w) &&
		    (r.note[i].err != -EINVAL ||
		     r.note[i].speed == seen->speed))
			vf->refused |= rtnl_knob_has(r.note[i].op);
	}
}

void refused_see(int state_fd, struct pol_state *seen,
                 const struct pol_state *want)
{
	for (size_t i = 0; i < want->n_pfs; i++)
		for (size_t k = 0; k < seen->n_pfs; k++)
			if (bdf_equal(seen->pf[k].bdf, want->pf[i].bdf))
				see_pf(state_fd, &seen->pf[k], &want->pf[i]);
}

static void tell_pf(int state_fd, const struct pol_pf *want, json_t *reply)
{
	_cleanup_refused_ struct refused r = { 0 };
	char b[BDF_STRLEN];

	if (!states_warn(want) || refused_read(state_fd, want->bdf, &r) < 0)
		return;
	for (size_t i = 0; i < r.n; i++) {
		const struct refused_note *n = &r.note[i];
		const struct pol_vf *w = state_find_vf(want, n->vf);

		if (!w || !holds(n, w))
			continue;
		reply_warn(reply, "FL-%04d: VF %u of %s: %s %s is left out: %s",
		           FL_NETD_UNSUPPORTED, n->vf,
		           *want->name ? want->name : bdf_format(want->bdf, b),
		           rtnl_knob_key(n->op), n->value, n->words);
	}
}

void refused_tell(int state_fd, const struct pol_state *want, json_t *reply)
{
	for (size_t i = 0; i < want->n_pfs; i++)
		tell_pf(state_fd, &want->pf[i], reply);
}

json_t *refused_json(const struct refused *r, unsigned vf)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n; i++)
		if (r->note[i].vf == vf)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:s}", "setting",
			                        rtnl_knob_key(r->note[i].op),
			                        "value", r->note[i].value,
			                        "why", r->note[i].words));
	return list;
}
