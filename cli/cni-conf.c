/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration: sriov-cni's keys, as netd's "borrow" has them. Keys that
 * are not known are others' of the chain, and passed over, as the specification
 * wants. */

#include "cli/cni.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- who holds it -------------------------------------------------------- */

static uint64_t hash(const char *const *part, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a, 64 bits */

	/* With the NUL, so that "a", "bc" is not "ab", "c". */
	for (size_t i = 0; i < n; i++)
		for (const char *c = part[i];; c++) {
			h = (h ^ (uint8_t)*c) * 0x100000001b3ull;
			if (!*c)
				break;
		}
	return h;
}

/* As people read it, where it fits. */
void cni_holder(const char *network, const char *container, const char *ifname,
                char ret[static CNI_HOLDER])
{
	const char *const key[] = { network, container, ifname };
	int len = snprintf(ret, CNI_HOLDER, "cni/%s/%s/%s", network, container,
	                   ifname);

	if (len < CNI_HOLDER)
		return;
	snprintf(ret, CNI_HOLDER, "cni/%s/#%016" PRIx64, network,
	         hash(key, ARRAY_SIZE(key)));
}

bool cni_is_of_network(const char *holder, const char *network)
{
	size_t len = strlen(network);

	return !strncmp(holder, "cni/", 4) &&
	       !strncmp(holder + 4, network, len) && holder[4 + len] == '/';
}

/* ---- attributes ---------------------------------------------------------- */

static int wrong(struct cni *n, const char *key, const char *form)
{
	char msg[64];

	snprintf(msg, sizeof(msg), "'%s' is wrong", key);
	return cni_fail(n, CNI_CONFIG, msg, "it must be %s", form);
}

/* 0..max into *ret; absent: untouched, and false. */
static int take_number(struct cni *n, const char *key, json_int_t max,
                       json_int_t *ret)
{
	const json_t *v = json_object_get(n->conf, key);
	json_int_t i = json_integer_value(v);

	if (!v)
		return 0;
	if (!json_is_integer(v) || i < 0 || i > max)
		return wrong(n, key, "a whole number in its range");
	*ret = i;
	return 0;
}

static int take_word(struct cni *n, const char *key, const char *const *words,
                     size_t n_words, int *ret)
{
	const char *v = cli_text(n->conf, key, "");

	if (!json_object_get(n->conf, key) || !*v)
		return 0;
	for (size_t i = 0; i < n_words; i++)
		if (!strcasecmp(v, words[i])) {
			*ret = (int)i;
			return 0;
		}
	return wrong(n, key, "one of its words");
}

static int put_vlan(struct cni *n, json_t *to)
{
	static const char *const protos[] = { "802.1q", "802.1ad" };
	json_int_t id = -1, qos = 0;
	int proto = 0;
	int r = take_number(n, "vlan", 4094, &id);

	if (!r)
		r = take_number(n, "vlanQoS", 7, &qos);
	if (!r)
		r = take_word(n, "vlanProto", protos, ARRAY_SIZE(protos),
		              &proto);
	if (r)
		return r;
	if (id <= 0 && (qos || proto))
		return wrong(n, "vlan",
		             "from 1 on, beside 'vlanQoS' or "
		             "'vlanProto'");
	if (id >= 0)
		json_object_set_new(to, "vlan",
		                    json_pack("{s:I, s:I, s:i}", "id", id,
		                              "qos", qos, "proto",
		                              proto ? 0x88a8 : 0x8100));
	return 0;
}

static int put_switch(struct cni *n, const char *key, json_t *to,
                      const char *name)
{
	static const char *const words[] = { "off", "on" };
	int on = -1;
	int r = take_word(n, key, words, ARRAY_SIZE(words), &on);

	if (!r && on >= 0)
		json_object_set_new(to, name, json_boolean(on));
	return r;
}

static int put_link_state(struct cni *n, json_t *to)
{
	static const char *const words[] = { "auto", "enable", "disable" };
	int state = -1;
	int r = take_word(n, "link_state", words, ARRAY_SIZE(words), &state);

	if (!r && state >= 0)
		json_object_set_new(to, "link-state",
		                    json_string(words[state]));
	return r;
}

static int put_rates(struct cni *n, json_t *to)
{
	json_int_t min = -1, max = -1;
	int r = take_number(n, "min_tx_rate", INT32_MAX, &min);

	if (!r)
		r = take_number(n, "max_tx_rate", INT32_MAX, &max);
	if (r || (min < 0 && max < 0))
		return r;
	min = MAX(min, (json_int_t)0);
	max = MAX(max, (json_int_t)0);
	if (max && min > max)
		return wrong(n, "min_tx_rate", "at most 'max_tx_rate'");
	json_object_set_new(to, "tx-rate",
	                    json_pack("{s:I, s:I}", "min", min, "max", max));
	return 0;
}

/* CNI_ARGS: "KEY=VALUE;KEY=VALUE". */
static bool mac_of_args(char ret[static CNI_MAC])
{
	const char *s = getenv("CNI_ARGS");

	for (; s; s = strchr(s, ';') ? strchr(s, ';') + 1 : NULL)
		if (!strncmp(s, "MAC=", 4)) {
			snprintf(ret, CNI_MAC, "%.*s", (int)strcspn(s + 4, ";"),
			         s + 4);
			return true;
		}
	return false;
}

/* What was said for this very attachment goes before the network's own. */
static int put_mac(struct cni *n, json_t *to)
{
	const json_t *runtime = json_object_get(n->conf, "runtimeConfig");
	const json_t *args =
		json_object_get(json_object_get(n->conf, "args"), "cni");
	char text[CNI_MAC] = "", canonical[MAC_STRLEN];
	uint8_t mac[6];

	snprintf(text, sizeof(text), "%s",
	         cli_text(runtime, "mac", cli_text(args, "mac", "")));
	if (!*text && !mac_of_args(text))
		snprintf(text, sizeof(text), "%s",
		         cli_text(n->conf, "mac", ""));
	if (!*text)
		return 0;
	if (mac_parse(text, mac))
		return wrong(n, "mac", "six pairs of hex digits with colons");
	json_object_set_new(to, "mac", json_string(mac_format(mac, canonical)));
	return 0;
}

static int put_attributes(struct cni *n, json_t *to)
{
	int r = put_mac(n, to);

	if (!r)
		r = put_vlan(n, to);
	if (!r)
		r = put_switch(n, "spoofchk", to, "spoof-check");
	if (!r)
		r = put_switch(n, "trust", to, "trust");
	if (!r)
		r = put_link_state(n, to);
	return r ? r : put_rates(n, to);
}

/* ---- the request --------------------------------------------------------- */

int cni_request(struct cni *n, json_t **ret)
{
	const char *pool = cli_text(n->conf, "pool", "");
	const char *device = cli_text(n->conf, "deviceID", "");
	json_t *set = json_object(), *req;
	char holder[CNI_HOLDER];
	int r = 0;

	if (json_object_size(json_object_get(n->conf, "ipam")))
		r = cni_fail(n, CNI_UNSUPPORTED, "'ipam' is not supported",
		             "leave it out: addresses are of another plugin in "
		             "the chain");
	else if (!*pool)
		r = cni_fail(n, CNI_CONFIG, "'pool' is missing",
		             "name the pool of the policy that the VF is of");
	if (!r)
		r = put_attributes(n, set);
	if (r) {
		json_decref(set);
		return r;
	}
	cni_holder(n->network, n->container, n->ifname, holder);
	req = json_pack("{s:i, s:s, s:s, s:s}", "version", NETD_PROTO_VERSION,
	                "verb", "borrow", "pool", pool, "holder", holder);
	if (*device)
		json_object_set_new(req, "device", json_string(device));
	if (json_object_size(set))
		json_object_set(req, "attributes", set);
	json_decref(set);
	*ret = req;
	return 0;
}
