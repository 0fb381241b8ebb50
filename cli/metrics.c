/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netd's counts as Prometheus' text. Names and labels of sriov_vf_* are those
 * of sriov-network-metrics-exporter, so that its dashboards go on; all else is
 * fairlead_*. A series whose value is not known is not there: none of it is
 * made up as 0.
 */

#include "cli/metrics-priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void metrics_head(const struct metrics_out *o, const char *name,
                  const char *type, const char *help)
{
	fprintf(o->f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* In quotes: \, " and the line's end have their escapes; names of ours have
 * none of them, but they came over a socket. */
static void value(const struct metrics_out *o, const char *s)
{
	fputc('"', o->f);
	for (; *s; s++)
		if (*s == '\n')
			fputs("\\n", o->f);
		else if (*s == '"' || *s == '\\')
			fprintf(o->f, "\\%c", *s);
		else
			fputc(*s, o->f);
	fputc('"', o->f);
}

void metrics_series(const struct metrics_out *o, const char *name,
                    const char *const *labels)
{
	fputs(name, o->f);
	for (size_t i = 0; labels[i]; i += 2) {
		fprintf(o->f, "%s%s=", i ? "," : "{", labels[i]);
		value(o, labels[i + 1]);
	}
	fputs(labels[0] ? "} " : " ", o->f);
}

void metrics_whole(const struct metrics_out *o, json_int_t n)
{
	fprintf(o->f, "%" JSON_INTEGER_FORMAT "\n", n);
}

static void say_item(const struct metrics_out *o, const struct metrics_list *m,
                     const json_t *item)
{
	const char *labels[METRICS_LABELS * 2 + 1] = { NULL };
	const json_t *v = m->key ? json_object_get(item, m->key) : json_true();

	if (!json_is_integer(v) && !json_is_boolean(v))
		return;
	for (size_t i = 0; m->labels[i]; i += 2) {
		labels[i] = m->labels[i];
		labels[i + 1] = cli_text(item, m->labels[i + 1], "");
	}
	metrics_series(o, m->name, labels);
	metrics_whole(o, json_is_true(v) ? 1 : json_integer_value(v));
}

void metrics_lists(const struct metrics_out *o, const json_t *list,
                   const struct metrics_list *m, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		metrics_head(o, m[k].name, m[k].type, m[k].help);
		for (size_t i = 0; i < json_array_size(list); i++)
			say_item(o, &m[k], json_array_get(list, i));
	}
}

void metrics_one(const struct metrics_out *o, const struct metrics_list *m,
                 const json_t *n)
{
	metrics_head(o, m->name, m->type, m->help);
	if (!json_is_integer(n))
		return;
	metrics_series(o, m->name, LABELS(NULL));
	metrics_whole(o, json_integer_value(n));
}

static json_int_t int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* ---- VFs ----------------------------------------------------------------- */

static const struct {
	const char *name, *key, *help;
} counters[] = {
	{ "sriov_vf_rx_bytes", "rx-bytes", "Bytes received by the VF." },
	{ "sriov_vf_tx_bytes", "tx-bytes", "Bytes sent by the VF." },
	{ "sriov_vf_rx_packets", "rx-packets", "Frames received by the VF." },
	{ "sriov_vf_tx_packets", "tx-packets", "Frames sent by the VF." },
	{ "sriov_vf_rx_dropped", "rx-dropped",
	  "Frames for the VF that were dropped." },
	{ "sriov_vf_tx_dropped", "tx-dropped",
	  "Frames of the VF that were dropped." },
	{ "sriov_vf_rx_broadcast", "broadcast",
	  "Broadcast frames received by the VF." },
	{ "sriov_vf_rx_multicast", "multicast",
	  "Multicast frames received by the VF." },
};

static void node_text(const json_t *pf, char ret[static 24])
{
	const json_t *node = json_object_get(pf, "numa-node");

	ret[0] = '\0';
	if (json_is_integer(node))
		snprintf(ret, 24, "%" JSON_INTEGER_FORMAT,
		         json_integer_value(node));
}

static void say_counter(const struct metrics_out *o, size_t c, const json_t *pf)
{
	const json_t *vfs = json_object_get(pf, "vfs");
	char node[24], index[24];

	node_text(pf, node);
	for (size_t i = 0; i < json_array_size(vfs); i++) {
		const json_t *vf = json_array_get(vfs, i);
		const json_t *n = json_object_get(json_object_get(vf, "stats"),
		                                  counters[c].key);

		if (!json_is_integer(n))
			continue;
		snprintf(index, sizeof(index), "%" JSON_INTEGER_FORMAT,
		         int_of(vf, "index"));
		metrics_series(o, counters[c].name,
		               LABELS("numa_node", node, "pciAddr",
		                      cli_text(vf, "bdf", ""), "pf",
		                      cli_text(pf, "ifname", ""), "vf", index,
		                      NULL));
		/* Counters have 64 bits, JSON's integers one less. */
		fprintf(o->f, "%" PRIu64 "\n", (uint64_t)json_integer_value(n));
	}
}

static void say_vfs(const struct metrics_out *o)
{
	const json_t *pfs = json_object_get(o->reply, "pfs");

	for (size_t c = 0; c < ARRAY_SIZE(counters); c++) {
		metrics_head(o, counters[c].name, "counter", counters[c].help);
		for (size_t i = 0; i < json_array_size(pfs); i++)
			say_counter(o, c, json_array_get(pfs, i));
	}
}

/* ---- PFs ----------------------------------------------------------------- */

#define OF_PF                                                                  \
	{                                                                      \
		"pciAddr", "bdf", "pf", "ifname", "driver", "driver"           \
	}
static const struct metrics_list pf_numbers[] = {
	{ "fairlead_pf_vfs", "gauge", "VFs that the PF has now.", OF_PF,
	  "num-vfs" },
	{ "fairlead_pf_total_vfs", "gauge", "VFs that the PF can have.", OF_PF,
	  "total-vfs" },
	{ "fairlead_pf_counted", "gauge",
	  "0 where the driver counts nothing of its VFs, which then have no "
	  "sriov_vf_* series.",
	  OF_PF, "counted" },
};

static void say_users(const struct metrics_out *o)
{
	static const char name[] = "fairlead_vf_leased";
	const json_t *pfs = json_object_get(o->reply, "pfs");

	metrics_head(o, name, "gauge",
	             "1 for each VF that a guest has leased.");
	for (size_t i = 0; i < json_array_size(pfs); i++) {
		const json_t *vfs =
			json_object_get(json_array_get(pfs, i), "vfs");

		for (size_t k = 0; k < json_array_size(vfs); k++) {
			const json_t *vf = json_array_get(vfs, k);

			if (!*cli_text(vf, "guest", ""))
				continue;
			metrics_series(
				o, name,
				LABELS("pciAddr", cli_text(vf, "bdf", ""),
			               "guest", cli_text(vf, "guest", ""),
			               "device", cli_text(vf, "device", ""),
			               NULL));
			metrics_whole(o, 1);
		}
	}
}

/* ---- netd ---------------------------------------------------------------- */

static const struct metrics_list leases[] = {
	{ "fairlead_lease_age_seconds",
	  "gauge",
	  "How long a guest has had its lease.",
	  { "guest", "guest" },
	  "age" },
	{ "fairlead_lease_devices",
	  "gauge",
	  "Functions in the lease of a guest.",
	  { "guest", "guest" },
	  "devices" },
};

static void say_requests(const struct metrics_out *o)
{
	static const char count[] = "fairlead_requests_total";
	static const char time[] = "fairlead_request_seconds_total";
	const json_t *list = json_object_get(o->reply, "requests");
	static const char *const results[] = { "done", "refused" };

	metrics_head(o, count, "counter",
	             "Requests since the daemon began, by verb and result.");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		for (size_t k = 0; k < ARRAY_SIZE(results); k++) {
			metrics_series(o, count,
			               LABELS("verb", cli_text(v, "verb", ""),
			                      "result", results[k], NULL));
			metrics_whole(o, int_of(v, results[k]));
		}
	}
	metrics_head(
		o, time, "counter",
		"Seconds that requests took, by verb: those of apply are the "
		"changes.");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		json_int_t ms = int_of(v, "ms");

		metrics_series(o, time,
		               LABELS("verb", cli_text(v, "verb", ""), NULL));
		fprintf(o->f,
		        "%" JSON_INTEGER_FORMAT ".%03" JSON_INTEGER_FORMAT "\n",
		        ms / 1000, ms % 1000);
	}
}

static const struct metrics_list faults = {
	"fairlead_dma_faults_total",
	"counter",
	"DMA that the IOMMU refused, at least: the kernel tells ten in five "
	"seconds.",
	{ "pciAddr", "bdf", "guest", "guest", "device", "device" },
	"count"
};

static const struct metrics_list drops = {
	"fairlead_tap_drops_total",
	"counter",
	"Frames of a guest that the guard of its tap dropped, by what they had "
	"false: mac, tag, arp, nd, ip.",
	{ "guest", "guest", "nic", "nic", "reason", "reason" },
	"count"
};

static const struct metrics_list lost = {
	.name = "fairlead_kernel_log_lost_total",
	.type = "counter",
	.help = "Records of the kernel's log that were gone before they were "
		"read.",
};

static void say_faults(const struct metrics_out *o)
{
	const json_t *told = json_object_get(o->reply, "dma-faults");

	metrics_lists(o, json_object_get(told, "by-function"), &faults, 1);
	metrics_one(o, &lost, json_object_get(told, "lost"));
}

static void say_spoofs(const struct metrics_out *o)
{
	static const char name[] = "fairlead_vf_spoof_events_total";
	const json_t *list = json_object_get(o->reply, "spoofs");

	metrics_head(
		o, name, "counter",
		"Times that a driver told of frames dropped for a false source; "
		"vf is empty where it does not say whose.");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *s = json_array_get(list, i);
		json_int_t vf = int_of(s, "vf");
		char index[24] = "";

		if (vf >= 0)
			snprintf(index, sizeof(index), "%" JSON_INTEGER_FORMAT,
			         vf);
		metrics_series(o, name,
		               LABELS("pciAddr", cli_text(s, "pf", ""), "vf",
		                      index, NULL));
		metrics_whole(o, int_of(s, "count"));
	}
}

#define OF_REPORTER                                                            \
	{                                                                      \
		"pciAddr", "bdf", "pf", "ifname", "reporter", "reporter"       \
	}
static const struct metrics_list health[] = {
	{ "fairlead_pf_health_errors_total", "counter",
	  "Errors of the PF's device that its driver noticed (devlink health).",
	  OF_REPORTER, "errors" },
	{ "fairlead_pf_health_recoveries_total", "counter",
	  "... and recovered the device from, which resets it as a rule.",
	  OF_REPORTER, "recoveries" },
};

static const struct metrics_list recoveries = {
	"fairlead_function_recoveries_total",
	"counter",
	"Recoveries of a function from an error on PCIe, by the kernel: begun, "
	"done, failed.",
	{ "pciAddr", "bdf", "event", "event" },
	"count"
};

static void say_journal(const struct metrics_out *o)
{
	static const char name[] = "fairlead_policy_state";
	static const char *const phases[] = { "none", "applied", "unconfirmed",
		                              "applying" };
	const char *is = cli_text(o->reply, "journal", "");

	metrics_head(
		o, name, "gauge",
		"1 for the state the journal is in: applying for long means that "
		"a change was not finished.");
	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		metrics_series(o, name, LABELS("state", phases[i], NULL));
		metrics_whole(o, !strcmp(is, phases[i]));
	}
}

int metrics_text(const json_t *reply, char **ret, size_t *ret_len)
{
	struct metrics_out o = { .reply = reply };

	o.f = open_memstream(ret, ret_len);
	if (!o.f)
		return -ENOMEM;
	metrics_head(&o, "fairlead_up", "gauge",
	             "1 where fairlead-netd answers.");
	metrics_series(&o, "fairlead_up", LABELS(NULL));
	metrics_whole(&o, reply != NULL);
	if (reply) {
		if (strcmp(cli_text(reply, "names", ""), "fairlead") != 0)
			say_vfs(&o);
		metrics_lists(&o, json_object_get(reply, "pfs"), pf_numbers,
		              ARRAY_SIZE(pf_numbers));
		say_users(&o);
		metrics_lists(&o, json_object_get(reply, "leases"), leases,
		              ARRAY_SIZE(leases));
		say_requests(&o);
		say_faults(&o);
		say_spoofs(&o);
		metrics_lists(&o, json_object_get(reply, "drops"), &drops, 1);
		metrics_lists(&o, json_object_get(reply, "health"), health,
		              ARRAY_SIZE(health));
		metrics_lists(&o, json_object_get(reply, "recoveries"),
		              &recoveries, 1);
		say_journal(&o);
		metrics_drift(&o);
	}
	if (fclose(o.f) == 0)
		return 0;
	free(*ret);
	return -ENOMEM;
}
