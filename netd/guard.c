/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guards of taps; guard.h says what they are. */

#include <linux/netlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "netd/guard.h"

// clang-format off
#define NFTABLES(fn) \
	fn(nft_ctx_new) \
	fn(nft_ctx_free) \
	fn(nft_ctx_output_set_flags) \
	fn(nft_ctx_buffer_output) \
	fn(nft_ctx_buffer_error) \
	fn(nft_run_cmd_from_buffer) \
	fn(nft_ctx_get_error_buffer) \
	fn(nft_ctx_get_output_buffer)
// clang-format on
struct nftables {
	NFTABLES(LIB_FN)
};
static const char *const names[] = { NFTABLES(LIB_NAME) };

/* libnftables ends the process where the kernel has no nfnetlink. */
static int can_talk(void)
{
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	return fd < 0 ? -errno : 0;
}

/* What it says goes to ret_text, the caller's to free. 0 or negative. */
static int run(const char *script, unsigned flags, char **ret_text)
{
	struct nftables lib;
	struct nft_ctx *nft;
	const char *said;
	int r = can_talk();

	*ret_text = NULL;
	if (!r)
		r = lib_load("libnftables.so.1", names, ARRAY_SIZE(names),
		             &lib);
	if (r)
		return r;
	nft = lib.nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft)
		return -ENOMEM;
	lib.nft_ctx_output_set_flags(nft, flags);
	if (lib.nft_ctx_buffer_output(nft) || lib.nft_ctx_buffer_error(nft)) {
		lib.nft_ctx_free(nft);
		return -ENOMEM;
	}
	errno = 0;
	r = lib.nft_run_cmd_from_buffer(nft, script);
	if (r)
		r = errno ? -errno : -EIO;
	said = r ? lib.nft_ctx_get_error_buffer(nft)
	         : lib.nft_ctx_get_output_buffer(nft);
	*ret_text = strdup(said ? said : "");
	lib.nft_ctx_free(nft);
	return r;
}

/* ---- what is there ------------------------------------------------------- */

/* As `nft -j` has it; NULL = there is none such. */
static json_t *list(const char *script)
{
	_cleanup_free_ char *text = NULL;

	if (run(script, NFT_CTX_OUTPUT_JSON, &text) || !text)
		return NULL;
	return json_loads(text, 0, NULL);
}

json_t *guard_read(const struct leases *all)
{
	for (size_t i = 0; i < LEASES_MAX; i++)
		for (size_t k = 0; *all->l[i].guest && k < all->l[i].n_own; k++)
			if (!strcmp(all->l[i].own[k].kind, "nic"))
				return list("list table netdev fairlead\n");
	return NULL;
}

static json_int_t packets_of(const json_t *rule)
{
	const json_t *list = json_object_get(rule, "expr");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c =
			json_object_get(json_array_get(list, i), "counter");

		if (c)
			return json_integer_value(
				json_object_get(c, "packets"));
	}
	return 0;
}

static void count(json_t *drops, const json_t *rule)
{
	const char *what = json_string_value(json_object_get(rule, "comment"));
	json_int_t before;

	if (!what)
		return;
	before = json_integer_value(json_object_get(drops, what));
	json_object_set_new(drops, what,
	                    json_integer(before + packets_of(rule)));
}

/* {"KIND": {..., "KEY": VALUE}}: the inner one, NULL = it is another's. */
static const json_t *of_chain(const json_t *item, const char *kind,
                              const char *key, const char *chain)
{
	const json_t *o = json_object_get(item, kind);
	const char *name = json_string_value(json_object_get(o, key));

	return name && !strcmp(name, chain) ? o : NULL;
}

json_t *guard_drops(const json_t *guards, const char *ifname)
{
	const json_t *all = json_object_get(guards, "nftables");
	json_t *drops = NULL;
	char chain[POL_GUARD_CHAIN];

	pol_guard_chain(ifname, chain);
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *item = json_array_get(all, i);
		const json_t *rule = of_chain(item, "rule", "chain", chain);

		if (!drops && (rule || of_chain(item, "chain", "name", chain)))
			drops = json_object();
		if (rule)
			count(drops, rule);
	}
	return drops;
}

static size_t rules_there(const char *ifname)
{
	char chain[POL_GUARD_CHAIN], script[128];
	const json_t *all;
	size_t n = 0;
	json_t *doc;

	pol_guard_chain(ifname, chain);
	snprintf(script, sizeof(script), "list chain netdev fairlead %s\n",
	         chain);
	doc = list(script);
	all = json_object_get(doc, "nftables");
	for (size_t i = 0; i < json_array_size(all); i++)
		n += json_object_get(json_array_get(all, i), "rule") != NULL;
	json_decref(doc);
	return n;
}

/* ---- set and dropped ----------------------------------------------------- */

static int refused(struct work *w, const struct pol_own *o, int err,
                   const char *why)
{
	diag_fail(&w->diag, err, FL_NETD_GUARD,
	          "guest %s: nic %s cannot be guarded", w->req.guest, o->name);
	diag_why(&w->diag, "%s says spoof-check, and nft: %.*s",
	         o->network->name, (int)strcspn(why, "\n"), why);
	diag_mend(&w->diag,
	          "%s; or `spoof-check: false` in the network, which then "
	          "holds for VFs, too",
	          err == -ELIBACC ? "apt install libnftables1"
	                          : "modprobe nf_tables");
	return err;
}

static size_t count_rules(const char *script)
{
	size_t n = 0;

	while ((script = strstr(script, "add rule "))) {
		script++;
		n++;
	}
	return n;
}

int guard_set(struct work *w, const struct pol_own *o)
{
	char script[POL_GUARD_SCRIPT];
	_cleanup_free_ char *text = NULL;
	int r = -E2BIG;

	if (pol_guard_script(o, script, sizeof(script)) < sizeof(script))
		r = run(script, 0, &text);
	if (r)
		return refused(w, o, r, text && *text ? text : strerror(-r));
	if (rules_there(o->ifname) == count_rules(script))
		return 0;
	return refused(w, o, -EIO, "accepted, but not so when read back");
}

static void drop(const char *ifname)
{
	char chain[POL_GUARD_CHAIN], script[128];
	_cleanup_free_ char *text = NULL;

	pol_guard_chain(ifname, chain);
	snprintf(script, sizeof(script), "delete chain netdev fairlead %s\n",
	         chain);
	/* It usually has gone with its interface. */
	(void)!run(script, 0, &text);
}

void guard_drop_all(const struct pol_policy *p, const struct pol_guest *g)
{
	struct pol_own o;

	for (size_t i = 0; pol_guest_own(p, g, i, &o); i++)
		if (pol_own_guarded(&o) && !if_nametoindex(o.ifname))
			drop(o.ifname);
}
