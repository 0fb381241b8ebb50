/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What netd decodes that others wrote: a client's request, a kernel's link
 * message (the first byte chooses), a journal's state. Whatever is accepted
 * must keep the promises of priv.h; the sanitizers watch the rest.
 *
 * Seeds: tests/fuzz/corpus-netd_proto.
 */

#include <linux/netlink.h>
#include <string.h>

#include "netd/events.h"
#include "netd/ledger.h"
#include "netd/reconcile.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s, size_t size)
{
	CHECK(strnlen(s, size) < size);
	for (; *s; s++)
		CHECK((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void fuzz_request(const char *data, size_t size)
{
	const struct peer stranger = { .uid = 1, .gid = 1 };
	struct request r, before;
	struct diag d = { 0 };
	const struct permit *p;

	memset(&r, 0x55, sizeof(r));
	before = r;
	if (frame_parse(data, size, &r, &d)) {
		CHECK(d.code == FL_NETD_REQUEST);
		CHECK(!memcmp(&r, &before, sizeof(r)));
		return;
	}
	check_text(r.verb, sizeof(r.verb));
	check_text(r.guest, sizeof(r.guest));
	check_text(r.device, sizeof(r.device));
	check_text(r.file, sizeof(r.file));
	check_text(r.pool, sizeof(r.pool));
	check_text(r.holder, sizeof(r.holder));
	p = permit_find(r.verb);
	if (permit_check(p, &stranger, (gid_t)-1, &d) == 0)
		CHECK(!(p->flags & (PERMIT_CHANGES | PERMIT_ASKS)));
}

static void fuzz_link(const uint8_t *data, size_t size)
{
	struct rtnl_link *l = calloc(1, sizeof(*l));
	struct nlmsghdr *h = calloc(1, NLMSG_HDRLEN + size);

	CHECK(l && h);
	memcpy(h + 1, data, size);
	h->nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size);
	h->nlmsg_type = 16; /* RTM_NEWLINK */
	(void)!rtnl_link_decode(h, l);
	free(h);
	free(l);
}

/* What was understood is the same after another round. */
static void fuzz_state(const char *data, size_t size)
{
	json_t *doc = json_loadb(data, size, 0, NULL);
	struct pol_state *s = NULL, *again = NULL;

	if (!pol_state_from_json(doc, &s)) {
		json_t *back = pol_state_to_json(s);

		CHECK(back && !pol_state_from_json(back, &again));
		CHECK(again->n_pfs == s->n_pfs);
		json_decref(back);
		pol_state_free(again);
		pol_state_free(s);
	}
	json_decref(doc);
}

/* What was understood is the same after another round. */
static void fuzz_ledger(const char *data, size_t size)
{
	json_t *doc = json_loadb(data, size, 0, NULL);
	struct ledger l = { 0 }, again = { 0 };

	if (!ledger_decode(doc, "b", &l)) {
		json_t *back = json_pack("{s:s, s:o}", "boot", "b", "functions",
		                         ledger_json(&l));

		CHECK(back && !ledger_decode(back, "b", &again));
		CHECK(again.n == l.n);
		json_decref(back);
		ledger_free(&again);
	}
	ledger_free(&l);
	json_decref(doc);
}

/* What the kernel says by itself, and what a look at it is said to have found.
 */
static void fuzz_events(const char *data, size_t size)
{
	static const int index[] = { 1, 2, 3 };
	struct recoveries all = { .n = 0 };
	struct recovery_count c;
	struct reconcile *r = calloc(1, sizeof(*r));
	uint32_t *aligned = malloc(size + sizeof(*aligned));
	json_t *doc = json_loadb(data, size, 0, NULL);

	CHECK(r && aligned);
	memcpy(aligned, data, size);
	(void)event_of_link(aligned, size, index, ARRAY_SIZE(index));
	(void)event_of_uevent(data, size);
	if (recoveries_uevent(data, size, &c))
		recoveries_note(&all, &c);
	json_decref(recoveries_json(&all));
	if (doc)
		drift_merge(r, doc, 1, NULL, NULL);
	CHECK(r->n <= DRIFT_MAX && r->n_counts <= DRIFT_COUNTS);
	json_decref(doc);
	free(aligned);
	free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0]) {
	case 'n':
		fuzz_link(data + 1, size - 1);
		break;
	case 's':
		fuzz_state((const char *)data + 1, size - 1);
		break;
	case 'l':
		fuzz_ledger((const char *)data + 1, size - 1);
		break;
	case 'e':
		fuzz_events((const char *)data + 1, size - 1);
		break;
	default:
		fuzz_request((const char *)data, size);
	}
	return 0;
}
