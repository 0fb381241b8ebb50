/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be asked of a guest's VMM: docs/control.md, in its order. */

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vmm/control_priv.h"
#include "vmm/hotplug.h"
#include "vmm/stats.h"

#define NS_PER_MS 1000000ull
#define LOG_BYTES 16384u

struct call {
	struct control *c;
	struct peer *peer;
	const json_t *params;
	const json_t *id;
	struct diag diag; /* of RPC_REFUSED */
};
/* 0 and an answer in *ret (NULL = it comes later), or an rpc_error. */
typedef int method_fn(struct call *k, json_t **ret);

static int refuse(struct call *k, int err, const char *why, const char *mend)
{
	diag_fail(&k->diag, err, FL_VMM_CONTROL, "guest %s",
	          k->c->vm->cfg.name);
	diag_why(&k->diag, "%s", why);
	diag_mend(&k->diag, "%s", mend);
	return RPC_REFUSED;
}

static const char *state_name(const struct control *c)
{
	if (c->ending)
		return "ending";
	return c->vm->pause.on ? "paused" : "running";
}

static json_t *state(const struct call *k)
{
	return json_pack("{s:s}", "state", state_name(k->c));
}

/* ---- what it is, how it is ----------------------------------------------- */

static int do_version(struct call *k, json_t **ret)
{
	uint64_t wants;

	if (rpc_number(k->params, "protocol", UINT32_MAX, CONTROL_VERSION,
	               &wants) < 0)
		return RPC_PARAMS;
	if (wants != CONTROL_VERSION)
		return refuse(k, -EPROTONOSUPPORT,
		              "it speaks version 1 of the protocol",
		              "use the fairlead of the version that started "
		              "the guest");
	*ret = json_pack("{s:i, s:s, s:s, s:s}", "protocol", CONTROL_VERSION,
	                 "program", "fairlead-vmm", "version", FL_VERSION,
	                 "guest", k->c->vm->cfg.name);
	return 0;
}

static int do_status(struct call *k, json_t **ret)
{
	struct vm *vm = k->c->vm;
	json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:I, s:I}", "guest",
	                      vm->cfg.name, "state", state_name(k->c), "pid",
	                      (int)getpid(), "cpus", (int)vm->cfg.cpus,
	                      "memory", (json_int_t)vm->cfg.memory, "uptime_ns",
	                      (json_int_t)(now_ns() - vm->started_ns));

	json_object_set_new(o, "report", report_of(vm, "snapshot", "asked"));
	*ret = o;
	return 0;
}

static int do_counters(struct call *k, json_t **ret)
{
	bool describe;

	if (rpc_bool(k->params, "describe", false, &describe) < 0)
		return RPC_PARAMS;
	*ret = stats_of(k->c->vm, describe);
	return 0;
}

static int do_events(struct call *k, json_t **ret)
{
	if (rpc_bool(k->params, "on", true, &k->peer->events) < 0)
		return RPC_PARAMS;
	*ret = state(k);
	return 0;
}

/* ---- running and not running --------------------------------------------- */

static int no_dump(struct call *k)
{
	if (!k->c->dump && !k->c->vm->core)
		return 0;
	return refuse(k, -EBUSY, "its memory is being written to a file",
	              "wait for that; or end the connection that asked for it");
}

static int do_pause(struct call *k, json_t **ret)
{
	int r = no_dump(k);

	if (r == 0 && k->c->ending)
		r = refuse(k, -EBUSY, "it has been asked to stop",
		           "fairlead stop --now GUEST, to end it at once");
	if (r)
		return r;
	if (!k->c->vm->pause.on) {
		pause_begin(k->c->vm);
		control_event(k->c, "paused", NULL);
	}
	*ret = state(k);
	return 0;
}

static int do_resume(struct call *k, json_t **ret)
{
	int r = no_dump(k);

	if (r)
		return r;
	if (k->c->vm->pause.on) {
		pause_end(k->c->vm);
		control_event(k->c, "resumed", NULL);
	}
	*ret = state(k);
	return 0;
}

/* By the way that the guest's own takes, where the loop does it. */
static int do_reset(struct call *k, json_t **ret)
{
	int r = no_dump(k);

	if (r)
		return r;
	vm_request(k->c->vm, VM_REQ_RESET);
	*ret = state(k);
	return 0;
}

static int do_button(struct call *k, json_t **ret)
{
	power_button(k->c->vm);
	*ret = state(k);
	return 0;
}

/* Who sleeps hears no button: it is let go on for that. */
static int do_stop(struct call *k, json_t **ret)
{
	struct control *c = k->c;
	uint64_t grace, at;
	int r = no_dump(k);

	if (r)
		return r;
	if (rpc_number(k->params, "grace_ms", CONTROL_GRACE_MAX_MS,
	               CONTROL_GRACE_MS, &grace) < 0)
		return RPC_PARAMS;
	at = now_ns() + grace * NS_PER_MS;
	if (!c->kill_at || at < c->kill_at)
		c->kill_at = at;
	c->ending = true;
	if (c->vm->pause.on) {
		pause_end(c->vm);
		control_event(c, "resumed", NULL);
	}
	power_button(c->vm);
	*ret = state(k);
	return 0;
}

static int do_kill(struct call *k, json_t **ret)
{
	k->c->kill = k->c->ending = true;
	*ret = state(k);
	return 0;
}

/* ---- its memory ---------------------------------------------------------- */

/* A file system that anybody may mount, and whose writes wait for whoever
 * serves it: the loop would, and with it a device that the host wants back. */
static bool is_fuse(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) < 0 || s.f_type == FUSE_SUPER_MAGIC;
}

static int do_dump(struct call *k, json_t **ret)
{
	struct control *c = k->c;
	int r = no_dump(k);

	if (r)
		return r;
	if (k->peer->passed_fd < 0)
		return refuse(k, -EBADF, "no file came with the request",
		              "fairlead dump GUEST FILE");
	if (!k->peer->owner && is_fuse(k->peer->passed_fd))
		return refuse(k, -EOPNOTSUPP,
		              "the file is on FUSE, where who serves it could "
		              "keep the guest waiting",
		              "a file elsewhere; or as root");
	c->dump_resumes = !c->vm->pause.on;
	pause_begin(c->vm);
	if (dump_new(c->vm, TAKE_FD(k->peer->passed_fd), &c->dump, &k->diag) <
	    0) {
		if (c->dump_resumes)
			pause_end(c->vm);
		return RPC_REFUSED;
	}
	if (c->dump_resumes)
		control_event(c, "paused",
		              json_pack("{s:s}", "reason", "dump"));
	c->dump_peer = k->peer;
	c->dump_id = k->id ? json_deep_copy(k->id) : NULL;
	*ret = NULL;
	return 0;
}

void control_dump_drop(struct control *c)
{
	const uint64_t one = 1;

	if (!c->dump)
		return;
	dump_free(c->dump);
	c->dump = NULL;
	json_decref(c->dump_id);
	c->dump_id = NULL;
	c->dump_peer = NULL;
	/* What a vCPU asked for has waited. */
	(void)!write(c->vm->event_fd, &one, sizeof(one));
	if (c->dump_resumes && c->vm->pause.on) {
		pause_end(c->vm);
		control_event(c, "resumed", NULL);
	}
}

void control_dump_step(struct control *c)
{
	struct diag d;
	int r;

	if (!c->dump)
		return;
	r = dump_step(c->dump, &d);
	if (r > 0)
		return;
	if (r < 0)
		peer_say(c->dump_peer, rpc_refusal(c->dump_id, &d));
	else if (c->dump_id)
		peer_say(
			c->dump_peer,
			rpc_result(c->dump_id,
		                   json_pack("{s:I}", "bytes",
		                             (json_int_t)dump_bytes(c->dump))));
	control_dump_drop(c);
}

/* ---- its console --------------------------------------------------------- */

static uint64_t back_by(struct control *c, uint64_t bytes)
{
	uint64_t end = console_end(c->vm->console);

	return end - MIN(bytes, end);
}

static int do_attach(struct call *k, json_t **ret)
{
	struct peer *p = k->peer;
	uint64_t replay;
	bool read_only;

	if (rpc_number(k->params, "replay", CONSOLE_KEPT, 0, &replay) < 0 ||
	    rpc_bool(k->params, "read_only", false, &read_only) < 0)
		return RPC_PARAMS;
	p->at = back_by(k->c, replay);
	p->read_only = read_only;
	p->events = false;
	p->viewer = true;
	*ret = json_pack("{s:I}", "from", (json_int_t)p->at);
	return 0;
}

/* A JSON text is UTF-8; a console is what it is. */
static json_t *as_text(uint8_t *buf, size_t n)
{
	json_t *s;

	for (size_t i = 0; i < n; i++)
		if (!buf[i])
			buf[i] = '?';
	s = json_stringn((const char *)buf, n);
	for (size_t i = 0; !s && i < n; i++)
		if (buf[i] & 0x80)
			buf[i] = '?';
	return s ? s : json_stringn((const char *)buf, n);
}

static int do_log(struct call *k, json_t **ret)
{
	_cleanup_free_ uint8_t *buf = NULL;
	uint64_t bytes, at, lost;
	size_t n;

	if (rpc_number(k->params, "bytes", CONSOLE_KEPT, LOG_BYTES, &bytes) < 0)
		return RPC_PARAMS;
	buf = malloc(bytes + 1);
	if (!buf)
		return refuse(k, -ENOMEM, strerror(ENOMEM), "ask for less");
	at = back_by(k->c, bytes);
	n = console_look(k->c->vm->console, &at, buf, bytes, &lost);
	*ret = json_pack("{s:I, s:o}", "from", (json_int_t)at, "text",
	                 as_text(buf, n));
	return 0;
}

/* What this process said itself, where it is the one that keeps it. */
static int do_words(struct call *k, json_t **ret)
{
	_cleanup_free_ char *text = NULL;

	if (!textring_is(STDERR_FILENO))
		return refuse(k, -ENOENT,
		              "its messages go where it was started",
		              "look there; or `fairlead up`");
	if (textring_read(STDERR_FILENO, &text) < 0)
		return refuse(k, -ENOMEM, strerror(ENOMEM), "try again");
	*ret = json_pack("{s:o}", "text",
	                 as_text((uint8_t *)text, strlen(text)));
	return 0;
}

/* ---- devices ------------------------------------------------------------- */

#define DETACH_MS 10000u

/* As netd's order (netd/netd-proto.h), with one descriptor at most. */
static int do_plug(struct call *k, json_t **ret)
{
	int *fd = &k->peer->passed_fd;
	struct plug p;

	if (plug_parse(k->params, fd, *fd >= 0, &p) < 0)
		return RPC_PARAMS;
	if (!p.kind)
		return RPC_PARAMS;
	*ret = json_pack("{s:s, s:i}", "device", p.name, "slot", (int)p.slot);
	if (hotplug_plug(k->c->vm->hotplug, &p, &k->diag) == 0)
		return 0;
	json_decref(*ret);
	*ret = NULL;
	return RPC_REFUSED;
}

static int do_unplug(struct call *k, json_t **ret)
{
	const json_t *name = json_object_get(k->params, "device");
	uint64_t ms;

	if (!json_is_string(name) ||
	    rpc_number(k->params, "deadline_ms", CONTROL_GRACE_MAX_MS,
	               DETACH_MS, &ms) < 0)
		return RPC_PARAMS;
	if (hotplug_unplug(k->c->vm->hotplug, json_string_value(name), ms,
	                   &k->diag) < 0)
		return RPC_REFUSED;
	*ret = state(k);
	return 0;
}

/* ---- by name ------------------------------------------------------------- */

static const struct {
	const char *name;
	method_fn *fn;
} methods[] = {
	{ "version", do_version },
	{ "status", do_status },
	{ "counters", do_counters },
	{ "events", do_events },
	{ "pause", do_pause },
	{ "resume", do_resume },
	{ "reset", do_reset },
	{ "powerbutton", do_button },
	{ "stop", do_stop },
	{ "kill", do_kill },
	{ "dump", do_dump },
	{ "device.attach", do_plug },
	{ "device.detach", do_unplug },
	{ "console.attach", do_attach },
	{ "console.log", do_log },
	{ "log", do_words },
};

static method_fn *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, name))
			return methods[i].fn;
	return NULL;
}

static const char *error_text(int error)
{
	switch (error) {
	case RPC_PARSE:
		return "not JSON";
	case RPC_INVALID:
		return "not a request: jsonrpc 2.0, method, id";
	case RPC_METHOD:
		return "no such method";
	default:
		return "a parameter of the wrong kind or out of range";
	}
}

/* A notification is done, and nobody hears how it went: JSON-RPC 2.0, 4.1. What
 * is no request at all is answered even so. */
static void answer(struct call *k, int error, json_t *result)
{
	bool heard = k->id || error == RPC_PARSE || error == RPC_INVALID;

	if (!heard)
		json_decref(result);
	else if (error == RPC_REFUSED)
		peer_say(k->peer, rpc_refusal(k->id, &k->diag));
	else if (error)
		peer_say(k->peer, rpc_error(k->id, error, error_text(error)));
	else if (result)
		peer_say(k->peer, rpc_result(k->id, result));
}

void control_request(struct control *c, struct peer *p, const char *line,
                     size_t len)
{
	struct rpc_request r;
	int error = rpc_parse(line, len, &r);
	struct call k = { .c = c, .peer = p, .params = r.params, .id = r.id };
	method_fn *fn = error ? NULL : find(r.method);
	json_t *result = NULL;

	if (fn)
		error = fn(&k, &result);
	else if (!error)
		error = RPC_METHOD;
	answer(&k, error, result);
	/* What was sent with it was for it. */
	close_fd(&p->passed_fd);
	rpc_free(&r);
}
