/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal's two JSON documents: how the machine was before fairlead
 * touched it, and what is being done to it now. */

#include <stdio.h>
#include <string.h>

#include "netd/history.h"

int document_torn(struct diag *d, const char *name)
{
	diag_fail(d, -EBADMSG, FL_NETD_JOURNAL, "the journal's %s is damaged",
	          name);
	diag_why(d, "it is not what fairlead-netd wrote");
	diag_mend(d, "put it back from a backup of /var/lib/fairlead; or look "
	             "at it, set the machine right by hand, and move it away");
	return -EBADMSG;
}

/* -ENOENT when there is no such file. */
int document_read(int state_fd, const char *name, json_t **ret, struct diag *d)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	json_t *doc;
	int r = journal_get(state_fd, name, &text, &len, d);

	if (r)
		return r;
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(doc)) {
		json_decref(doc);
		return document_torn(d, name);
	}
	*ret = doc;
	return 0;
}

int document_write(int state_fd, const char *name, json_t *doc, struct diag *d)
{
	_cleanup_free_ char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	json_decref(doc);
	if (!text)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	return journal_put(state_fd, name, text, strlen(text), d);
}

/* ---- original.json ------------------------------------------------------- */

int original_read(int state_fd, struct pol_state **ret, struct diag *d)
{
	json_t *doc;
	int r = document_read(state_fd, JOURNAL_ORIGINAL, &doc, d);

	if (r)
		return r;
	r = pol_state_from_json(doc, ret);
	json_decref(doc);
	return r == -EBADMSG ? document_torn(d, JOURNAL_ORIGINAL) : r;
}

static bool add_overs(json_t *doc, const struct pol_state *have,
                      const struct pol_state *fresh, const json_t *add)
{
	json_t *list = json_object_get(doc, "overlays");
	bool any = false;

	for (size_t i = 0; i < fresh->n_overs; i++) {
		if (have && state_over(have, fresh->over[i].o.bridge))
			continue;
		if (!list) {
			list = json_array();
			json_object_set_new(doc, "overlays", list);
		}
		json_array_append(list, json_array_get(add, i));
		any = true;
	}
	return any;
}

/* Those of `want` that are in `seen` and not yet in `doc`. */
static bool add_missing(json_t *doc, const struct pol_state *have,
                        const struct pol_state *fresh)
{
	json_t *list = json_object_get(doc, "pfs");
	json_t *wholes = json_object_get(doc, "devices");
	json_t *add = pol_state_to_json(fresh);
	json_t *pfs = json_object_get(add, "pfs");
	json_t *more = json_object_get(add, "devices");
	bool any = false;

	for (size_t i = 0; i < fresh->n_wholes; i++)
		if (!have || !state_find_whole(have, fresh->whole[i].bdf)) {
			json_array_append(wholes, json_array_get(more, i));
			any = true;
		}
	for (size_t i = 0; i < fresh->n_pfs; i++)
		if (!have || !state_find_pf(have, fresh->pf[i].bdf)) {
			json_array_append(list, json_array_get(pfs, i));
			any = true;
		}
	any |= add_overs(doc, have, fresh, json_object_get(add, "overlays"));
	json_decref(add);
	return any;
}

/* Settings that this change is the first to touch, of PFs that are in it. */
static int learn(const struct pol_state *have, const struct pol_state *fresh)
{
	int any = 0, r = 0;

	for (size_t i = 0; r >= 0 && have && i < have->n_pfs; i++) {
		const struct pol_pf *now =
			state_find_pf(fresh, have->pf[i].bdf);

		r = now ? pol_pf_learn(&have->pf[i], now) : 0;
		any |= r;
	}
	return r < 0 ? r : any;
}

int not_learnt(int r, struct diag *d)
{
	if (r != -E2BIG)
		return r;
	diag_fail(d, r, FL_NETD_JOURNAL, "what was before is not known whole");
	diag_why(d,
	         "policies have changed more than %d bridges or %d devlink "
	         "parameters of one function since it was as found",
	         POL_BRIDGES_MAX, POL_PARAMS_MAX);
	diag_mend(d, "`fairlead restore`, then apply the policy again");
	return r;
}

int original_add(int state_fd, const struct pol_state *seen,
                 const struct pol_state *want, struct diag *d)
{
	struct pol_state *have = NULL, *fresh = NULL;
	json_t *doc = NULL;
	int learnt = 0, r = original_read(state_fd, &have, d);

	if (r && r != -ENOENT)
		return r;
	r = state_of(seen, want, &fresh);
	if (!r && have)
		pol_learn_bridges(have, fresh);
	if (!r)
		learnt = learn(have, fresh);
	if (learnt < 0)
		r = not_learnt(learnt, d);
	if (!r) {
		doc = have ? pol_state_to_json(have)
		           : json_pack("{s:i, s:[], s:[]}", "version",
		                       NETD_PROTO_VERSION, "pfs", "devices");
		if (add_missing(doc, have, fresh) || learnt)
			r = document_write(state_fd, JOURNAL_ORIGINAL, doc, d);
		else
			json_decref(doc);
	}
	pol_state_free(have);
	pol_state_free(fresh);
	return r;
}

/* ---- intent.json --------------------------------------------------------- */

void intent_clear(struct intent *i)
{
	free(i->policy);
	free(i->previous);
	pol_state_free(i->before);
	memset(i, 0, sizeof(*i));
}

static const char *const phases[] = {
	[INTENT_APPLY] = "applying",
	[INTENT_RESTORE] = "restoring",
	[INTENT_ROLLBACK] = "rolling-back",
};

static void put_text(json_t *doc, const char *key, const char *text, size_t len)
{
	if (text)
		json_object_set_new(doc, key, json_stringn(text, len));
}

int intent_write(int state_fd, const struct intent *i, struct diag *d)
{
	json_t *doc =
		json_pack("{s:i, s:s, s:s}", "version", NETD_PROTO_VERSION,
	                  "phase", phases[i->kind], "file", i->file);

	put_text(doc, "policy", i->policy, i->policy_len);
	put_text(doc, "previous", i->previous, i->previous_len);
	if (i->has_confirm)
		json_object_set_new(doc, "confirm-within",
		                    json_integer(i->confirm_s));
	if (i->early)
		json_object_set_new(doc, "early", json_true());
	if (i->back)
		json_object_set_new(doc, "back", json_true());
	json_object_set_new(doc, "before", pol_state_to_json(i->before));
	json_object_set_new(doc, "who", asker_to_json(&i->who));
	json_object_set_new(doc, "history", json_integer(i->history));
	return document_write(state_fd, JOURNAL_INTENT, doc, d);
}

static int get_text(const json_t *doc, const char *key, char **ret,
                    size_t *ret_len)
{
	const json_t *v = json_object_get(doc, key);

	if (!json_is_string(v))
		return 0;
	*ret_len = json_string_length(v);
	*ret = strndup(json_string_value(v), *ret_len);
	return *ret ? 0 : -ENOMEM;
}

static int get_phase(const json_t *doc, enum intent_kind *ret)
{
	const char *phase = json_string_value(json_object_get(doc, "phase"));

	for (size_t k = 0; phase && k < ARRAY_SIZE(phases); k++)
		if (!strcmp(phase, phases[k])) {
			*ret = (enum intent_kind)k;
			return 0;
		}
	return -EBADMSG;
}

static int intent_decode(const json_t *doc, struct intent *i)
{
	const char *file = json_string_value(json_object_get(doc, "file"));
	const json_t *confirm = json_object_get(doc, "confirm-within");
	int r = get_phase(doc, &i->kind);

	if (r || !file || strlen(file) >= sizeof(i->file))
		return -EBADMSG;
	snprintf(i->file, sizeof(i->file), "%s", file);
	asker_from_json(json_object_get(doc, "who"), &i->who);
	i->history =
		(uint32_t)json_integer_value(json_object_get(doc, "history"));
	i->early = json_is_true(json_object_get(doc, "early"));
	i->back = json_is_true(json_object_get(doc, "back"));
	i->has_confirm = json_is_integer(confirm);
	i->confirm_s = (uint32_t)json_integer_value(confirm);
	r = get_text(doc, "policy", &i->policy, &i->policy_len);
	if (!r && i->kind == INTENT_APPLY && !i->policy)
		r = -EBADMSG;
	if (!r)
		r = get_text(doc, "previous", &i->previous, &i->previous_len);
	return r ? r
	         : pol_state_from_json(json_object_get(doc, "before"),
	                               &i->before);
}

int intent_read(int state_fd, struct intent *ret, struct diag *d)
{
	struct intent i = { 0 };
	json_t *doc;
	int r = document_read(state_fd, JOURNAL_INTENT, &doc, d);

	if (r)
		return r;
	r = intent_decode(doc, &i);
	json_decref(doc);
	if (r) {
		intent_clear(&i);
		return r == -EBADMSG ? document_torn(d, JOURNAL_INTENT) : r;
	}
	*ret = i;
	return 0;
}
