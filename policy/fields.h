/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_FIELDS_H
#define FL_POLICY_FIELDS_H

/*
 * Inside policy: a structure of the machine as a JSON object, both ways, by
 * one table of its fields. A field that is added to machine.h gets a row in
 * machine-fields.c, and so is in the journal, in inventories and in what reads
 * them; fields.c needs to know only of new forms.
 *
 * A key that is absent (or null) was not known, or is none: what is read keeps
 * what it was initialised to. "set" is the structure's first member.
 */

#include "policy/policy.h"

#include <jansson.h>

struct field;
struct form {
	/* NULL = no memory, or text that is no UTF-8: then the key is left
	 * out. */
	json_t *(*put)(const struct field *f, const void *obj);
	/* False = not of its form. */
	bool (*get)(const struct field *f, const json_t *v, void *obj);
	/* What it must be, for the message. */
	const char *is;
};
enum {
	FIELD_SAVED = 1 << 0, /* in the journal: it can be put back */
	FIELD_SEEN = 1 << 1,  /* in an inventory */
	FIELD_BOTH = FIELD_SAVED | FIELD_SEEN,
	FIELD_ALWAYS = 1 << 2,     /* journal: written even where it is empty */
	FIELD_MUST_SAVED = 1 << 3, /* a journal without it is damaged */
	FIELD_MUST_SEEN = 1 << 4,  /* nor is there an inventory without it */
	FIELD_MUST = FIELD_MUST_SAVED | FIELD_MUST_SEEN,
};
struct field {
	const char *key;
	const struct form *form;
	size_t at, size;
	uint32_t has; /* POL_HAS_*: known only then; 0 = no such flag */
	unsigned flags;
	uint32_t max; /* of a number; 0 = what fits */
};
struct fields {
	const struct field *field;
	size_t n;
};
/* A row's beginning, and a table of all rows. */
#define ROW(type, member, name, how, known, what)                              \
	.key = (name), .form = &form_##how,                                    \
	.at = offsetof(struct type, member),                                   \
	.size = sizeof(((struct type *)0)->member), .has = (known),            \
	.flags = (what)
#define TABLE(rows)                                                            \
	{                                                                      \
		(rows), ARRAY_SIZE(rows)                                       \
	}
extern const struct form form_bdf, form_text, form_flag, form_number, form_hex,
	form_group, form_pid, form_mac, form_vlan, form_rate, form_link_state,
	form_uses, form_names, form_sockets, form_pages;
/* fields-switch.c */
extern const struct form form_eswitch, form_params, form_groups, form_bridges,
	form_port;
/* overlay-json.c: an address, "" = none; a list of them */
extern const struct form form_ip, form_remotes, form_datapath, form_ovs;
/* inventory-net.c */
extern const struct form form_addresses;
/* machine-fields.c */
extern const struct fields pf_fields, vf_fields, whole_fields, host_fields;
/* inventory-net.c */
extern const struct fields link_fields;

#define FIELDS_MAX 64 /* rows of a table */

/* Those fields of `which` (FIELD_SAVED or FIELD_SEEN) that say something. */
void fields_put(const struct fields *t, unsigned which, const void *obj,
                json_t *o);
/* NULL, or the first that is missing (*ret_missing) or not of its form. */
const struct field *fields_get(const struct fields *t, unsigned which,
                               const json_t *o, void *obj, bool *ret_missing);
/* The same where it is known which member each row has: NULL = none. */
const struct field *fields_take(const struct fields *t, unsigned which,
                                const json_t *const *v, void *obj,
                                bool *ret_missing);
/* overlay-json.c: a tunnel's, and a bridge's of Open vSwitch. */
extern const struct fields over_fields, over_ovs_fields;
json_t *overs_to_json(const struct pol_state *s);
_must_check_ int overs_from_json(const json_t *list, struct pol_state *s);
const struct field *field_find(const struct fields *t, const char *key);

#endif
