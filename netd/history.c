/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries on disk: numbered, bounded, each wholly old or new (journal.c). */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netd/digest.h"
#include "netd/history.h"

#define NAME_MAX_LEN 32

static int fail(struct diag *d, int err, const char *what)
{
	diag_fail(d, err, FL_NETD_HISTORY, "%s the history of changes", what);
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "see the folder " HISTORY_DIR " in that of --state "
	             "(/var/lib/fairlead): it must be writable, and its disk "
	             "not full");
	return err;
}

/* ---- who ----------------------------------------------------------------- */

json_t *asker_to_json(const struct asker *a)
{
	if (!a->known)
		return json_null();
	return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)a->uid, "pid",
	                 (json_int_t)a->pid, "loginuid",
	                 a->loginuid == ASKER_NO_LOGIN
	                         ? json_null()
	                         : json_integer(a->loginuid));
}

void asker_from_json(const json_t *o, struct asker *ret)
{
	const json_t *login = json_object_get(o, "loginuid");

	*ret = (struct asker){
		.known = json_is_object(o),
		.uid = (uid_t)json_integer_value(json_object_get(o, "uid")),
		.pid = (pid_t)json_integer_value(json_object_get(o, "pid")),
		.loginuid = json_is_integer(login)
		                    ? (uint32_t)json_integer_value(login)
		                    : ASKER_NO_LOGIN,
	};
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return pidfd >= 0 && poll(&p, 1, 0) == 1;
}

/* Whoever has gone may have left its number to another: then the login is not
 * known. A kernel that gives no pidfd of a peer (before 6.5) leaves that
 * chance, for whoever may apply: root. */
struct asker asker_of(int root_fd, const struct peer *p)
{
	struct asker a = { .known = p->pid != 0,
		           .uid = p->uid,
		           .pid = p->pid,
		           .loginuid = ASKER_NO_LOGIN };
	char path[64];
	uint64_t login = 0;

	if (!a.known)
		return a;
	snprintf(path, sizeof(path), "proc/%d/loginuid", p->pid);
	if (!sysfs_read_u64(root_fd, path, &login) && login < ASKER_NO_LOGIN &&
	    !has_ended(p->pidfd))
		a.loginuid = (uint32_t)login;
	return a;
}

/* ---- the folder ---------------------------------------------------------- */

/* -ENOENT: there never was an entry. */
static int open_folder(int state_fd)
{
	int fd = openat(state_fd, HISTORY_DIR,
	                O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

static int make_folder(int state_fd)
{
	if (mkdirat(state_fd, HISTORY_DIR, 0700) < 0 && errno != EEXIST)
		return -errno;
	return open_folder(state_fd);
}

struct id {
	uint32_t n;
	bool own; /* netd's: a name of its own kind */
};

static void name_of(struct id id, char ret[static NAME_MAX_LEN])
{
	snprintf(ret, NAME_MAX_LEN, "%08u%s.json", id.n, id.own ? "-own" : "");
}

/* Those that are there; more than HISTORY_MAX of a kind only for a moment, or
 * where somebody else put them. */
struct ids {
	struct id id[4 * HISTORY_MAX];
	size_t n;
	uint32_t last;
};

static int add_id(const char *name, void *arg)
{
	struct ids *all = arg;
	struct id id = { .own = strstr(name, "-own") };
	char again[NAME_MAX_LEN];

	/* What is more than a number does not come out as it was. */
	id.n = (uint32_t)strtoul(name, NULL, 10);
	if (!id.n)
		return 0;
	name_of(id, again);
	if (strcmp(name, again) != 0)
		return 0;
	all->last = MAX(all->last, id.n);
	if (all->n < ARRAY_SIZE(all->id))
		all->id[all->n++] = id;
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct id *x = a, *y = b;

	return (x->n > y->n) - (x->n < y->n);
}

static int read_ids(int dir, struct ids *ret)
{
	int r;

	*ret = (struct ids){ .n = 0 };
	r = sysfs_each(dir, ".", add_id, ret);
	qsort(ret->id, ret->n, sizeof(ret->id[0]), compare_ids);
	return r;
}

/* One more of its kind has just been written. */
static void drop_oldest(int dir, const struct ids *all, bool own)
{
	char name[NAME_MAX_LEN];
	size_t n = 1;

	for (size_t i = 0; i < all->n; i++)
		n += all->id[i].own == own;
	for (size_t i = 0; i < all->n && n > HISTORY_MAX; i++) {
		if (all->id[i].own != own)
			continue;
		name_of(all->id[i], name);
		unlinkat(dir, name, 0);
		n--;
	}
}

/* ---- an entry ------------------------------------------------------------ */

static json_t *now_text(void)
{
	time_t t = time(NULL);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static json_t *digest(const struct history_head *h)
{
	uint8_t sum[DIGEST_LEN];
	char text[DIGEST_STRLEN];

	if (!h->policy || digest_of(h->policy, h->policy_len, sum))
		return json_null();
	return json_sprintf("sha256:%s", digest_format(sum, text));
}

static json_t *new_entry(const struct history_head *h)
{
	json_t *e = json_pack(
		"{s:i, s:s, s:o, s:o, s:n, s:s, s:o, s:o, s:o, s:n}", "version",
		NETD_PROTO_VERSION, "verb", h->verb, "who",
		asker_to_json(&h->who), "began", now_text(), "ended", "file",
		h->file ? h->file : "", "policy", digest(h), "continues",
		h->continues ? json_integer(h->continues) : json_null(),
		"allow-disruption",
		h->allow.given ? json_string(pol_budget_name(h->allow.budget))
			       : json_null(),
		"error");

	if (h->holder && *h->holder)
		json_object_set_new(e, "holder", json_string(h->holder));
	return e;
}

static int put_entry(int dir, const json_t *entry, bool own, struct diag *d)
{
	_cleanup_free_ char *text = json_dumps(entry, JSON_COMPACT);
	struct diag said = { 0 };
	char name[NAME_MAX_LEN];
	int r;

	if (!text)
		return fail(d, -ENOMEM, "cannot write");
	name_of((struct id){ history_id(entry), own }, name);
	r = journal_put(dir, name, text, strlen(text), &said);
	return r ? fail(d, r, "cannot write") : 0;
}

uint32_t history_id(const json_t *entry)
{
	return (uint32_t)json_integer_value(json_object_get(entry, "id"));
}

static void set_result(json_t *entry, enum history_result result,
                       const struct diag *why)
{
	static const char *const names[] = {
		[HISTORY_UNFINISHED] = "unfinished",
		[HISTORY_DONE] = "done",
		[HISTORY_UNDONE] = "undone",
		[HISTORY_NOT_UNDONE] = "not-undone",
		[HISTORY_STUCK] = "stuck",
		[HISTORY_FAILED] = "failed",
		[HISTORY_QUARANTINED] = "quarantined",
	};

	if (result != HISTORY_UNFINISHED)
		json_object_set_new(entry, "ended", now_text());
	json_object_set_new(entry, "result", json_string(names[result]));
	if (why && why->code)
		json_object_set_new(entry, "error", reply_error(why));
}

/* The entry's first writing: it gets its number, and takes its place. */
static int add_entry(int state_fd, json_t *e, bool own, struct diag *d)
{
	_cleanup_close_ int dir = make_folder(state_fd);
	struct ids all;
	int r = dir < 0 ? dir : read_ids(dir, &all);

	if (r)
		return fail(d, r, "cannot open");
	json_object_set_new(e, "id", json_integer(all.last + 1));
	r = put_entry(dir, e, own, d);
	if (!r)
		drop_oldest(dir, &all, own);
	return r;
}

int history_begin(int state_fd, const struct history_head *h,
                  const struct pol_plan *plan, const struct pol_state *seen,
                  json_t **ret, struct diag *d)
{
	json_t *e = new_entry(h);
	int r;

	set_result(e, HISTORY_UNFINISHED, NULL);
	history_actions(e, plan, h->told, seen);
	r = add_entry(state_fd, e, false, d);
	if (r)
		json_decref(e);
	else
		*ret = e;
	return r;
}

int history_end(int state_fd, json_t *entry, enum history_result result,
                const struct diag *d, const struct pol_state *after,
                struct diag *ret_diag)
{
	_cleanup_close_ int dir = open_folder(state_fd);

	if (dir < 0)
		return fail(ret_diag, dir, "cannot open");
	set_result(entry, result, d);
	if (after)
		history_after(entry, after);
	return put_entry(dir, entry, false, ret_diag);
}

int history_note(int state_fd, const struct history_head *h, json_t *actions,
                 enum history_result result, const struct diag *why,
                 json_t **ret, struct diag *d)
{
	json_t *e = new_entry(h);
	int r;

	json_object_set_new(e, "omitted", json_integer(0));
	json_object_set_new(e, "actions", actions);
	set_result(e, result, why);
	r = add_entry(state_fd, e, true, d);
	if (r)
		json_decref(e);
	else
		*ret = e;
	return r;
}

/* ---- read ---------------------------------------------------------------- */

static json_t *read_entry(int dir, struct id id)
{
	_cleanup_free_ char *text = NULL;
	struct diag said = { 0 };
	char name[NAME_MAX_LEN];
	size_t len = 0;
	json_t *e;

	name_of(id, name);
	if (journal_get(dir, name, &text, &len, &said))
		return NULL;
	e = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (history_id(e) == id.n)
		return e;
	json_decref(e);
	return NULL;
}

static json_t *damaged(uint32_t id)
{
	return json_pack("{s:I, s:s}", "id", (json_int_t)id, "result",
	                 "damaged");
}

int history_list(int state_fd, json_t **ret, struct diag *d)
{
	_cleanup_close_ int dir = open_folder(state_fd);
	json_t *list = json_array();
	struct ids all = { .n = 0 };
	int r = dir == -ENOENT ? 0 : dir < 0 ? dir : read_ids(dir, &all);

	if (r) {
		json_decref(list);
		return fail(d, r, "cannot read");
	}
	for (size_t i = all.n; i; i--) {
		json_t *e = read_entry(dir, all.id[i - 1]);
		size_t n = json_array_size(json_object_get(e, "actions"));

		if (!e)
			e = damaged(all.id[i - 1].n);
		n += (size_t)json_integer_value(json_object_get(e, "omitted"));
		json_object_set_new(e, "n-actions",
		                    json_integer((json_int_t)n));
		json_object_del(e, "actions");
		json_array_append_new(list, e);
	}
	*ret = list;
	return 0;
}

int history_get(int state_fd, uint32_t id, json_t **ret, struct diag *d)
{
	_cleanup_close_ int dir = open_folder(state_fd);
	json_t *e = NULL;

	for (int own = 0; dir >= 0 && !e && own < 2; own++)
		e = read_entry(dir, (struct id){ id, own });
	if (e) {
		*ret = e;
		return 0;
	}
	diag_fail(d, -ENOENT, FL_NETD_NO_ENTRY,
	          "the history has no entry %u that can be read", id);
	diag_why(d,
	         "the %d latest changes are kept, and as many of what netd "
	         "did by itself",
	         HISTORY_MAX);
	diag_mend(d, "see `fairlead history`");
	return -ENOENT;
}
