/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What running guests are asked, and what they say by themselves.
 *
 *     client            main                          VMM (has the lease)
 *     attach ---------> job: worker opens
 *                       lease grows, event ---------> takes the descriptors
 *     reply <---------- <------------------------- done
 *     detach ---------> event ----------------------> asks its guest
 *     reply <---------- lease shrinks <------------ done
 *                       job: "release" of the device
 *
 * The VMM is not trusted with more than its own lease: what it says can end a
 * part of that, and nothing else. It is never waited for: a deadline answers
 * the client, and the question stays open, so that a late answer still counts.
 * Devices that the VMM itself is are attached and detached the same way; for
 * them there is no "release".
 * A function is in the lease from before the VMM has it until the VMM says
 * that it has let go. So silence loses nothing; at worst a device is called
 * leased that is not, until that guest ends.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/failover.h"

#define ATTACH_MS 20000u
#define DETACH_MS 10000u /* the guest's; then it is forced */
#define SETTLE_MS 8000u  /* for what must be done after it */
#define QUERY_MS 5000u

/* ---- who ----------------------------------------------------------------- */

static void ask_clear(struct ask *a)
{
	json_decref(a->reply);
	*a = (struct ask){ .id = 0 };
}

/* A free entry; else one whose client has given up. */
static struct ask *ask_slot(struct client *vmm)
{
	struct ask *old = NULL;

	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask *a = &vmm->ask[i];

		if (!a->id)
			return a;
		if (!a->asker && (!old || a->id < old->id))
			old = a;
	}
	if (old)
		ask_clear(old);
	return old;
}

static struct ask *ask_find(struct client *vmm, uint64_t id)
{
	for (size_t i = 0; id && i < ASKS_MAX; i++)
		if (vmm->ask[i].id == id)
			return &vmm->ask[i];
	return NULL;
}

static bool ask_open(const struct client *vmm, const char *device)
{
	for (size_t i = 0; i < ASKS_MAX; i++)
		if (vmm->ask[i].id && !strcmp(vmm->ask[i].device, device))
			return true;
	return false;
}

/* ---- answers ------------------------------------------------------------- */

/* The one who asked, who is free to ask anew then; NULL = has gone. */
static struct client *let_go(struct ask *a)
{
	struct client *c = a->asker;

	a->asker = NULL;
	if (!c)
		return NULL;
	c->asking = NULL;
	c->idle_since = now_ns();
	return c;
}

static void refuse_asker(struct server *s, struct ask *a, const struct diag *d)
{
	struct client *c = let_go(a);

	if (ratelimit_pass(&s->noise, now_ns()))
		log_diag(s->env->log, LOG_LVL_WARN, d);
	if (c)
		client_refuse(s, c, d);
}

/* Takes `doc`. */
static void answer_asker(struct server *s, struct ask *a, json_t *doc)
{
	struct client *c = let_go(a);
	_cleanup_free_ char *text = NULL;

	json_object_set_new(doc, "version", json_integer(NETD_PROTO_VERSION));
	if (json_object_get(a->reply, "warnings"))
		json_object_set(doc, "warnings",
		                json_object_get(a->reply, "warnings"));
	if (json_object_get(a->reply, "instead"))
		json_object_set(doc, "instead",
		                json_object_get(a->reply, "instead"));
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (!c)
		return;
	if (text)
		client_send_long(s, c, text, strlen(text));
	else
		client_drop(s, c);
}

static int no_answer(struct diag *d, const struct ask *a, int err,
                     const char *guest, const char *why)
{
	diag_fail(d, err, FL_NETD_VMM, "guest %s: %s%s%s: no answer", guest,
	          a->verb, *a->device ? " " : "", a->device);
	diag_why(d, "%s", why);
	diag_mend(d, "nothing was lost: see `fairlead status` for what the "
	             "guest has, then try again");
	return err;
}

/* Of what a VMM itself is nothing is left to be looked after: it went with its
 * descriptors. */
static void take_away(struct server *s, struct client *vmm, const char *device,
                      const struct ask *a)
{
	bool own = lease_has_own(vmm->lease, device);

	if (!lease_has(vmm->lease, device))
		return;
	lease_less(vmm->lease, device);
	if (own)
		chore_unlink(s, vmm->lease->guest);
	else if (a && *a->way)
		chore_release_for(s, vmm->lease->guest, a);
	else
		chore_release(s, vmm->lease->guest, device);
}

/* ---- questions ----------------------------------------------------------- */

static int busy(struct diag *d, const char *guest, const char *device)
{
	diag_fail(d, -EBUSY, FL_NETD_VMM, "guest %s is busy", guest);
	if (*device)
		diag_why(d, "it has not answered about %s yet", device);
	else
		diag_why(d, "it has %d questions to answer", ASKS_MAX);
	diag_mend(d, "wait, then try again; `fairlead status` shows what it "
	             "has");
	return -EBUSY;
}

/* Takes `event`. The descriptors stay the caller's. */
static int put_event(struct client *vmm, json_t *event, const int *fds,
                     size_t n)
{
	_cleanup_free_ char *text = json_dumps(event, JSON_COMPACT);

	json_decref(event);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > NETD_MSG_MAX)
		return -EMSGSIZE;
	/* One that does not read keeps its lease. */
	return fd_send(vmm->fd, text, strlen(text), fds, n);
}

/* Takes `event`, which gets the id. */
static int ask(struct server *s, struct client *c, struct client *vmm,
               const struct request *r, json_t *event, const struct answer *a,
               unsigned ms, struct diag *d)
{
	struct ask *q = ask_slot(vmm);
	int e;

	if (!q) {
		json_decref(event);
		return busy(d, r->guest, "");
	}
	*q = (struct ask){ .id = ++s->last_ask,
		           .asker = c,
		           .deadline = now_ns() + ms * 1000000ull };
	snprintf(q->verb, sizeof(q->verb), "%s", r->verb);
	snprintf(q->device, sizeof(q->device), "%s", r->device);
	json_object_set_new(event, "event", json_string(r->verb));
	json_object_set_new(event, "id", json_integer((json_int_t)q->id));
	e = put_event(vmm, event, a ? a->fd : NULL, a ? a->n_fds : 0);
	if (e < 0) {
		no_answer(d, q, e, r->guest,
		          e == -EAGAIN ? "it does not read its messages"
		                       : strerror(-e));
		ask_clear(q);
		return e;
	}
	if (c)
		c->asking = vmm;
	return 0;
}

static int has_none(struct diag *d, const struct lease *l, const char *device)
{
	const char *names[LEASE_DEVICES_MAX + LEASE_OWN_MAX], *near;
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		names[n++] = l->device[i].name;
	for (size_t i = 0; i < l->n_own; i++)
		names[n++] = l->own[i].name;
	near = nearest_word(device, names, n);
	diag_fail(d, -ENOENT, FL_NETD_DEVICE, "guest %s has no %s", l->guest,
	          device);
	if (near)
		diag_mend(d, "did you mean \"%s\"?", near);
	else
		diag_mend(d, "see `fairlead status` for what it has");
	return -ENOENT;
}

/* All functions of a slot go together, whichever is named. */
static int ask_detach(struct server *s, struct client *c, struct client *vmm,
                      struct request *r, struct diag *d)
{
	unsigned ms = r->now ? 0 : DETACH_MS;

	/* But a standby is one of its own. */
	if (!lease_has_own(vmm->lease, r->device))
		r->device[strcspn(r->device, ":")] = '\0';
	if (!lease_has(vmm->lease, r->device))
		return has_none(d, vmm->lease, r->device);
	if (ask_open(vmm, r->device))
		return busy(d, r->guest, r->device);
	return ask(
		s, c, vmm, r,
		json_pack("{s:s, s:i}", "device", r->device, "deadline_ms", ms),
		NULL, ms + SETTLE_MS, d);
}

int ask_take_out(struct server *s, struct client *c, struct client *vmm,
                 const struct request *r, struct diag *d)
{
	struct request out = *r;
	struct ask *a;
	int e;

	snprintf(out.verb, sizeof(out.verb), "detach");
	e = ask_detach(s, c, vmm, &out, d);
	if (e)
		return e;
	a = ask_find(vmm, s->last_ask);
	memcpy(a->way, r->way, sizeof(a->way));
	memcpy(a->function, r->function, sizeof(a->function));
	a->who = r->who;
	return 0;
}

void ask_request(struct server *s, struct client *c, struct request *r)
{
	struct client *vmm = client_holding(s, r->guest);
	struct diag d = { 0 };
	int e;

	if (!vmm)
		e = lease_none(r->guest, &d);
	else if (!strcmp(r->verb, "detach"))
		e = ask_detach(s, c, vmm, r, &d);
	else if (!strcmp(r->verb, "failover"))
		e = failover_begin(s, c, vmm, r, &d);
	else
		e = ask(s, c, vmm, r, json_object(), NULL, QUERY_MS, &d);
	if (e < 0)
		client_refuse(s, c, &d);
}

/* The worker's reply as the event. */
static json_t *attach_event(const json_t *reply)
{
	static const char *const keys[] = { "devices", "fds",  "backend",
		                            "disks",   "nics", "vsock",
		                            "rng" };
	json_t *event = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *v = json_object_get(reply, keys[i]);

		if (v)
			json_object_set(event, keys[i], v);
	}
	return event;
}

static int forward(struct server *s, struct client *c, const struct request *r,
                   json_t *reply, const struct answer *a, struct diag *d)
{
	struct client *vmm = client_holding(s, r->guest);
	int e;

	if (!vmm)
		return lease_none(r->guest, d);
	if (ask_open(vmm, r->device))
		return busy(d, r->guest, r->device);
	e = lease_more(vmm->lease, reply);
	if (e < 0) {
		diag_fail(d, e, FL_NETD_DEVICE, "guest %s has no room for %s",
		          r->guest, r->device);
		diag_mend(d, "fairlead detach %s DEVICE: one it can spare",
		          r->guest);
		return e;
	}
	e = ask(s, c, vmm, r, attach_event(reply), a, ATTACH_MS, d);
	if (e < 0)
		lease_less(vmm->lease, r->device);
	else
		ask_find(vmm, s->last_ask)->reply = json_incref(reply);
	return e;
}

void ask_attach(struct server *s, struct client *c, const struct request *r,
                const char *text, size_t len, const struct answer *a)
{
	json_t *reply = json_loadb(text, len, 0, NULL);
	struct diag d = { 0 };
	int e = reply ? forward(s, c, r, reply, a, &d) : -ENOMEM;

	json_decref(reply);
	if (e < 0 && c)
		client_refuse(s, c, &d);
}

/* ---- what the VMM says --------------------------------------------------- */

static void nonsense(struct server *s, const struct client *vmm)
{
	if (ratelimit_pass(&s->noise, now_ns()))
		log_line(s->env->log, LOG_LVL_WARN,
		         "guest %s (pid %d) says what is not understood",
		         vmm->lease->guest, vmm->peer.pid);
}

/* The VMM's own words, bounded; they go to whoever asked. */
static void its_refusal(const json_t *error, const struct client *vmm,
                        const struct ask *a, struct diag *d)
{
	json_int_t code = json_integer_value(json_object_get(error, "code"));
	json_int_t err = json_integer_value(json_object_get(error, "errno"));
	const struct {
		const char *key;
		char *to;
	} texts[] = { { "what", d->what },
		      { "why", d->why },
		      { "mend", d->mend } };

	diag_fail(d, err > 0 && err < 4096 ? -(int)err : -EIO,
	          code > 0 && code < 10000 ? (int)code : FL_NETD_VMM,
	          "guest %s: %s %s was refused", vmm->lease->guest, a->verb,
	          a->device);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *s =
			json_string_value(json_object_get(error, texts[i].key));

		if (s && *s)
			snprintf(texts[i].to, DIAG_LINE, "%s", s);
		for (char *p = texts[i].to; *p; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				*p = '?';
	}
}

static void done(struct server *s, struct client *vmm, struct ask *a,
                 const json_t *o)
{
	bool ok = json_is_true(json_object_get(o, "ok"));
	bool attach = !strcmp(a->verb, "attach");
	struct diag d = { 0 };

	/* The guest's first device brought its address space along. */
	if (attach && ok)
		lease_backend(vmm->lease, a->reply);
	/* Attached: it is in the lease already. */
	if (attach != ok)
		take_away(s, vmm, a->device, a);
	log_line(s->env->log, LOG_LVL_INFO, "guest %s: %s %s: %s",
	         vmm->lease->guest, a->verb, a->device,
	         ok ? "done" : "refused");
	if (ok && !strcmp(a->way, "cycle")) {
		failover_back(s, let_go(a), vmm->lease->guest, a);
	} else if (ok) {
		answer_asker(
			s, a,
			json_pack("{s:b, s:s, s:s, s:b}", "ok", 1, "guest",
		                  vmm->lease->guest, "device", a->device,
		                  "forced",
		                  json_is_true(json_object_get(o, "forced"))));
	} else {
		its_refusal(json_object_get(o, "error"), vmm, a, &d);
		refuse_asker(s, a, &d);
	}
	ask_clear(a);
}

static void state(struct server *s, struct client *vmm, struct ask *a,
                  json_t *o)
{
	json_t *doc = json_copy(o);

	json_object_del(doc, "event");
	json_object_del(doc, "id");
	json_object_set_new(doc, "ok", json_true());
	json_object_set_new(doc, "guest", json_string(vmm->lease->guest));
	chore_follow(s, vmm->lease->guest, doc);
	answer_asker(s, a, doc);
	ask_clear(a);
}

/* The guest's driver has let go; the device is still the guest's. */
static void dark(struct server *s, const struct client *vmm, const json_t *o)
{
	const char *device = json_string_value(json_object_get(o, "device"));

	if (device && lease_has(vmm->lease, device))
		chore_stand_in(s, vmm->lease->guest, device);
	else
		nonsense(s, vmm);
}

static void gone(struct server *s, struct client *vmm, const json_t *o)
{
	const char *device = json_string_value(json_object_get(o, "device"));
	const char *reason = json_string_value(json_object_get(o, "reason"));

	if (!device || !lease_has(vmm->lease, device)) {
		/* Companions are told of one by one; they went with the
		 * first. */
		if (!device || !strchr(device, ':'))
			nonsense(s, vmm);
		return;
	}
	/* The name is one of ours; the reason is one of a few words. */
	log_line(s->env->log, LOG_LVL_WARN, "guest %s has let go of %s: %s",
	         vmm->lease->guest, device,
	         reason && (!strcmp(reason, "host") ||
	                    !strcmp(reason, "error") ||
	                    !strcmp(reason, "control") ||
	                    !strcmp(reason, "guest"))
	                 ? reason
	                 : "unknown reason");
	/* The host has just taken it from VFIO: it would be bound to it again.
	 * Whoever attaches it next has it looked after then. */
	if (reason && !strcmp(reason, "host")) {
		chore_stand_in(s, vmm->lease->guest, device);
		lease_less(vmm->lease, device);
	} else {
		take_away(s, vmm, device, NULL);
	}
}

static bool is(const json_t *o, const char *event)
{
	const char *name = json_string_value(json_object_get(o, "event"));

	return name && !strcmp(name, event);
}

static void heard(struct server *s, struct client *vmm, json_t *o)
{
	json_int_t id = json_integer_value(json_object_get(o, "id"));
	struct ask *a = id > 0 ? ask_find(vmm, (uint64_t)id) : NULL;
	bool query = a && !strcmp(a->verb, "query");
	bool ok = json_is_true(json_object_get(o, "ok"));

	/* A query is answered by a state, or refused. */
	if (is(o, "gone"))
		gone(s, vmm, o);
	else if (is(o, "dark"))
		dark(s, vmm, o);
	else if (a && is(o, "done") && (!query || !ok))
		done(s, vmm, a, o);
	else if (a && is(o, "state") && query)
		state(s, vmm, a, o);
	else
		nonsense(s, vmm);
}

/* A long message's memfd, sealed: it neither blocks nor changes. */
static json_t *read_body(int fd)
{
	static const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
	int have = fcntl(fd, F_GET_SEALS);
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (have < 0 || (have & seals) != seals ||
	    fd_read_file(fd, VMM_BODY_MAX, &text, &len) < 0)
		return NULL;
	return json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
}

void ask_heard(struct server *s, struct client *vmm, const char *buf,
               size_t len, int *fds, size_t n)
{
	json_t *o = json_loadb(buf, len, JSON_REJECT_DUPLICATES, NULL);
	const char *body = json_string_value(json_object_get(o, "body"));

	if (body && !strcmp(body, "memfd") && n) {
		json_decref(o);
		o = read_body(fds[0]);
	}
	while (n)
		close_fd(&fds[--n]);
	if (json_is_object(o))
		heard(s, vmm, o);
	else
		nonsense(s, vmm);
	json_decref(o);
}

/* ---- ends ---------------------------------------------------------------- */

void ask_vmm_gone(struct server *s, struct client *vmm)
{
	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask *a = &vmm->ask[i];
		struct diag d = { 0 };

		if (!a->id)
			continue;
		if (a->asker) {
			no_answer(&d, a, -ECONNRESET, vmm->lease->guest,
			          "the guest has ended");
			refuse_asker(s, a, &d);
		}
		ask_clear(a);
	}
}

void ask_client_gone(struct client *c)
{
	for (size_t i = 0; c->asking && i < ASKS_MAX; i++)
		if (c->asking->ask[i].asker == c)
			c->asking->ask[i].asker = NULL;
	c->asking = NULL;
}

bool asks_waiting(const struct server *s)
{
	for (const struct client *c = s->clients; c; c = c->next)
		if (c->asking)
			return true;
	return false;
}

void asks_deadlines(struct server *s, uint64_t now)
{
	for (struct client *c = s->clients; c; c = c->next)
		for (size_t i = 0; !c->dead && c->lease && i < ASKS_MAX; i++) {
			struct ask *a = &c->ask[i];
			struct diag d = { 0 };

			if (!a->asker || now < a->deadline)
				continue;
			no_answer(&d, a, -ETIMEDOUT, c->lease->guest,
			          "its VMM did not answer in time");
			refuse_asker(s, a, &d);
		}
}
