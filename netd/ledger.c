/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger: the file, and who is in it. ledger.h says what for. */

#include <stdio.h>
#include <string.h>

#include "netd/ledger.h"

static const char *const states[] = {
	[LEDGER_CLEAN] = "clean",
	[LEDGER_GIVEN] = "given",
	[LEDGER_QUARANTINED] = "quarantined",
};

const char *ledger_state_name(enum ledger_state s)
{
	return states[s];
}

void ledger_free(struct ledger *l)
{
	free(l->fn);
	*l = (struct ledger){ 0 };
}

struct ledger_fn *ledger_find(const struct ledger *l, struct bdf b)
{
	for (size_t i = 0; i < l->n; i++)
		if (bdf_equal(l->fn[i].bdf, b))
			return &l->fn[i];
	return NULL;
}

struct ledger_fn *ledger_get(struct ledger *l, struct bdf b)
{
	struct ledger_fn *f = ledger_find(l, b);

	if (f || l->n == LEDGER_MAX)
		return f;
	f = reallocarray(l->fn, l->n + 1, sizeof(*f));
	if (!f)
		return NULL;
	l->fn = f;
	f += l->n++;
	*f = (struct ledger_fn){ .bdf = b };
	return f;
}

struct ledger_fn *ledger_held_by(const struct ledger *l, const char *holder)
{
	for (size_t i = 0; *holder && i < l->n; i++)
		if (!strcmp(l->fn[i].loan.holder, holder))
			return &l->fn[i];
	return NULL;
}

void ledger_give(struct ledger *l, struct ledger_fn *f, const char *tenant,
                 bool hold)
{
	uint64_t last = 0;

	for (size_t i = 0; i < l->n; i++)
		last = MAX(last, l->fn[i].generation);
	f->generation = last + 1;
	f->state = LEDGER_GIVEN;
	f->moved = (struct ledger_moved){ .nic = "" };
	f->hold = hold;
	snprintf(f->tenant, sizeof(f->tenant), "%s", tenant);
}

void ledger_hold_back(struct ledger_fn *f)
{
	f->state = LEDGER_QUARANTINED;
	f->scrub.proved = false;
	snprintf(f->scrub.why, sizeof(f->scrub.why),
	         "what it stores is for you to look after (release: "
	         "quarantine)");
}

/* ---- to JSON ------------------------------------------------------------- */

static json_t *loan_json(const struct ledger_loan *l)
{
	return json_pack("{s:s, s:s, s:I, s:i, s:I, s:o, s:s, s:s}", "holder",
	                 l->holder, "pool", l->pool, "uid", (json_int_t)l->uid,
	                 "pid", l->pid, "since", (json_int_t)l->since,
	                 "attributes", pol_vf_to_json(&l->attr), "why", l->why,
	                 "others", l->others);
}

static json_t *scrub_json(const struct ledger_scrub *s)
{
	char mac[MAC_STRLEN];
	json_t *done = json_array(), *o;

	for (unsigned step = 1; step & POL_SCRUB_ALL; step <<= 1)
		if (s->done & step)
			json_array_append_new(
				done, json_string(pol_scrub_name(step)));
	o = json_pack("{s:I, s:I, s:b, s:s, s:o}", "time", (json_int_t)s->time,
	              "generation", (json_int_t)s->generation, "proved",
	              s->proved, "why", s->why, "done", done);
	if (s->has_mac)
		json_object_set_new(o, "mac",
		                    json_string(mac_format(s->mac, mac)));
	return o;
}

static json_t *fn_json(const struct ledger_fn *f)
{
	char b[BDF_STRLEN];
	json_t *o = json_pack("{s:s, s:I, s:I, s:s, s:s}", "bdf",
	                      bdf_format(f->bdf, b), "generation",
	                      (json_int_t)f->generation, "resets",
	                      (json_int_t)f->resets, "state",
	                      ledger_state_name(f->state), "tenant", f->tenant);

	if (f->hold)
		json_object_set_new(o, "hold", json_true());
	if (f->state == LEDGER_GIVEN && *f->moved.nic)
		json_object_set_new(o, "moved",
		                    json_pack("{s:s, s:i}", "nic", f->moved.nic,
		                              "vf", f->moved.vf));
	if (*f->loan.holder)
		json_object_set_new(o, "loan", loan_json(&f->loan));
	if (f->scrub.time || *f->scrub.why)
		json_object_set_new(o, "scrub", scrub_json(&f->scrub));
	return o;
}

json_t *ledger_json(const struct ledger *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(list, fn_json(&l->fn[i]));
	return list;
}

/* ---- from JSON ----------------------------------------------------------- */

static bool take_text(const json_t *o, const char *key, char *to, size_t size)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v) || json_string_length(v) >= size)
		return false;
	memcpy(to, json_string_value(v), json_string_length(v) + 1);
	return true;
}

static bool take_number(const json_t *o, const char *key, int64_t *to)
{
	const json_t *v = json_object_get(o, key);

	*to = json_integer_value(v);
	return json_is_integer(v) && *to >= 0;
}

/* Files of an earlier netd have none. */
static bool take_resets(const json_t *o, uint64_t *to)
{
	int64_t n = 0;

	if (json_object_get(o, "resets") && !take_number(o, "resets", &n))
		return false;
	*to = (uint64_t)n;
	return true;
}

/* What loans of an earlier version do not have. */
static bool take_reason(const json_t *o, const char *key,
                        char to[static DIAG_LINE])
{
	return !json_object_get(o, key) || take_text(o, key, to, DIAG_LINE);
}

static bool take_loan(const json_t *o, struct ledger_loan *l)
{
	int64_t uid, pid;

	if (!o)
		return true;
	if (!take_text(o, "holder", l->holder, sizeof(l->holder)) ||
	    !take_text(o, "pool", l->pool, sizeof(l->pool)) ||
	    !take_number(o, "uid", &uid) || !take_number(o, "pid", &pid) ||
	    !take_number(o, "since", &l->since) ||
	    !take_reason(o, "why", l->why) ||
	    !take_reason(o, "others", l->others))
		return false;
	l->uid = (uid_t)uid;
	l->pid = (pid_t)pid;
	return pol_vf_from_json(json_object_get(o, "attributes"), &l->attr) ==
	       0;
}

static bool take_moved(const json_t *o, struct ledger_moved *m)
{
	int64_t vf;

	if (!o)
		return true;
	if (!take_text(o, "nic", m->nic, sizeof(m->nic)) ||
	    !take_number(o, "vf", &vf) || vf >= POL_VFS_MAX)
		return false;
	m->vf = (uint16_t)vf;
	return true;
}

/* What scrubs of an earlier version do not tell. */
static bool take_mac(const json_t *v, struct ledger_scrub *s)
{
	s->has_mac = v != NULL;
	return !v ||
	       (json_is_string(v) && !mac_parse(json_string_value(v), s->mac));
}

static bool take_scrub(const json_t *o, struct ledger_scrub *s)
{
	const json_t *done = json_object_get(o, "done");
	int64_t generation;

	if (!o)
		return true;
	if (!take_number(o, "time", &s->time) ||
	    !take_number(o, "generation", &generation) ||
	    !take_text(o, "why", s->why, sizeof(s->why)) ||
	    !take_mac(json_object_get(o, "mac"), s))
		return false;
	s->generation = (uint64_t)generation;
	s->proved = json_is_true(json_object_get(o, "proved"));
	for (size_t i = 0; i < json_array_size(done); i++) {
		const char *name = json_string_value(json_array_get(done, i));

		for (unsigned step = 1; name && step & POL_SCRUB_ALL;
		     step <<= 1)
			if (!strcmp(name, pol_scrub_name(step)))
				s->done |= step;
	}
	return true;
}

static bool take_state(const json_t *o, enum ledger_state *ret)
{
	const char *name = json_string_value(json_object_get(o, "state"));

	for (size_t i = 0; name && i < ARRAY_SIZE(states); i++)
		if (!strcmp(name, states[i])) {
			*ret = (enum ledger_state)i;
			return true;
		}
	return false;
}

static bool take_fn(const json_t *o, struct ledger *l)
{
	char bdf[BDF_STRLEN];
	struct ledger_fn *f;
	int64_t generation;
	struct bdf b;

	if (!take_text(o, "bdf", bdf, sizeof(bdf)) || bdf_parse(bdf, &b) ||
	    ledger_find(l, b))
		return false;
	f = ledger_get(l, b);
	if (!f || !take_number(o, "generation", &generation) ||
	    !take_resets(o, &f->resets) || !take_state(o, &f->state) ||
	    !take_text(o, "tenant", f->tenant, sizeof(f->tenant)))
		return false;
	f->generation = (uint64_t)generation;
	f->hold = json_is_true(json_object_get(o, "hold"));
	return take_moved(json_object_get(o, "moved"), &f->moved) &&
	       take_loan(json_object_get(o, "loan"), &f->loan) &&
	       take_scrub(json_object_get(o, "scrub"), &f->scrub);
}

/* VFs do not outlive a boot, and with them go their tenants and traces; but not
 * what tenants have written to disks. */
static void new_boot(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct ledger_fn was = l->fn[i], *f = &l->fn[i];

		*f = (struct ledger_fn){ .bdf = was.bdf,
			                 .generation = was.generation,
			                 .resets = was.resets };
		if (!was.hold || was.state == LEDGER_CLEAN)
			continue;
		f->hold = true;
		f->scrub = was.scrub;
		if (was.state == LEDGER_GIVEN)
			ledger_hold_back(f);
		else
			f->state = was.state;
		memcpy(f->tenant, was.tenant, sizeof(f->tenant));
	}
}

int ledger_decode(const json_t *doc, const char *boot, struct ledger *ret)
{
	const json_t *list = json_object_get(doc, "functions");
	const char *then = json_string_value(json_object_get(doc, "boot"));
	struct ledger l = { 0 };
	bool good = json_is_array(list) && then;

	for (size_t i = 0; good && i < json_array_size(list); i++)
		good = take_fn(json_array_get(list, i), &l);
	if (!good) {
		ledger_free(&l);
		return -EBADMSG;
	}
	if (*boot && strcmp(then, boot) != 0)
		new_boot(&l);
	*ret = l;
	return 0;
}

/* ---- the file ------------------------------------------------------------ */

int ledger_read(const struct env *e, struct ledger *ret, struct diag *d)
{
	char boot[BOOT_ID_LEN];
	json_t *doc = NULL;
	int r;

	*ret = (struct ledger){ 0 };
	/* --observe, where netd has never run. */
	if (e->state_fd < 0)
		return 0;
	r = document_read(e->state_fd, LEDGER_FILE, &doc, d);
	if (r)
		return r == -ENOENT ? 0 : r;
	r = boot_id(e, boot, d);
	if (!r && ledger_decode(doc, boot, ret))
		r = document_torn(d, LEDGER_FILE);
	json_decref(doc);
	return r;
}

int ledger_write(const struct env *e, const struct ledger *l, struct diag *d)
{
	char boot[BOOT_ID_LEN];
	int r = boot_id(e, boot, d);

	if (r)
		return r;
	return document_write(e->state_fd, LEDGER_FILE,
	                      json_pack("{s:i, s:s, s:o}", "version",
	                                NETD_PROTO_VERSION, "boot", boot,
	                                "functions", ledger_json(l)),
	                      d);
}
