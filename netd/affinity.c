/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the host takes a guest's interrupts. An interrupt that is remapped is
 * handled by a host CPU first; one that the guest's vCPU may not run on has to
 * send another CPU to it. So the host's vector goes to the CPUs of the vCPU
 * that its message names, where that vCPU is pinned: allowed on fewer CPUs
 * than are online. Elsewhere the host's own choice stays.
 *
 * A host that posts interrupts delivers them to the vCPU where it runs: then
 * nothing is touched.
 *
 * What the VMM says is not trusted: only lines that /proc/interrupts gives to
 * functions of its lease are written, and only CPUs on which threads of its
 * own process may run.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "irq-remap/irq-remap.h"
#include "netd/priv.h"

#define LIST_MAX 1024 /* of a CPU list's text */

/* Some of `online` are not in `allowed`, but some are. */
static bool is_pinned(const struct cpus *allowed, const struct cpus *online)
{
	bool some = false, all = true;

	for (size_t i = 0; i < ARRAY_SIZE(allowed->bit); i++) {
		some |= !!(allowed->bit[i] & online->bit[i]);
		all &= !(online->bit[i] & ~allowed->bit[i]);
	}
	return some && !all;
}

struct follow {
	int root_fd;
	const struct lease *lease;
	const json_t *state;
	struct cpus online;
	json_t *done; /* a list */
};

/* Where the thread may run, as text: "2-3". */
static int thread_cpus(int root_fd, pid_t pid, json_int_t tid,
                       char list[LIST_MAX])
{
	static const char key[] = "\nCpus_allowed_list:";
	char path[96], text[SYSFS_MAX];
	const char *at;
	int r;

	snprintf(path, sizeof(path),
	         "proc/%d/task/%" JSON_INTEGER_FORMAT "/status", pid, tid);
	r = sysfs_read(root_fd, path, text, sizeof(text));
	if (r < 0)
		return r;
	at = strstr(text, key);
	if (!at)
		return -ENODATA;
	at += sizeof(key) - 1;
	at += strspn(at, " \t");
	snprintf(list, LIST_MAX, "%.*s", (int)strcspn(at, "\n"), at);
	return 0;
}

/* The VMM's vector of that line; NULL where it names none. */
static const json_t *vector_of(const struct follow *f, const char *device,
                               const struct irq_host *line)
{
	const json_t *all = json_object_get(f->state, "vectors");

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *v = json_array_get(all, i);
		const char *name =
			json_string_value(json_object_get(v, "device"));
		const char *kind =
			json_string_value(json_object_get(v, "kind"));

		if (name && kind && !strcmp(name, device) &&
		    !strcmp(kind, irq_host_kind_name(line->kind)) &&
		    json_integer_value(json_object_get(v, "index")) ==
		            line->index)
			return v;
	}
	return NULL;
}

/* `r`: negative errno, 0 = it was there already, above = moved. */
static void note(struct follow *f, const char *device,
                 const struct irq_host *line, json_int_t vcpu, const char *cpus,
                 int r)
{
	json_array_append_new(
		f->done,
		json_pack("{s:s, s:i, s:i, s:I, s:s, s:b, s:b, s:s}", "device",
	                  device, "index", line->index, "irq", (int)line->irq,
	                  "vcpu", vcpu, "cpus", cpus, "ok", r >= 0, "moved",
	                  r > 0, "why", r < 0 ? strerror(-r) : ""));
}

static void move(struct follow *f, const char *device,
                 const struct irq_host *line, json_int_t vcpu, const char *cpus)
{
	char path[64], now[LIST_MAX] = "";
	int r;

	snprintf(path, sizeof(path), "proc/irq/%u/smp_affinity_list",
	         line->irq);
	r = sysfs_read(f->root_fd, path, now, sizeof(now));
	r = MIN(r, 0);
	if (r == 0 && strcmp(now, cpus) != 0) {
		r = sysfs_write(f->root_fd, path, cpus);
		if (r >= 0)
			r = 1;
	}
	note(f, device, line, vcpu, cpus, r);
}

static const char *leased_name(const struct lease *l, const char *bdf)
{
	struct bdf b;

	for (size_t i = 0; bdf_parse(bdf, &b) == 0 && i < l->n; i++)
		if (bdf_equal(l->device[i].bdf, b))
			return l->device[i].name;
	return NULL;
}

static void on_line(const struct irq_host *line, void *arg)
{
	struct follow *f = arg;
	const char *device = leased_name(f->lease, line->bdf);
	const json_t *v = device ? vector_of(f, device, line) : NULL;
	const json_t *vcpu = json_object_get(v, "vcpu"), *tid;
	char list[LIST_MAX];
	struct cpus allowed;

	if (!json_is_integer(vcpu))
		return;
	tid = json_array_get(json_object_get(f->state, "vcpus"),
	                     (size_t)json_integer_value(vcpu));
	if (!json_is_integer(tid) ||
	    thread_cpus(f->root_fd, f->lease->pid, json_integer_value(tid),
	                list) < 0 ||
	    cpus_parse(list, &allowed) < 0 || !is_pinned(&allowed, &f->online))
		return;
	move(f, device, line, json_integer_value(vcpu), list);
}

static int follow_lines(struct follow *f)
{
	_cleanup_close_ int fd = -1;
	char online[LIST_MAX];
	int r = sysfs_read(f->root_fd, "sys/devices/system/cpu/online", online,
	                   sizeof(online));

	if (r >= 0)
		r = cpus_parse(online, &f->online);
	if (r < 0)
		return r;
	fd = openat(f->root_fd, "proc/interrupts", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : irq_host_each(fd, on_line, f);
}

json_t *affinity_follow(int root_fd, const struct lease *l, const json_t *state)
{
	struct follow f = { .root_fd = root_fd,
		            .lease = l,
		            .state = state,
		            .done = json_array() };
	struct irq_facts facts;
	const char *why = "";
	int r = irq_facts_read(root_fd, &facts);

	if (r >= 0 && facts.posting == IRQ_FACT_YES)
		why = "this host posts interrupts: they go where the vCPU is";
	else if (r >= 0)
		r = follow_lines(&f);
	if (r < 0)
		why = strerror(-r);
	return json_pack("{s:o, s:s}", "vectors", f.done, "why", why);
}

/* ---- as a worker --------------------------------------------------------- */

static void tell(const struct work *w, const json_t *done)
{
	const json_t *v, *all = json_object_get(done, "vectors");
	size_t i;

	json_array_foreach(all, i, v)
	{
		bool ok = json_is_true(json_object_get(v, "ok"));

		if (ok && !json_is_true(json_object_get(v, "moved")))
			continue;
		log_line(w->env->log, ok ? LOG_LVL_INFO : LOG_LVL_WARN,
		         "guest %s: host interrupt %" JSON_INTEGER_FORMAT
		         " (%s, vector %" JSON_INTEGER_FORMAT
		         ") %s CPUs %s of its vCPU %" JSON_INTEGER_FORMAT
		         "%s%s",
		         w->req.guest,
		         json_integer_value(json_object_get(v, "irq")),
		         json_string_value(json_object_get(v, "device")),
		         json_integer_value(json_object_get(v, "index")),
		         ok ? "goes to" : "cannot go to",
		         json_string_value(json_object_get(v, "cpus")),
		         json_integer_value(json_object_get(v, "vcpu")),
		         ok ? "" : ": ",
		         json_string_value(json_object_get(v, "why")));
	}
}

int verb_follow(struct work *w)
{
	const struct lease *l = lease_find(&w->env->leases, w->req.guest);
	_cleanup_free_ char *text = NULL;
	json_t *state = NULL, *done;
	size_t len;

	if (!l || l->ending)
		return 0;
	if (fd_read_file(w->policy_fd, NETD_REPLY_MAX, &text, &len) == 0)
		state = json_loadb(text, len, 0, NULL);
	if (state) {
		done = affinity_follow(w->env->root_fd, l, state);
		tell(w, done);
		json_decref(done);
	}
	json_decref(state);
	return 0;
}
