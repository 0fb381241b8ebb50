/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smbios: what a guest reads of its maker. */

#include <string.h>

#include "policy/priv.h"

/* As vmm/lease.c takes it, and a report may have it. */
static READER(read_smbios_text)
{
	char *to = field(k, obj);
	bool ok = v->len && v->len < POL_SMBIOS_TEXT;

	if (told_text(r, v, TOLD_LOOSE,
	              "^[!#-\\[\\]-~]([ !#-\\[\\]-~]{0,125}"
	              "[!#-\\[\\]-~])?$") ||
	    !want_scalar(r, k, v))
		return;
	for (size_t i = 0; ok && i < v->len; i++)
		ok = v->text[i] >= ' ' && v->text[i] < 0x7f &&
		     v->text[i] != '"' && v->text[i] != '\\';
	if (ok && v->text[0] != ' ' && v->text[v->len - 1] != ' ')
		memcpy(to, v->text, v->len + 1);
	else
		bad_value(r, k, v,
		          "1 to 127 printable ASCII characters without quotes "
		          "and backslashes, no space at either end",
		          "\"text\"");
}

static READER(read_uuid)
{
	struct pol_smbios *s = obj;
	static const uint8_t none[16];
	uint8_t uuid[16];

	if (told_text(r, v, TOLD_TEXT,
	              "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$") ||
	    !want_quoted(r, k, v))
		return;
	if (strlen(v->text) == v->len && !uuid_parse(v->text, uuid) &&
	    memcmp(uuid, none, sizeof(uuid)) != 0) {
		memcpy(s->uuid, uuid, sizeof(uuid));
		s->has_uuid = true;
		return;
	}
	bad_value(r, k, v, "a UUID other than zeros",
	          "\"00112233-4455-6677-8899-aabbccddeeff\"");
}

// clang-format off
static const struct key smbios_keys[] = {
	{ .name = "manufacturer", .read = read_smbios_text,
	  .at = offsetof(struct pol_smbios, manufacturer) },
	{ .name = "product", .read = read_smbios_text,
	  .at = offsetof(struct pol_smbios, product) },
	{ .name = "version", .read = read_smbios_text,
	  .at = offsetof(struct pol_smbios, version) },
	{ .name = "serial", .read = read_smbios_text,
	  .at = offsetof(struct pol_smbios, serial) },
	{ .name = "uuid", .read = read_uuid },
};
static const struct table smbios_table = {
	.what = "smbios", .keys = smbios_keys, .n = ARRAY_SIZE(smbios_keys),
};
// clang-format on

READER(read_smbios)
{
	read_map(r, v, &smbios_table, field(k, obj));
}
