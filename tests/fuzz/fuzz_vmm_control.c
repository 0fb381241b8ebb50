/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a line of the control socket: it is a request whose parts are of
 * the kinds they are said to be, or an error that can be answered.
 * fuzz: runs=200000 time=60
 */

#include <string.h>

#include "vmm/control.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct rpc_request *r, int error)
{
	json_t *o = error ? rpc_error(r->id, error, "no")
	                  : rpc_result(r->id, json_true());
	char *text = json_dumps(o, JSON_COMPACT);

	CHECK(text && !strchr(text, '\n'));
	free(text);
	json_decref(o);
}

static void check_params(const struct rpc_request *r)
{
	uint64_t v;
	bool b;

	CHECK(!r->params || json_is_object(r->params));
	if (rpc_number(r->params, "bytes", 100, 7, &v) == 0)
		CHECK(v <= 100);
	(void)!rpc_bool(r->params, "on", true, &b);
}

/* In pieces, as a stream has it: the first byte says how long they are. */
static void check_lines(const uint8_t *data, size_t size)
{
	size_t piece = data[0] % 32 + 1, at = 0, n;
	struct peer p;

	peer_init(&p, -1);
	p.in_size = size;
	p.in = malloc(size);
	CHECK(p.in);
	while (at < size) {
		size_t take = MIN(piece, size - at);

		if (!p.in) {
			p.in = malloc(size);
			p.in_size = size;
			CHECK(p.in);
		}
		memcpy(p.in + p.in_len, data + at, take);
		p.in_len += take;
		at += take;
		while ((n = peer_line(&p)) && n != SIZE_MAX) {
			CHECK(n <= p.in_len && p.in[n - 1] == '\n');
			peer_drop(&p, n);
		}
		if (n == SIZE_MAX)
			peer_drop(&p, p.in_len);
	}
	peer_close(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_request r;
	int error;

	if (!size)
		return 0;
	check_lines(data, size);
	error = rpc_parse((const char *)data, size, &r);
	if (!error) {
		CHECK(r.method);
		check_params(&r);
	}
	check_answer(&r, error);
	rpc_free(&r);
	return 0;
}
