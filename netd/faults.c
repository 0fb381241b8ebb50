/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DMA that the IOMMU refused, by function. The kernel tells of it in its log
 * alone, so main reads that, from netd's start on: a descriptor like others,
 * never waited for. Records that userspace wrote are passed over.
 *
 * The kernel logs at most ten of these in five seconds, for all devices
 * together: a count is "at least", and one guest's flood can hide another's
 * fault. What the IOMMU refused did not happen all the same.
 *
 * A function is counted by the guest that has it at the time. Whoever leases
 * it next begins at 0.
 */

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "netd/audit.h"
#include "netd/server.h"

#define RECORD_MAX 8192 /* the longest that the kernel makes */
#define RECORDS_AT_ONCE 64

/* Told to its guest, and logged: one in five seconds. */
#define TELL_INTERVAL_NS 5000000000ull

/* ---- the table
 * ---------------------------------------------------------------
 */

/* Full, the one that was quiet for longest makes room. */
static struct fault_count *entry_of(struct faults *all, struct bdf b,
                                    const char *guest)
{
	struct fault_count *oldest = &all->f[0];

	for (size_t i = 0; i < all->n; i++) {
		struct fault_count *c = &all->f[i];

		if (bdf_equal(c->last.bdf, b) && !strcmp(c->guest, guest))
			return c;
		if (c->seen < oldest->seen)
			oldest = c;
	}
	if (all->n < FAULTS_MAX)
		oldest = &all->f[all->n++];
	*oldest = (struct fault_count){ 0 };
	return oldest;
}

struct fault_count *faults_note(struct faults *all, const struct leases *leases,
                                const struct iommu_fault *f, int64_t now)
{
	size_t k = 0;
	const struct lease *l = lease_of_device(leases, f->bdf, &k);
	struct fault_count *c = entry_of(all, f->bdf, l ? l->guest : "");

	if (l) {
		memcpy(c->guest, l->guest, sizeof(c->guest));
		memcpy(c->device, l->device[k].name, sizeof(c->device));
	}
	c->last = *f;
	c->seen = now;
	c->count++;
	return c;
}

bool faults_record(const char *record, struct iommu_fault *ret)
{
	const char *text = strchr(record, ';');
	char line[512], *end;
	unsigned long prefix;

	/* "priority,sequence,time,flags;text\n KEY=value..."; a priority of 8
	 * and above names a facility, which the kernel's own have not. */
	prefix = strtoul(record, &end, 10);
	if (end == record || *end != ',' || prefix > 7 || !text)
		return false;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text + 1, "\n"),
	         text + 1);
	return iommu_fault_parse(line, ret);
}

/* ---- for status
 * --------------------------------------------------------------
 */

static json_t *count_json(const struct fault_count *c)
{
	char b[BDF_STRLEN], at[24], since[32] = "";
	time_t t = c->seen;
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(at, sizeof(at), "%#" PRIx64, c->last.addr);
	return json_pack("{s:s, s:s, s:s, s:I, s:{s:s, s:s, s:s, s:i, s:s}}",
	                 "bdf", bdf_format(c->last.bdf, b), "guest", c->guest,
	                 "device", c->device, "count", (json_int_t)c->count,
	                 "last", "time", since, "kind",
	                 iommu_fault_kind_name(c->last.kind), "address", at,
	                 "reason", (int)c->last.reason, "text", c->last.words);
}

json_t *faults_json(const struct faults *all)
{
	json_t *list;

	if (!all->watched)
		return json_pack("{s:n, s:n, s:s}", "by-function", "lost",
		                 "unknown-because", all->why);
	list = json_array();
	for (size_t i = 0; i < all->n; i++)
		json_array_append_new(list, count_json(&all->f[i]));
	return json_pack("{s:o, s:I}", "by-function", list, "lost",
	                 (json_int_t)all->lost);
}

/* ---- the guest is told
 * ---------------------------------------------------------
 */

/* On a host with several segments a line that names none may mean another
 * function of the same number: no guest is to end for that. */
static const char *action_of(const struct faults *all, const struct lease *l,
                             const struct iommu_fault *f)
{
	const struct bdf b = f->bdf;

	if (all->segments && !f->segment)
		return "go-on";
	for (size_t i = 0; i < l->n; i++)
		if (bdf_equal(l->device[i].bdf, b) && *l->device[i].on_fault)
			return l->device[i].on_fault;
	return "go-on";
}

/* Who does not take it keeps its lease: that it cannot be told what its device
 * did is no reason to pull the device from it. */
static void tell(struct server *s, const struct client *c,
                 const struct fault_count *f, const char *text)
{
	json_t *doc = json_pack("{s:s, s:s, s:s, s:s}", "event", "dma-fault",
	                        "device", f->device, "action",
	                        action_of(&s->env->faults, c->lease, &f->last),
	                        "text", text);
	_cleanup_free_ char *out = json_dumps(doc, JSON_COMPACT);
	int r = out ? fd_send(c->fd, out, strlen(out), NULL, 0) : -ENOMEM;

	json_decref(doc);
	if (r < 0)
		log_line(s->env->log, LOG_LVL_WARN,
		         "guest %s cannot be told of its DMA fault: %s",
		         f->guest, strerror(-r));
}

static void report(struct server *s, struct fault_count *f)
{
	const struct client *c = client_holding(s, f->guest);
	char b[BDF_STRLEN], text[256];
	struct audit a;

	f->limit.interval_ns = TELL_INTERVAL_NS;
	f->limit.burst = 1;
	if (!ratelimit_pass(&f->limit, now_ns()))
		return;
	snprintf(text, sizeof(text),
	         "DMA fault of %s (%s of %s), at least %" PRIu64
	         " by now: %s at %#" PRIx64 ": %s",
	         bdf_format(f->last.bdf, b), *f->device ? f->device : "-",
	         *f->guest ? f->guest : "the host", f->count,
	         iommu_fault_kind_name(f->last.kind), f->last.addr,
	         f->last.words);
	audit_begin(&a, s->env->log, s->env->journal, AUDIT_FAULT, LOG_LVL_WARN,
	            "%s", text);
	audit_field(&a, "BDF", "%s", b);
	audit_field(&a, "GUEST", "%s", f->guest);
	audit_field(&a, "DEVICE", "%s", f->device);
	audit_send(&a);
	if (c)
		tell(s, c, f, text);
}

/* ---- the log
 * -------------------------------------------------------------------
 */

static void unwatch(struct server *s, int err)
{
	struct faults *all = &s->env->faults;

	all->watched = false;
	snprintf(all->why, sizeof(all->why), "/dev/kmsg: %s", strerror(-err));
	log_line(s->env->log, LOG_LVL_WARN, "DMA faults are not counted: %s",
	         all->why);
	if (s->kmsg >= 0)
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->kmsg, NULL);
	close_fd(&s->kmsg);
}

/* Functions behind Intel's VMD have segments from 0x10000 on, which no IOMMU
 * sees: they ask as the VMD. */
static bool several_segments(int root_fd)
{
	int fd = openat(root_fd, "sys/bus/pci/devices",
	                O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool several = false;
	struct bdf b;

	if (!dir) {
		close_fd(&fd);
		return false;
	}
	while ((e = readdir(dir)))
		several |= !bdf_parse(e->d_name, &b) && b.domain > 0 &&
		           b.domain < 0x10000;
	closedir(dir);
	return several;
}

void faults_open(struct server *s)
{
	int r = 0;

	s->env->faults.segments = several_segments(s->env->root_fd);

	s->kmsg_source = SOURCE_KMSG;
	s->kmsg = openat(s->env->root_fd, "dev/kmsg",
	                 O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (s->kmsg < 0)
		r = -errno;
	/* What was before us is nobody's of ours. */
	if (!r && lseek(s->kmsg, 0, SEEK_END) < 0 && errno != ESPIPE)
		r = -errno;
	if (!r)
		r = server_watch(s, s->kmsg, &s->kmsg_source);
	s->env->faults.watched = r == 0;
	if (r)
		unwatch(s, r);
}

/* False when nothing is left to read now. */
static bool read_record(struct server *s)
{
	struct faults *all = &s->env->faults;
	char buf[RECORD_MAX + 1];
	ssize_t n = read(s->kmsg, buf, RECORD_MAX);
	struct spoof_count spoof;
	struct iommu_fault f;

	if (n > 0) {
		buf[n] = '\0';
		if (faults_record(buf, &f))
			report(s, faults_note(all, &s->env->leases, &f,
			                      time(NULL)));
		else if (spoofs_record(buf, &spoof))
			spoofs_note(&s->env->spoofs, &spoof);
		return true;
	}
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0 && errno == EINTR)
		return true;
	/* Overwritten before they were read, or longer than any may be: the
	 * next read goes on behind them. */
	if (n < 0 && (errno == EPIPE || errno == EINVAL)) {
		all->lost++;
		return true;
	}
	unwatch(s, n < 0 ? -errno : -ENODATA);
	return false;
}

void faults_event(struct server *s)
{
	for (unsigned i = 0; i < RECORDS_AT_ONCE && s->kmsg >= 0; i++)
		if (!read_record(s))
			return;
}
