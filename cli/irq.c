/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * `fairlead irq`: each interrupt vector of a guest's devices, as it is. The VMM
 * tells what the guest has armed (through netd); /proc/interrupts, read twice,
 * what the host handles; proc/irq, which CPU does.
 */

#include "cli/irq.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROWS_MAX 4096u
#define SECONDS_MAX 60u

struct table {
	struct irq_row *row;
	size_t n;
	bool again; /* the second sample */
};

/* ---- what the VMM says --------------------------------------------------- */

static int number_or(const json_t *o, const char *key, int none)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? (int)json_integer_value(v) : none;
}

static const char *bdf_of(const json_t *reply, const char *device)
{
	const json_t *all =
		json_object_get(json_object_get(reply, "report"), "devices");

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *d = json_array_get(all, i);

		if (!strcmp(cli_text(d, "name", ""), device))
			return cli_text(d, "bdf", "");
	}
	return "";
}

static bool take_row(const json_t *reply, const json_t *v, struct irq_row *r)
{
	const char *device = cli_text(v, "device", "");
	const char *kind = cli_text(v, "kind", "");

	*r = (struct irq_row){
		.index = (uint16_t)number_or(v, "index", 0),
		.armed = json_is_true(json_object_get(v, "armed")),
		.throttled = json_is_true(json_object_get(v, "throttled")),
		.vcpu = number_or(v, "vcpu", -1),
		.guest_vector = number_or(v, "guest_vector", -1),
		.gsi = number_or(v, "gsi", -1),
	};
	snprintf(r->device, sizeof(r->device), "%s", device);
	snprintf(r->bdf, sizeof(r->bdf), "%s", bdf_of(reply, device));
	for (int k = IRQ_HOST_INTX; k <= IRQ_HOST_MSIX; k++) {
		r->kind = (enum irq_host_kind)k;
		if (!strcmp(kind, irq_host_kind_name(r->kind)))
			return *device;
	}
	return false;
}

static int take_rows(const json_t *reply, struct table *t)
{
	const json_t *all = json_object_get(reply, "vectors");
	size_t n = MIN(json_array_size(all), ROWS_MAX);

	t->row = calloc(MAX(n, 1u), sizeof(*t->row));
	if (!t->row)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		t->n += take_row(reply, json_array_get(all, i), &t->row[t->n]);
	return 0;
}

/* ---- what the host says -------------------------------------------------- */

static void on_line(const struct irq_host *line, void *arg)
{
	struct table *t = arg;

	for (size_t i = 0; i < t->n; i++) {
		struct irq_row *r = &t->row[i];

		if (r->kind != line->kind || r->index != line->index ||
		    strcmp(r->bdf, line->bdf) != 0)
			continue;
		r->irq = line->irq;
		if (t->again) {
			r->found_again = true;
			r->after = line->count;
		} else {
			r->found = true;
			r->before = line->count;
		}
		return;
	}
}

static int sample(int root_fd, struct table *t)
{
	_cleanup_close_ int fd =
		openat(root_fd, "proc/interrupts", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : irq_host_each(fd, on_line, t);
}

static double seconds_since(uint64_t then)
{
	return (double)(now_ns() - then) / 1e9;
}

static int sample_twice(int root_fd, unsigned seconds, struct table *t,
                        double *ret_seconds)
{
	struct timespec pause = { .tv_sec = seconds };
	uint64_t then = now_ns();
	int r = sample(root_fd, t);

	if (r < 0)
		return r;
	while (nanosleep(&pause, &pause) < 0)
		;
	t->again = true;
	r = sample(root_fd, t);
	*ret_seconds = seconds_since(then);
	for (size_t i = 0; r >= 0 && i < t->n; i++) {
		struct irq_row *row = &t->row[i];
		char path[64];

		snprintf(path, sizeof(path),
		         "proc/irq/%u/effective_affinity_list", row->irq);
		if (!row->found_again ||
		    sysfs_read(root_fd, path, row->cpus, sizeof(row->cpus)) < 0)
			row->cpus[0] = '\0';
	}
	return r;
}

/* ---- printing ------------------------------------------------------------ */

static json_t *or_null(bool known, json_t *v)
{
	if (known)
		return v;
	json_decref(v);
	return json_null();
}

static json_t *row_json(const struct irq_row *r, const struct irq_verdict *v)
{
	return json_pack(
		"{s:s, s:s, s:s, s:i, s:b, s:b, s:s, s:s, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o}",
		"device", r->device, "bdf", r->bdf, "kind",
		irq_host_kind_name(r->kind), "index", r->index, "armed",
		r->armed, "throttled", r->throttled, "how",
		irq_how_name(v->how), "evidence", v->evidence, "irq",
		or_null(r->found_again, json_integer(r->irq)), "cpus",
		or_null(*r->cpus, json_string(r->cpus)), "count",
		or_null(r->found_again, json_integer((json_int_t)r->after)),
		"rate", or_null(v->rate >= 0, json_real(v->rate)), "vcpu",
		or_null(r->vcpu >= 0, json_integer(r->vcpu)), "guest-vector",
		or_null(r->guest_vector >= 0, json_integer(r->guest_vector)),
		"gsi", or_null(r->gsi >= 0, json_integer(r->gsi)));
}

static void print_row(const struct irq_row *r, const struct irq_verdict *v)
{
	char name[24], irq[16] = "-", vcpu[16] = "-", rate[24] = "-",
		       count[24] = "-";

	if (r->kind == IRQ_HOST_INTX)
		snprintf(name, sizeof(name), "intx");
	else
		snprintf(name, sizeof(name), "%s[%u]",
		         irq_host_kind_name(r->kind), r->index);
	if (r->found_again) {
		snprintf(irq, sizeof(irq), "%u", r->irq);
		snprintf(count, sizeof(count), "%llu",
		         (unsigned long long)r->after);
	}
	if (r->vcpu >= 0)
		snprintf(vcpu, sizeof(vcpu), "%d", r->vcpu);
	if (v->rate >= 0)
		snprintf(rate, sizeof(rate), "%.0f", v->rate);
	printf("%-12s  %-10s  %-10s  %-8s  %-8s  %-4s  %8s  %10s  %s\n",
	       r->device, name,
	       r->throttled ? "throttled" : irq_how_name(v->how), irq,
	       *r->cpus ? r->cpus : "-", vcpu, rate, count, v->evidence);
}

static int print(const struct cli *c, const char *guest, const struct table *t,
                 const struct irq_facts *host, double seconds)
{
	json_t *rows = json_array();

	if (!c->json) {
		printf("host: interrupt remapping %s (%s)\n"
		       "      posted interrupts %s (%s)\n"
		       "%-12s  %-10s  %-10s  %-8s  %-8s  %-4s  %8s  %10s  %s\n",
		       irq_fact_name(host->remapping), host->remapping_evidence,
		       irq_fact_name(host->posting), host->posting_evidence,
		       "device", "vector", "how", "host irq", "host CPU",
		       "vCPU", "a second", "in all", "evidence");
	}
	for (size_t i = 0; i < t->n; i++) {
		struct irq_verdict v = irq_judge(&t->row[i], host, seconds);

		if (c->json)
			json_array_append_new(rows, row_json(&t->row[i], &v));
		else
			print_row(&t->row[i], &v);
	}
	if (!c->json) {
		json_decref(rows);
		return CLI_OK;
	}
	return cli_print_json(json_pack(
		"{s:b, s:s, s:f, s:{s:s, s:s, s:s, s:s}, s:o}", "ok", 1,
		"guest", guest, "seconds", seconds, "host", "remapping",
		irq_fact_name(host->remapping), "remapping-evidence",
		host->remapping_evidence, "posting",
		irq_fact_name(host->posting), "posting-evidence",
		host->posting_evidence, "vectors", rows));
}

/* ---- the verb ------------------------------------------------------------ */

static int unreadable(const struct cli *c, const char *what, int err)
{
	struct diag d;

	diag_fail(&d, err, FL_CLI_FILE, "cannot read %s below %s", what,
	          c->root);
	diag_why(&d, "%s", strerror(-err));
	diag_mend(&d, "mount -t proc proc /proc");
	return cli_refuse(c, CLI_REFUSED, &d);
}

static int bad_seconds(const struct cli *c, const char *text)
{
	struct diag d;

	diag_fail(&d, -EINVAL, FL_CLI_DEVICE,
	          "\"%s\" is no time to look at interrupts", text);
	diag_mend(&d, "seconds, from 1 to %u", SECONDS_MAX);
	return cli_refuse(c, CLI_USAGE, &d);
}

static int look(const struct cli *c, const json_t *reply, unsigned seconds,
                struct table *t)
{
	_cleanup_close_ int root =
		open(c->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct irq_facts host = { .remapping = IRQ_FACT_UNKNOWN,
		                  .posting = IRQ_FACT_UNKNOWN };
	double between = 0;
	int r;

	if (root < 0)
		return unreadable(c, "the tree", -errno);
	r = take_rows(reply, t);
	if (r >= 0)
		r = sample_twice(root, seconds, t, &between);
	if (r < 0)
		return unreadable(c, "proc/interrupts", r);
	(void)!irq_facts_read(root, &host);
	return print(c, cli_text(reply, "guest", "?"), t, &host, between);
}

int cli_irq(const struct cli *c, char *const *args, unsigned n)
{
	struct table t = { .row = NULL };
	json_t *req, *reply = NULL;
	uint64_t seconds = 1;
	int r;

	if (n > 1 &&
	    (parse_u64(args[1], SECONDS_MAX, &seconds) < 0 || !seconds))
		return bad_seconds(c, args[1]);
	req = json_pack("{s:i, s:s, s:s}", "version", NETD_PROTO_VERSION,
	                "verb", "query", "guest", args[0]);
	r = cli_transact(c, req, -1, NULL, &reply);
	if (r)
		return r;
	r = look(c, reply, (unsigned)seconds, &t);
	free(t.row);
	json_decref(reply);
	return r;
}
