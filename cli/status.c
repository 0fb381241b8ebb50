/* SPDX-License-Identifier: GPL-2.0-or-later */

/* `fairlead status`: what netd read from the kernel, as tables. What a driver
 * does not tell is "unknown", never 0. */

#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A member of any scalar type as text; *buf is used for numbers. */
static const char *scalar(const json_t *o, const char *key, char buf[24])
{
	const json_t *v = json_object_get(o, key);

	if (json_is_string(v))
		return *json_string_value(v) ? json_string_value(v) : "-";
	if (json_is_boolean(v))
		return json_is_true(v) ? "on" : "off";
	if (json_is_integer(v)) {
		snprintf(buf, 24, "%" JSON_INTEGER_FORMAT,
		         json_integer_value(v));
		return buf;
	}
	return "unknown";
}

static void print_host(const json_t *host)
{
	char b[24];

	printf("host: IOMMU %s, interrupt remapping %s, posted interrupts %s\n",
	       scalar(host, "iommu", b), cli_text(host, "remapping", "unknown"),
	       cli_text(host, "posting", "unknown"));
}

/* Said only where it is not what a new VF has. */
static void print_knobs(const json_t *vf)
{
	const json_t *rate = json_object_get(vf, "tx-rate");
	json_int_t min = json_integer_value(json_object_get(rate, "min"));
	json_int_t max = json_integer_value(json_object_get(rate, "max"));
	const char *link = cli_text(vf, "link-state", "auto");
	const char *comma = "         ";

	if (strcmp(link, "auto") != 0) {
		printf("%slink state %s", comma, link);
		comma = ", ";
	}
	if (min || max) {
		printf("%srate %" JSON_INTEGER_FORMAT " to ", comma, min);
		if (max)
			printf("%" JSON_INTEGER_FORMAT " Mbit/s", max);
		else
			printf("any number of Mbit/s");
		comma = ", ";
	}
	if (json_is_true(json_object_get(vf, "query-rss"))) {
		printf("%sRSS query on", comma);
		comma = ", ";
	}
	if (*comma == ',')
		putchar('\n');
}

static void print_refused(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);

		printf("         left out: %s %s: %s\n",
		       cli_text(o, "setting", "?"), cli_text(o, "value", "?"),
		       cli_text(o, "why", "?"));
	}
}

/* Of an apply that waits for its confirmation. */
static void print_unconfirmed(const json_t *u)
{
	const json_t *left = json_object_get(u, "left");

	if (!json_is_object(u))
		return;
	if (json_is_integer(left))
		printf("  %s is rolled back in %" JSON_INTEGER_FORMAT
		       " s unless `fairlead confirm`\n",
		       cli_text(u, "file", "it"), json_integer_value(left));
	else
		printf("  %s was not confirmed, and rolling it back failed: "
		       "%s; `fairlead confirm` or `fairlead restore`\n",
		       cli_text(u, "file", "it"),
		       cli_text(json_object_get(u, "error"), "what", "?"));
}

static void print_stuck(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *s = json_array_get(list, i);

		printf("  %s is stuck since %s: %s%s\n", cli_text(s, "pf", "?"),
		       cli_text(s, "since", "?"), cli_text(s, "what", "?"),
		       json_is_true(json_object_get(s, "hangs"))
		               ? ""
		               : "; it answers again: `fairlead apply FILE`");
	}
}

static void print_vf(const json_t *vf)
{
	static const struct {
		const char *key;
		int width;
	} columns[] = {
		{ "index", 5 }, { "bdf", 12 },  { "driver", 9 },
		{ "mac", 17 },  { "vlan", 7 },  { "spoof-check", 7 },
		{ "trust", 7 }, { "group", 5 }, { "holder", 0 },
	};
	char b[24];

	printf("  ");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		printf("%-*s  ", columns[i].width,
		       scalar(vf, columns[i].key, b));
	putchar('\n');
	print_knobs(vf);
	status_vf_switch(vf);
	print_refused(json_object_get(vf, "refused"));
}

static void print_pf(const json_t *pf)
{
	const json_t *vfs = json_object_get(pf, "vfs");
	char b1[24], b2[24], b3[24];

	printf("\n%s %s  driver %s, link %s, MTU %s, VFs %s of %s\n",
	       cli_text(pf, "bdf", "?"), cli_text(pf, "ifname", "-"),
	       cli_text(pf, "driver", "-"), cli_text(pf, "link", "unknown"),
	       scalar(pf, "mtu", b3), scalar(pf, "num-vfs", b1),
	       scalar(pf, "total-vfs", b2));
	status_pf_switch(pf);
	if (json_array_size(vfs))
		printf("  %-5s  %-12s  %-9s  %-17s  %-7s  %-7s  %-7s  %-5s  %s\n",
		       "VF", "address", "driver", "MAC", "VLAN", "spoof",
		       "trust", "group", "held by");
	for (size_t i = 0; i < json_array_size(vfs); i++)
		print_vf(json_array_get(vfs, i));
}

/* Whole functions that are given away or can be. */
static void print_device(const json_t *d)
{
	char b[24];

	printf("  %-12s  %-9s  %-9s  %-5s  %-8s  %s\n", cli_text(d, "bdf", "?"),
	       cli_text(d, "id", "?"), scalar(d, "driver", b),
	       scalar(d, "class", b), scalar(d, "group", b),
	       scalar(d, "holder", b));
}

static void print_devices(const json_t *list)
{
	if (!json_array_size(list))
		return;
	printf("\n  %-12s  %-9s  %-9s  %-5s  %-8s  %s\n", "device", "id",
	       "driver", "class", "group", "held by");
	for (size_t i = 0; i < json_array_size(list); i++)
		print_device(json_array_get(list, i));
}

/* Of a guarded tap: what its guest sent in vain. */
static void print_drops(const json_t *drops)
{
	const char *what, *before = ", spoofed and dropped: ";
	json_t *n;

	json_object_foreach((json_t *)(uintptr_t)drops, what, n)
	{
		printf("%s%s %" JSON_INTEGER_FORMAT, before, what,
		       json_integer_value(n));
		before = ", ";
	}
}

/* What the guest's VMM itself is. */
static void print_own(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);
		const char *bridge = cli_text(o, "bridge", "");
		const char *tap = cli_text(o, "tap", "");
		unsigned slot = (unsigned)json_integer_value(
			json_object_get(o, "slot"));

		printf("    %-8s %-16s %02x.0  %s", cli_text(o, "kind", "?"),
		       cli_text(o, "name", "?"), slot,
		       *tap ? tap : cli_text(o, "path", ""));
		if (*tap)
			printf(" %s%s%s", cli_text(o, "state", "unknown"),
			       *bridge ? ", bridge " : "", bridge);
		print_drops(json_object_get(o, "spoof-drops"));
		putchar('\n');
	}
}

static void print_lease(const json_t *l)
{
	const json_t *devices = json_object_get(l, "devices");
	const json_t *names = json_object_get(l, "names");
	char b[24];

	printf("  %-16s pid %-8s", cli_text(l, "guest", "?"),
	       scalar(l, "pid", b));
	for (size_t i = 0; i < json_array_size(devices); i++)
		printf(" %s=%s",
		       json_is_string(json_array_get(names, i))
		               ? json_string_value(json_array_get(names, i))
		               : "?",
		       json_string_value(json_array_get(devices, i)));
	putchar('\n');
	print_own(json_object_get(l, "own"));
}

/* Of the applied policy. */
static void print_guests(const json_t *list)
{
	if (!json_array_size(list))
		return;
	printf("\n  %-16s  %-6s\n", "guest", "boot");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *g = json_array_get(list, i);

		printf("  %-16s  %-6s  %s\n", cli_text(g, "guest", "?"),
		       cli_text(g, "boot", "?"),
		       json_is_true(json_object_get(g, "running")) ? "running"
		                                                   : "");
	}
}

static void print_fault(const json_t *f)
{
	const json_t *last = json_object_get(f, "last");
	char b[24];

	printf("  %-12s  %-16s %-12s at least %s, last %s: %s at %s: %s\n",
	       cli_text(f, "bdf", "?"), scalar(f, "guest", b),
	       scalar(f, "device", b), scalar(f, "count", b),
	       cli_text(last, "time", "?"), cli_text(last, "kind", "?"),
	       cli_text(last, "address", "?"), cli_text(last, "text", "?"));
}

/* Of netd that came before these there is nothing to say. */
static void print_faults(const json_t *faults)
{
	const json_t *list = json_object_get(faults, "by-function");
	const json_t *lost = json_object_get(faults, "lost");

	if (!faults)
		return;
	if (!json_is_array(list)) {
		printf("\nDMA faults: unknown (%s)\n",
		       cli_text(faults, "unknown-because", "?"));
		return;
	}
	printf("\n%zu function(s) with DMA faults\n", json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++)
		print_fault(json_array_get(list, i));
	if (json_integer_value(lost))
		printf("  and records of the kernel's log were lost, at least "
		       "%" JSON_INTEGER_FORMAT "\n",
		       json_integer_value(lost));
}

int cli_status(const struct cli *c, char *const *args, unsigned n)
{
	const json_t *pfs, *leases;
	json_t *reply = NULL;
	int r = cli_transact(c,
	                     json_pack("{s:i, s:s}", "version",
	                               NETD_PROTO_VERSION, "verb", "status"),
	                     -1, NULL, &reply);

	(void)args;
	(void)n;
	if (r)
		return r;
	if (c->json)
		return cli_print_json(reply);
	print_host(json_object_get(reply, "host"));
	printf("policy: %s\n", cli_text(reply, "journal", "unknown"));
	print_unconfirmed(json_object_get(reply, "unconfirmed"));
	print_stuck(json_object_get(reply, "stuck"));
	pfs = json_object_get(reply, "pfs");
	for (size_t i = 0; i < json_array_size(pfs); i++)
		print_pf(json_array_get(pfs, i));
	print_devices(json_object_get(reply, "devices"));
	print_guests(json_object_get(reply, "guests"));
	leases = json_object_get(reply, "leases");
	printf("\n%zu guest(s) with a lease\n", json_array_size(leases));
	for (size_t i = 0; i < json_array_size(leases); i++)
		print_lease(json_array_get(leases, i));
	print_faults(json_object_get(reply, "dma-faults"));
	status_care(reply);
	json_decref(reply);
	return CLI_OK;
}
