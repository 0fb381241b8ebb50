/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy's text as a tree of nodes, by libyaml's events, because those
 * keep what a document loader throws away: positions, quotes, the scalar as
 * it was written.
 *
 * Refused here: anchors, aliases, tags, a second document, keys that are no
 * scalars, control characters, and whatever is deeper or longer than
 * policy.h allows. Anchors, aliases and tags do not hide what follows them,
 * so reading goes on; the rest ends it.
 */

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "policy/priv.h"

struct loader {
	yaml_parser_t yaml;
	const char *text;
	size_t len;
	struct pol_errors *errs;
	unsigned file;
	size_t nodes; /* of all files */
};

static struct pol_pos position(const struct loader *l, const yaml_mark_t *m)
{
	return (struct pol_pos){ (unsigned)m->line + 1, (unsigned)m->column + 1,
		                 l->file };
}

/* libyaml gives reader errors (bad UTF-8) an offset in bytes only. */
static struct pol_pos position_at(const struct loader *l, size_t offset)
{
	struct pol_pos p = { 1, 1, l->file };

	for (size_t i = 0; i < offset && i < l->len; i++) {
		if (l->text[i] == '\n')
			p = (struct pol_pos){ p.line + 1, 1, l->file };
		else if (((unsigned char)l->text[i] & 0xc0) != 0x80)
			p.column++;
	}
	return p;
}

static int yaml_failed(struct loader *l)
{
	const yaml_parser_t *y = &l->yaml;
	bool reader = y->error == YAML_READER_ERROR;
	struct pol_pos pos = reader ? position_at(l, y->problem_offset)
	                            : position(l, &y->problem_mark);
	struct diag *d;

	if (y->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	d = pol_err(l->errs, pos, FL_POL_YAML, "not YAML: %s",
	            y->problem ? y->problem : "unreadable");
	if (!reader && y->context)
		diag_why(d, "%s that begins in line %zu", y->context,
		         y->context_mark.line + 1);
	diag_mend(d, "correct it there: mostly an indent, a bracket or a quote "
	             "is amiss");
	return -EINVAL;
}

static int next_event(struct loader *l, yaml_event_t *ret)
{
	return yaml_parser_parse(&l->yaml, ret) ? 0 : yaml_failed(l);
}

static int too_much(struct loader *l, struct pol_pos pos, const char *what,
                    size_t limit)
{
	diag_mend(pol_err(l->errs, pos, FL_POL_YAML, "%s: the limit is %zu",
	                  what, limit),
	          "write less, or divide it among policies of several hosts");
	return -EINVAL;
}

static void refuse_feature(struct loader *l, struct pol_pos pos,
                           const char *what, const yaml_char_t *name)
{
	struct diag *d =
		pol_err(l->errs, pos, FL_POL_YAML, "%s (%.32s) may not be used",
	                what, (const char *)name);

	diag_why(d, "a policy is read as it stands, without YAML's references "
	            "and types");
	diag_mend(d, "write the value out");
}

static int new_node(struct loader *l, enum node_kind kind,
                    const yaml_event_t *ev, struct node **ret)
{
	struct node *n;

	if (++l->nodes > POL_NODES_MAX)
		return too_much(l, position(l, &ev->start_mark),
		                "too many values", POL_NODES_MAX);
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->kind = kind;
	n->pos = position(l, &ev->start_mark);
	*ret = n;
	return 0;
}

/* What a message, a log or a kernel command line could not carry. */
static void check_printable(struct loader *l, const struct node *n)
{
	for (size_t i = 0; i < n->len; i++) {
		unsigned char c = (unsigned char)n->text[i];

		if (c >= 0x20 && c != 0x7f)
			continue;
		struct diag *d = pol_err(l->errs, n->pos, FL_POL_VALUE,
		                         "text holds a control character "
		                         "(0x%02x)",
		                         c);
		diag_mend(d, "%s",
		          c == '\n' ? "write it as one line; `>-` folds lines"
		                    : "leave it out");
		return;
	}
}

static int load_scalar(struct loader *l, yaml_event_t *ev, struct node **ret)
{
	yaml_scalar_style_t style = ev->data.scalar.style;
	struct node *n;
	int r = new_node(l, NODE_SCALAR, ev, &n);

	if (r)
		return r;
	n->quoted = style != YAML_PLAIN_SCALAR_STYLE;
	/* Taken over: libyaml allocates with malloc(). */
	n->text = (char *)ev->data.scalar.value;
	n->len = ev->data.scalar.length;
	ev->data.scalar.value = NULL;
	/* A block ends with a newline that its writer did not mean. */
	if ((style == YAML_LITERAL_SCALAR_STYLE ||
	     style == YAML_FOLDED_SCALAR_STYLE) &&
	    n->len && n->text[n->len - 1] == '\n')
		n->text[--n->len] = '\0';
	check_printable(l, n);
	if (ev->data.scalar.tag)
		refuse_feature(l, n->pos, "a tag", ev->data.scalar.tag);
	if (ev->data.scalar.anchor)
		refuse_feature(l, n->pos, "an anchor", ev->data.scalar.anchor);
	*ret = n;
	return 0;
}

/* An alias stands for an empty scalar, so that what follows is still read. */
static int load_alias(struct loader *l, yaml_event_t *ev, struct node **ret)
{
	struct node *n;
	int r = new_node(l, NODE_SCALAR, ev, &n);

	if (r)
		return r;
	n->text = calloc(1, 1);
	if (!n->text) {
		free(n);
		return -ENOMEM;
	}
	refuse_feature(l, n->pos, "an alias", ev->data.alias.anchor);
	*ret = n;
	return 0;
}

// NOLINTBEGIN(misc-no-recursion): no deeper than POL_DEPTH_MAX
static int load_value(struct loader *l, yaml_event_t *ev, unsigned depth,
                      struct node **ret);

/* The value of the key `ev`; both are parts of the node that is returned. */
static int load_pair(struct loader *l, yaml_event_t *ev, unsigned depth,
                     struct node **ret)
{
	_cleanup_(yaml_event_delete) yaml_event_t value = { 0 };
	struct node *key, *n = NULL;
	int r;

	if (ev->type != YAML_SCALAR_EVENT) {
		diag_mend(pol_err(l->errs, position(l, &ev->start_mark),
		                  FL_POL_YAML, "a key must be a plain word"),
		          "write `key: value`");
		return -EINVAL;
	}
	r = load_scalar(l, ev, &key);
	if (r)
		return r;
	r = next_event(l, &value);
	if (!r)
		r = load_value(l, &value, depth, &n);
	if (r) {
		node_free(key);
		return r;
	}
	n->key = key;
	*ret = n;
	return 0;
}

static int load_children(struct loader *l, struct node *parent, unsigned depth)
{
	yaml_event_type_t end = parent->kind == NODE_MAP
	                                ? YAML_MAPPING_END_EVENT
	                                : YAML_SEQUENCE_END_EVENT;
	struct node **tail = &parent->first;

	if (depth >= POL_DEPTH_MAX)
		return too_much(l, parent->pos, "nested too deep",
		                POL_DEPTH_MAX);
	for (;;) {
		_cleanup_(yaml_event_delete) yaml_event_t ev = { 0 };
		int r = next_event(l, &ev);

		if (r)
			return r;
		if (ev.type == end)
			return 0;
		r = parent->kind == NODE_MAP
		            ? load_pair(l, &ev, depth + 1, tail)
		            : load_value(l, &ev, depth + 1, tail);
		if (r)
			return r;
		tail = &(*tail)->next;
		parent->n++;
	}
}

static int load_collection(struct loader *l, yaml_event_t *ev, unsigned depth,
                           struct node **ret)
{
	bool map = ev->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *tag =
		map ? ev->data.mapping_start.tag : ev->data.sequence_start.tag;
	const yaml_char_t *anchor = map ? ev->data.mapping_start.anchor
	                                : ev->data.sequence_start.anchor;
	struct node *n;
	int r = new_node(l, map ? NODE_MAP : NODE_LIST, ev, &n);

	if (r)
		return r;
	if (tag)
		refuse_feature(l, n->pos, "a tag", tag);
	if (anchor)
		refuse_feature(l, n->pos, "an anchor", anchor);
	r = load_children(l, n, depth);
	if (r) {
		node_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

/* `depth` collections are open around it: at most POL_DEPTH_MAX, which also
 * bounds this recursion. */
static int load_value(struct loader *l, yaml_event_t *ev, unsigned depth,
                      struct node **ret)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return load_scalar(l, ev, ret);
	case YAML_ALIAS_EVENT:
		return load_alias(l, ev, ret);
	default:
		return load_collection(l, ev, depth, ret);
	}
}
// NOLINTEND(misc-no-recursion)

/* The event after the first document must be the end. */
static int check_one_document(struct loader *l)
{
	_cleanup_(yaml_event_delete) yaml_event_t ev = { 0 };
	int r = next_event(l, &ev);

	if (r || ev.type == YAML_STREAM_END_EVENT)
		return r;
	pol_err(l->errs, position(l, &ev.start_mark), FL_POL_YAML,
	        "a second YAML document");
	diag_mend(l->errs->n ? &l->errs->e[l->errs->n - 1].diag : NULL,
	          "one policy is one document: remove the `---`");
	return -EINVAL;
}

static int load_document(struct loader *l, struct node **ret)
{
	struct node *root = NULL;
	int r = 0;

	for (bool done = false; !r && !done;) {
		_cleanup_(yaml_event_delete) yaml_event_t ev = { 0 };

		r = next_event(l, &ev);
		if (r)
			break;
		if (ev.type == YAML_STREAM_START_EVENT ||
		    ev.type == YAML_DOCUMENT_START_EVENT)
			continue;
		done = ev.type == YAML_DOCUMENT_END_EVENT ||
		       ev.type == YAML_STREAM_END_EVENT;
		if (ev.type == YAML_DOCUMENT_END_EVENT)
			r = check_one_document(l);
		else if (!done)
			r = load_value(l, &ev, 0, &root);
	}
	if (!r && !root) {
		pol_err(l->errs, (struct pol_pos){ 1, 1, l->file },
		        FL_POL_MISSING, "the policy is empty");
		diag_mend(l->errs->n ? &l->errs->e[l->errs->n - 1].diag : NULL,
		          "begin with `version: 1`");
		r = -EINVAL;
	}
	if (r) {
		node_free(root);
		return r;
	}
	*ret = root;
	return 0;
}

int node_load(const char *text, size_t len, unsigned file, size_t *nodes,
              struct node **ret, struct pol_errors *errs)
{
	struct loader l = { .text = text,
		            .len = len,
		            .errs = errs,
		            .file = file,
		            .nodes = *nodes };
	int r;

	if (len > POL_TEXT_MAX)
		return too_much(&l, (struct pol_pos){ 1, 1, file },
		                "policy too long in bytes", POL_TEXT_MAX);
	if (!yaml_parser_initialize(&l.yaml))
		return -ENOMEM;
	/* Not guessed from the first bytes: positions count UTF-8. */
	yaml_parser_set_encoding(&l.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.yaml, (const unsigned char *)text, len);
	r = load_document(&l, ret);
	yaml_parser_delete(&l.yaml);
	*nodes = l.nodes;
	return r;
}

/* As deep as it was loaded. */
// NOLINTNEXTLINE(misc-no-recursion)
void node_free(struct node *n)
{
	if (!n)
		return;
	for (struct node *c = n->first, *next; c; c = next) {
		next = c->next;
		node_free(c);
	}
	node_free(n->key);
	free(n->text);
	free(n);
}

const struct node *node_get(const struct node *map, const char *key)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (const struct node *c = map->first; c; c = c->next)
		if (!strcmp(c->key->text, key))
			return c;
	return NULL;
}

/* YAML 1.1's spellings of null, an empty value among them. */
bool node_is_null(const struct node *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (n->kind != NODE_SCALAR || n->quoted)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(n->text, words[i]))
			return true;
	return false;
}

const char *node_show(const struct node *n, char buf[static SHOWN])
{
	size_t len = MIN(n->len, (size_t)SHOWN - 1);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)n->text[i];

		buf[i] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
	}
	buf[len] = '\0';
	if (n->len > len)
		memcpy(buf + SHOWN - 4, "...", 4);
	return buf;
}
