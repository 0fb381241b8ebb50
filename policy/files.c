/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several files that are one policy. On the way from who read them to who
 * applies them, in the journal too, they are one text:
 *
 *   #fairlead-files 1
 *   #file 41 10-host.yaml
 *   (41 bytes)
 *   #file 12 20-guests.yaml
 *   (12 bytes)
 *
 * Each head says how long what follows is, so nothing in a file can be taken
 * for a head; the names ascend, so the order of files is that of their names,
 * whoever made the text. Whatever is not exactly so is refused: a text that
 * does not begin with the first line is one file.
 *
 * Each file is parsed by itself, whole and with its own positions; then the
 * lists under the same key are put one behind the other, in the order of the
 * files. Who is named twice is found where names are looked at anyhow.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

#define HEAD "#fairlead-files 1\n"
#define FILE_WORD "#file "

bool pol_files_several(const char *text, size_t len)
{
	return len >= strlen(HEAD) && !memcmp(text, HEAD, strlen(HEAD));
}

/* One that a message can show, that stays below the folder it is read from. */
static bool name_good(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= POL_FILE_NAME || *name == '/' || strstr(name, ".."))
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
			return false;
	return true;
}

int pol_files_join(const struct pol_file *file, size_t n, char **ret,
                   size_t *ret_len)
{
	size_t size = strlen(HEAD) + 1, at;
	char *text;

	if (!n || n > POL_FILES_MAX)
		return n ? -E2BIG : -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (!name_good(file[i].name) ||
		    (i && strcmp(file[i - 1].name, file[i].name) >= 0))
			return -EINVAL;
		if (file[i].len > POL_TEXT_MAX)
			return -E2BIG;
		size += file[i].len + POL_FILE_NAME + 32;
	}
	text = malloc(size);
	if (!text)
		return -ENOMEM;
	at = (size_t)snprintf(text, size, HEAD);
	for (size_t i = 0; i < n; i++) {
		at += (size_t)snprintf(text + at, size - at,
		                       FILE_WORD "%zu %s\n", file[i].len,
		                       file[i].name);
		memcpy(text + at, file[i].text, file[i].len);
		at += file[i].len;
	}
	if (at > POL_TEXT_MAX) {
		free(text);
		return -E2BIG;
	}
	*ret = text;
	*ret_len = at;
	return 0;
}

/* ---- split --------------------------------------------------------------- */

static int damaged(struct pol_errors *errs, const char *why)
{
	struct diag *d =
		pol_err(errs, (struct pol_pos){ 1, 1, 0 }, FL_POL_FILES,
	                "this is no policy of several files");

	diag_why(d, "it begins as one, but %s", why);
	diag_mend(d, "name the folder, `fairlead check DIR`; what fairlead "
	             "makes of it is not to be edited");
	return -EINVAL;
}

/* "#file LEN NAME\n" from *at on. */
static bool take_head(const char **at, const char *end, size_t *ret_len,
                      char name[static POL_FILE_NAME])
{
	const char *s = *at, *eol = memchr(s, '\n', (size_t)(end - s));
	char line[POL_FILE_NAME + 32], number[12], *blank;
	uint64_t len;

	if (!eol || (size_t)(eol - s) >= sizeof(line))
		return false;
	memcpy(line, s, (size_t)(eol - s));
	line[eol - s] = '\0';
	if (strlen(line) != (size_t)(eol - s) ||
	    strncmp(line, FILE_WORD, strlen(FILE_WORD)) != 0)
		return false;
	blank = strchr(line + strlen(FILE_WORD), ' ');
	if (!blank || !name_good(blank + 1))
		return false;
	*blank = '\0';
	if (strlen(line + strlen(FILE_WORD)) >= sizeof(number))
		return false;
	snprintf(number, sizeof(number), "%s", line + strlen(FILE_WORD));
	if (parse_u64(number, POL_TEXT_MAX, &len) ||
	    len > (size_t)(end - eol - 1))
		return false;
	*ret_len = (size_t)len;
	snprintf(name, POL_FILE_NAME, "%s", blank + 1);
	*at = eol + 1;
	return true;
}

int files_split(const char *text, size_t len, struct files *ret,
                struct pol_names *names, struct pol_errors *errs)
{
	const char *at = text + strlen(HEAD), *end = text + len;

	ret->n = 0;
	for (size_t i = 0; at < end; i++) {
		if (i == POL_FILES_MAX)
			return damaged(errs, "it has too many files");
		if (!take_head(&at, end, &ret->len[i], names->name[i]))
			return damaged(errs, "a file's head is not one");
		if (i && strcmp(names->name[i - 1], names->name[i]) >= 0)
			return damaged(errs, "its names do not ascend");
		ret->text[i] = at;
		at += ret->len[i];
		ret->n = i + 1;
	}
	names->n = ret->n;
	return ret->n ? 0 : damaged(errs, "it has no file");
}

/* ---- merge --------------------------------------------------------------- */

const char *files_where(const struct pol_policy *p, struct pol_pos of,
                        struct pol_pos from, char buf[static FILES_WHERE])
{
	if (of.file == from.file || of.file >= p->files.n)
		snprintf(buf, FILES_WHERE, "line %u", of.line);
	else
		snprintf(buf, FILES_WHERE, "line %u of %s", of.line,
		         p->files.name[of.file]);
	return buf;
}

static bool is_list(const struct node *n)
{
	return n->kind == NODE_LIST || node_is_null(n);
}

/* The children of `more` behind those of `list`, which may have been null. */
static void append(struct node *list, struct node *more)
{
	struct node **tail = &list->first;

	if (more->kind != NODE_LIST)
		return;
	list->kind = NODE_LIST;
	while (*tail)
		tail = &(*tail)->next;
	*tail = more->first;
	list->n += more->n;
	more->first = NULL;
	more->n = 0;
}

/* ---- one file's top into the whole's ------------------------------------- */

/* As many as a table has words: schema.c. */
#define KEYS_MAX 32

struct merge {
	const struct pol_policy *policy;
	struct pol_errors *errs;
	struct node *into, **tail;
	struct node *at[KEYS_MAX];     /* of `into`, by its row in the table */
	struct pol_pos seen[KEYS_MAX]; /* in the file at hand; line 0 = not */
};

static size_t row_of(const char *key)
{
	for (size_t i = 0; i < table_policy.n && i < KEYS_MAX; i++)
		if (!strcmp(table_policy.keys[i].name, key))
			return i;
	return SIZE_MAX;
}

static void twice(struct merge *m, struct pol_pos first,
                  const struct node *child)
{
	struct diag *d =
		pol_err(m->errs, child->key->pos, FL_POL_DUPLICATE,
	                "the policy: '%s' is given twice", child->key->text);

	diag_why(d, "the first is in %s",
	         WHERE(m->policy, first, child->key->pos));
	diag_mend(d, "%s",
	          first.file == child->key->pos.file
	                  ? "remove one of the two"
	                  : "only lists may be in several files");
}

/* Each file says of itself what it is written in; the first one's is read as
 * all keys are. */
static void check_version(struct merge *m, const struct node *v)
{
	if (v->kind == NODE_SCALAR && !v->quoted && !strcmp(v->text, "1"))
		return;
	diag_mend(pol_err(m->errs, v->pos, FL_POL_VALUE,
	                  "'version' is another than that of the first file"),
	          "write `version: 1`");
}

/* What is unknown, or new, is the whole's as it stands. */
static void merge_child(struct merge *m, struct node *child)
{
	size_t row = row_of(child->key->text);
	struct node *old = row == SIZE_MAX ? NULL : m->at[row];
	struct pol_pos seen = { 0, 0, 0 };

	if (row != SIZE_MAX) {
		seen = m->seen[row];
		m->seen[row] = child->key->pos;
	}
	if (!old) {
		*m->tail = child;
		m->tail = &child->next;
		m->into->n++;
		if (row != SIZE_MAX)
			m->at[row] = child;
		return;
	}
	if (seen.line)
		twice(m, seen, child);
	else if (!strcmp(child->key->text, "version"))
		check_version(m, child);
	else if (is_list(old) && is_list(child))
		append(old, child);
	else
		twice(m, old->key->pos, child);
	node_free(child);
}

/* True when the file has a version, or has worse; `root` goes. */
static bool merge_file(struct merge *m, struct node *root)
{
	bool map = root->kind == NODE_MAP;

	memset(m->seen, 0, sizeof(m->seen));
	if (!map)
		diag_mend(pol_err(m->errs, root->pos, FL_POL_TYPE,
		                  "the policy must be a mapping"),
		          "write it with keys, such as `version: 1`");
	for (struct node *c = map ? root->first : NULL, *next; c; c = next) {
		next = c->next;
		c->next = NULL;
		merge_child(m, c);
	}
	if (map)
		root->first = NULL;
	node_free(root);
	return !map || m->seen[row_of("version")].line;
}

static int load_all(struct merge *m, const struct files *f)
{
	struct pol_pos none[POL_FILES_MAX] = { 0 };
	struct node *root;
	size_t nodes = 0, n_none = 0;
	int r = 0;

	for (size_t i = 0; r != -ENOMEM && i < f->n; i++) {
		int e = node_load(f->text[i], f->len[i], (unsigned)i, &nodes,
		                  &root, m->errs);

		if (!e && !merge_file(m, root))
			none[n_none++] = (struct pol_pos){ 1, 1, (unsigned)i };
		r = e ? e : r;
	}
	for (size_t i = 0; !r && m->at[row_of("version")] && i < n_none; i++)
		diag_mend(pol_err(m->errs, none[i], FL_POL_MISSING,
		                  "the policy needs 'version'"),
		          "each file begins with `version: 1`");
	return r;
}

int files_load(const struct files *f, const struct pol_policy *p,
               struct node **ret, struct pol_errors *errs)
{
	struct merge m = { .policy = p, .errs = errs };
	int r;

	m.into = calloc(1, sizeof(*m.into));
	if (!m.into)
		return -ENOMEM;
	m.into->kind = NODE_MAP;
	m.into->pos = (struct pol_pos){ 1, 1, 0 };
	m.tail = &m.into->first;
	r = load_all(&m, f);
	if (r)
		node_free(m.into);
	else
		*ret = m.into;
	return r;
}
