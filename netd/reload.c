/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy file that has changed. reload.h says when that is heeded. */

#include <stdio.h>
#include <string.h>

#include "netd/reload.h"

/* ---- main ---------------------------------------------------------------- */

json_t *reload_json(const struct reload *r)
{
	json_t *o;

	if (!*r->path)
		return json_null();
	o = json_pack("{s:s}", "path", r->path);
	if (!r->last)
		return o;
	json_object_set_new(o, "time", json_integer((json_int_t)r->last));
	json_object_set_new(o, "ok", json_boolean(r->ok));
	if (!r->ok)
		json_object_set_new(o, "error",
		                    json_pack("{s:i, s:s, s:s, s:s}", "code",
		                              r->said.code, "what",
		                              r->said.what, "why", r->said.why,
		                              "mend", r->said.mend));
	return o;
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Before the reason, in which file and line. A diag takes what is cut within a
 * character. */
static void say_why(struct diag *d, const json_t *e, const json_t *first)
{
	const char *file = text_of(first, "file");

	if (first)
		diag_why(
			d, "%.64s%sline %d: %.160s", file, *file ? ", " : "",
			(int)json_integer_value(json_object_get(first, "line")),
			text_of(e, "why"));
	else
		diag_why(d, "%s", text_of(e, "why"));
}

void reload_note(struct reload *r, const json_t *reply, int64_t now)
{
	const json_t *e = json_object_get(reply, "error");
	int code = (int)json_integer_value(json_object_get(e, "code"));

	r->last = now;
	r->ok = json_is_true(json_object_get(reply, "ok"));
	(void)diag_fail(&r->said, -EINVAL, code, "%s", text_of(e, "what"));
	say_why(&r->said, e,
	        json_array_get(json_object_get(reply, "errors"), 0));
	diag_mend(&r->said, "%s", text_of(e, "mend"));
}

/* ---- the worker ---------------------------------------------------------- */

int reload_calm(const struct pol_plan *plan, struct diag *d)
{
	char text[DIAG_LINE];

	for (size_t i = 0; i < plan->n; i++) {
		const struct pol_action *a = &plan->action[i];

		if (a->disruption == POL_DIS_NONE)
			continue;
		pol_action_text(a, text, sizeof(text));
		diag_fail(d, -EBUSY, FL_NETD_RELOAD,
		          "the policy file has changed, and is not applied");
		diag_why(d, "it would disrupt (%s): %.160s",
		         pol_disruption_name(a->disruption), text);
		diag_mend(d, "fairlead apply; or `systemctl reload "
		             "fairlead-netd`");
		return -EBUSY;
	}
	return 0;
}

static int take_text(struct work *w, struct intent *in)
{
	const char *path = w->env->reload->path;
	char why[DIAG_LINE] = "";
	int r = reload_read(w->env->reload, &in->policy, &in->policy_len, why);

	if (r) {
		diag_fail(&w->diag, r, FL_NETD_RELOAD,
		          "cannot take the policy %s", path);
		diag_why(&w->diag, "%s", why);
		if (r == -EPERM)
			diag_mend(&w->diag,
			          "chown -R root %s; chmod -R go-w %s; then "
			          "`systemctl reload fairlead-netd`",
			          path, path);
		else
			diag_mend(&w->diag, "mend that, then `systemctl reload "
			                    "fairlead-netd`");
		return r;
	}
	snprintf(in->file, sizeof(in->file), "%.255s", path);
	return 0;
}

/* 1 = it is what is applied. */
static int is_applied(struct work *w, const struct intent *in)
{
	_cleanup_free_ char *now = NULL;
	size_t len = 0;
	int r = journal_get(w->env->state_fd, JOURNAL_APPLIED_FILE, &now, &len,
	                    &w->diag);

	if (r)
		return r;
	return in->policy && len == in->policy_len &&
	       !memcmp(now, in->policy, len);
}

static int not_applied(struct work *w)
{
	diag_fail(&w->diag, -ENOENT, FL_NETD_NO_POLICY,
	          "the policy file is not applied: no policy is");
	diag_why(&w->diag, "only what was applied is reloaded");
	diag_mend(&w->diag, "fairlead apply");
	return -ENOENT;
}

/* As it was written: what else is to be known of it (its MACs, moves) may be
 * gone, and what is wrong with it is nothing to the new one. */
static size_t applied_files(const struct work *w)
{
	_cleanup_free_ struct pol_errors *errs = calloc(1, sizeof(*errs));
	_cleanup_free_ char *text = NULL;
	struct pol_policy *p = NULL;
	size_t len = 0, n = 0;

	if (errs &&
	    !journal_get(w->env->state_fd, JOURNAL_APPLIED_FILE, &text, &len,
	                 NULL) &&
	    !policy_parse(text, len, &p, errs, NULL))
		n = p->files.n;
	pol_free(p);
	return n;
}

/* One file of several is not the policy: taken for it, it would end what the
 * others say, guests among them, and nothing of that is an action. */
static int is_whole(struct work *w, const struct intent *in)
{
	size_t n = 0;

	if (!pol_files_several(in->policy, in->policy_len))
		n = applied_files(w);
	if (n <= 1)
		return 0;
	diag_fail(&w->diag, -EBUSY, FL_NETD_RELOAD,
	          "the policy file has changed, and is not applied");
	diag_why(&w->diag, "what is applied is of %zu files, and this is one",
	         n);
	diag_mend(&w->diag, "fairlead apply; or start fairlead-netd with the "
	                    "folder: --policy DIR");
	return -EBUSY;
}

int verb_reload(struct work *w)
{
	struct intent in = { 0 };
	int phase, r = verb_end_back(w);

	if (r)
		return r;
	phase = journal_phase(w->env->state_fd, &w->diag);
	r = MIN(phase, 0);
	if (!r && phase == JOURNAL_NONE)
		return w->req.now ? not_applied(w) : 0;
	if (!r)
		r = take_text(w, &in);
	if (!r && phase == JOURNAL_APPLIED)
		r = is_applied(w, &in);
	if (!r)
		r = is_whole(w, &in);
	json_object_set_new(w->reply, "changed", json_boolean(r == 0));
	if (r) {
		intent_clear(&in);
		return MIN(r, 0);
	}
	return transact_again(w, &in, !w->req.now);
}
