/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of what is not confirmed yet, and who may do what meanwhile. */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netd/confirm.h"
#include "netd/history.h"
#include "netd/rtnl-route.h"

#define LINE_LEN 32
#define NS 1000000000ull

void unconfirmed_clear(struct unconfirmed *u)
{
	free(u->policy);
	pol_state_free(u->before);
	json_decref(u->error);
	memset(u, 0, sizeof(*u));
}

uint64_t confirm_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static int torn(struct diag *d)
{
	diag_fail(d, -EBADMSG, FL_NETD_JOURNAL,
	          "the journal's " JOURNAL_UNCONFIRMED " is damaged");
	diag_why(d, "it is not what fairlead-netd wrote");
	diag_mend(d, "fairlead restore puts back what was before the first "
	             "apply");
	return -EBADMSG;
}

int unconfirmed_write(int state_fd, const struct unconfirmed *u, struct diag *d)
{
	json_t *doc = json_pack(
		"{s:i, s:I, s:s, s:o, s:o, s:o, s:I}", "version",
		NETD_PROTO_VERSION, "within", (json_int_t)u->within_s, "file",
		u->file, "policy",
		u->policy ? json_stringn(u->policy, u->policy_len)
			  : json_null(),
		"before", pol_state_to_json(u->before), "who",
		asker_to_json(&u->who), "history", (json_int_t)u->history);
	_cleanup_free_ char *body = NULL, *text = NULL;
	int len;

	json_object_set(doc, "error", u->error ? u->error : json_null());
	body = doc ? json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(doc);
	if (!body ||
	    (len = asprintf(&text, "%" PRIu64 "\n%s\n", u->due_ns, body)) < 0) {
		text = NULL;
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	}
	return journal_put(state_fd, JOURNAL_UNCONFIRMED, text, (size_t)len, d);
}

static int decode(const json_t *doc, struct unconfirmed *u)
{
	const json_t *policy = json_object_get(doc, "policy");
	const char *file = json_string_value(json_object_get(doc, "file"));
	json_t *error = json_object_get(doc, "error");

	if (!file || strlen(file) >= sizeof(u->file))
		return -EBADMSG;
	snprintf(u->file, sizeof(u->file), "%s", file);
	u->within_s =
		(uint32_t)json_integer_value(json_object_get(doc, "within"));
	u->history =
		(uint32_t)json_integer_value(json_object_get(doc, "history"));
	asker_from_json(json_object_get(doc, "who"), &u->who);
	if (json_is_object(error))
		u->error = json_incref(error);
	if (json_is_string(policy)) {
		u->policy_len = json_string_length(policy);
		u->policy = strndup(json_string_value(policy), u->policy_len);
		if (!u->policy)
			return -ENOMEM;
	}
	return pol_state_from_json(json_object_get(doc, "before"), &u->before);
}

int unconfirmed_read(int state_fd, struct unconfirmed *ret, struct diag *d)
{
	struct unconfirmed u = { 0 };
	_cleanup_free_ char *text = NULL;
	json_t *doc = NULL;
	char *line;
	size_t len = 0;
	int r = journal_get(state_fd, JOURNAL_UNCONFIRMED, &text, &len, d);

	if (r)
		return r;
	line = memchr(text, '\n', MIN(len, (size_t)LINE_LEN));
	if (line)
		doc = json_loadb(line, len - (size_t)(line - text),
		                 JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(doc)) {
		json_decref(doc);
		return torn(d);
	}
	u.due_ns = strtoull(text, NULL, 10);
	r = decode(doc, &u);
	json_decref(doc);
	if (r) {
		unconfirmed_clear(&u);
		return r == -EBADMSG ? torn(d) : r;
	}
	*ret = u;
	return 0;
}

uint64_t unconfirmed_due(int state_fd)
{
	char line[LINE_LEN + 1];
	_cleanup_close_ int fd =
		openat(state_fd, JOURNAL_UNCONFIRMED,
	               O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, line, LINE_LEN);

	if (n <= 0)
		return 0;
	line[n] = '\0';
	return strtoull(line, NULL, 10);
}

static unsigned left_s(uint64_t due_ns)
{
	uint64_t now = confirm_now_ns();

	return due_ns > now ? (unsigned)((due_ns - now + NS - 1) / NS) : 0;
}

int confirm_refuse(struct work *w, const char *what)
{
	struct unconfirmed u = { 0 };
	struct diag *d = &w->diag;
	int r = unconfirmed_read(w->env->state_fd, &u, d);

	if (r)
		return r == -ENOENT ? 0 : r;
	diag_fail(d, -EAGAIN, FL_NETD_UNCONFIRMED,
	          "%s: the apply of %s is not confirmed yet", what,
	          *u.file ? u.file : "the policy");
	if (u.due_ns)
		diag_why(d, "in %u s it is rolled back", left_s(u.due_ns));
	else
		diag_why(d, "and rolling it back failed: see `fairlead "
		            "status`");
	diag_mend(d, "`fairlead confirm` keeps it, `fairlead restore` puts "
	             "back what was before the first apply");
	unconfirmed_clear(&u);
	return -EAGAIN;
}

json_t *confirm_status(int state_fd)
{
	struct unconfirmed u = { 0 };
	struct diag said = { 0 };
	json_t *o;

	if (unconfirmed_read(state_fd, &u, &said))
		return json_null();
	o = json_pack("{s:s, s:I, s:o, s:O?}", "file", u.file, "within",
	              (json_int_t)u.within_s, "left",
	              u.due_ns ? json_integer(left_s(u.due_ns)) : json_null(),
	              "error", u.error);
	unconfirmed_clear(&u);
	return o;
}

/* ---- when ---------------------------------------------------------------- */

static bool touches(const struct pol_plan *plan, struct bdf b)
{
	for (size_t i = 0; i < plan->n; i++)
		if (bdf_equal(plan->action[i].pf, b))
			return true;
	return false;
}

static int default_path(const struct env *e,
                        struct bdf ret[static SRIOV_ROUTE_MAX], size_t *ret_n,
                        struct diag *d)
{
	char name[ROUTE_HOPS_MAX][IF_NAMESIZE];
	const char *also[ROUTE_HOPS_MAX];
	struct rtnl_hops hops;
	size_t n = 0;
	int r = rtnl_hops_read(&hops, d);

	/* One that has just gone carries nothing. */
	for (size_t i = 0; !r && i < hops.n; i++)
		if (if_indextoname(hops.ifindex[i], name[n])) {
			also[n] = name[n];
			n++;
		}
	return r ? r : sriov_route_functions(e->root_fd, also, n, ret, ret_n);
}

int confirm_within(const struct env *e, const struct intent *in,
                   const struct pol_policy *p, const struct pol_plan *plan,
                   uint32_t *ret_s, struct diag *d)
{
	struct bdf path[SRIOV_ROUTE_MAX];
	size_t n = 0;
	int r;

	*ret_s = 0;
	/* What goes on with a change that was cut short may have little left
	 * to do, or nothing. */
	if (!plan->n && !in->history)
		return 0;
	if (in->has_confirm) {
		*ret_s = in->confirm_s;
		return 0;
	}
	if (p->host.apply.confirm_ms.given == POL_GIVEN) {
		*ret_s = (p->host.apply.confirm_ms.v + 999) / 1000;
		return 0;
	}
	if (e->root_fd < 0)
		return 0;
	r = default_path(e, path, &n, d);
	if (r) {
		diag_fail(d, r, FL_NETD_DEVICE,
		          "cannot tell what carries the default route");
		diag_why(d, "%s", strerror(-r));
		diag_mend(d, "say so: fairlead apply --confirm-within 120s");
		return r;
	}
	for (size_t i = 0; i < n; i++)
		if (touches(plan, path[i]))
			*ret_s = CONFIRM_USUAL_S;
	return 0;
}
