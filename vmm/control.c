/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: who comes, who goes, and each one's turn. control.h has
 * the whole of it.
 *
 * Order of a pass: who comes; each peer's bytes, one request of it, its part of
 * the console; then who is done is let go. A dump goes on by a slice, and a
 * guest that was asked to stop, and has not, ends when its time is over.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/control_priv.h"

#define NS_PER_MS 1000000ull
#define SLICES 16
#define GROUPS_MAX 256

/* ---- making -------------------------------------------------------------- */

/* The group that the file's mode lets in: seen before the sandbox, or never. */
static gid_t group_of(int fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(a) - 1;
	struct stat st;

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0 ||
	    a.sun_family != AF_UNIX || !a.sun_path[0] ||
	    stat(a.sun_path, &st) < 0)
		return (gid_t)-1;
	return st.st_gid;
}

int control_new(struct vm *vm, struct control **ret, struct diag *d)
{
	int fd = vm->cfg.control_fd, r;
	struct control *c;

	*ret = NULL;
	if (fd < 0)
		return 0;
	c = calloc(1, sizeof(*c));
	r = !c ? -ENOMEM : fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (r < 0) {
		free(c);
		diag_fail(d, r, FL_VMM_CONTROL, "the control socket");
		diag_why(d, "%s", strerror(-r));
		diag_mend_else(d, "start guests with: fairlead run GUEST");
		return r;
	}
	c->vm = vm;
	c->own = getuid();
	c->group = group_of(fd);
	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		peer_init(&c->peer[i], -1);
	*ret = c;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	c->dump_resumes = false;
	control_dump_drop(c);
	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		peer_close(&c->peer[i]);
	free(c);
}

/* ---- coming -------------------------------------------------------------- */

/* Where the file cannot be seen from here, the kernel's check of its mode, at
 * connect(), is the only one. */
bool control_may(const struct control *c, uid_t uid, const gid_t *groups,
                 size_t n)
{
	if (!uid || uid == c->own || c->group == (gid_t)-1)
		return true;
	for (size_t i = 0; i < n; i++)
		if (groups[i] == c->group)
			return true;
	return false;
}

static bool may(const struct control *c, int fd, bool *ret_owner)
{
	gid_t groups[GROUPS_MAX + 1];
	socklen_t len = GROUPS_MAX * sizeof(gid_t);
	struct ucred who;
	socklen_t who_len = sizeof(who);
	size_t n = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_len) < 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		n = len / sizeof(gid_t);
	groups[n++] = who.gid;
	*ret_owner = !who.uid || who.uid == c->own;
	return control_may(c, who.uid, groups, n);
}

/* One whose place an owner may have; NULL = none. */
static struct peer *lesser(struct control *c)
{
	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		if (!c->peer[i].owner && c->dump_peer != &c->peer[i])
			return &c->peer[i];
	return NULL;
}

/* A place; one that only holds what nobody reads has to go for it, and for an
 * owner anybody else. */
static struct peer *place(struct control *c, bool owner)
{
	struct peer *p = owner ? lesser(c) : NULL;

	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		if (c->peer[i].fd < 0)
			return &c->peer[i];
	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		if (c->peer[i].closing && c->dump_peer != &c->peer[i]) {
			peer_close(&c->peer[i]);
			return &c->peer[i];
		}
	if (p) {
		peer_say(p, rpc_error(NULL, RPC_REFUSED,
		                      "the place was needed by root, or by who "
		                      "runs the guest"));
		peer_close(p);
	}
	return p;
}

/* It fits into a socket that is new. */
static void send_away(int fd, const char *why)
{
	struct peer p;

	peer_init(&p, fd);
	peer_say(&p, rpc_error(NULL, RPC_REFUSED, why));
	peer_close(&p);
}

static void greet(struct control *c)
{
	int fd = accept4(c->vm->cfg.control_fd, NULL, NULL,
	                 SOCK_CLOEXEC | SOCK_NONBLOCK);
	bool owner = false;
	struct peer *p;

	if (fd < 0)
		return;
	if (!may(c, fd, &owner)) {
		send_away(fd, "this guest is not yours: be root, the account "
		              "that runs it, or of its socket's group");
		return;
	}
	p = place(c, owner);
	if (p) {
		peer_init(p, fd);
		p->owner = owner;
	} else {
		send_away(fd, "16 others are connected already");
	}
}

/* ---- the console before viewers ------------------------------------------ */

static void show(struct control *c, struct peer *p)
{
	uint8_t buf[4096];

	/* Not for ever: a guest may say more than can be read. */
	for (unsigned i = 0; i < SLICES && !peer_behind(p); i++) {
		uint64_t lost;
		size_t n = console_look(c->vm->console, &p->at, buf,
		                        sizeof(buf), &lost);
		ssize_t done;

		if (lost) {
			char text[80];

			snprintf(
				text, sizeof(text),
				"\r\n[%llu bytes of the console were lost]\r\n",
				(unsigned long long)lost);
			p->lost += lost;
			peer_text(p, text);
			peer_write(p);
			continue;
		}
		done = n ? write(p->fd, buf, n) : 0;
		if (done < 0 && errno != EAGAIN && errno != EINTR)
			p->closing = true;
		if (done <= 0)
			return;
		p->at += (uint64_t)done;
	}
}

static void type(struct control *c, struct peer *p)
{
	size_t n = p->in_len;

	if (!n)
		return;
	if (!p->read_only)
		n = console_type(c->vm->console, (const uint8_t *)p->in, n);
	peer_drop(p, n);
}

/* ---- a pass -------------------------------------------------------------- */

static bool has_request(const struct peer *p)
{
	return p->fd >= 0 && !p->viewer && !p->closing && peer_line(p);
}

/* What was typed can be taken now. */
static bool can_type(const struct control *c, const struct peer *p)
{
	return p->read_only || console_room(c->vm->console);
}

static short wants(const struct control *c, const struct peer *p)
{
	bool reads = !p->eof && !p->closing;
	bool writes = peer_behind(p);

	if (p->viewer) {
		reads &= !p->in_len && can_type(c, p);
		writes |= p->at != console_end(c->vm->console);
	} else {
		reads &= !peer_line(p);
	}
	return (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

unsigned control_prepare(struct control *c, struct pollfd *p)
{
	if (!c)
		return 0;
	p[0] = (struct pollfd){ .fd = c->vm->cfg.control_fd, .events = POLLIN };
	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		p[1 + i] = (struct pollfd){
			.fd = c->peer[i].fd,
			.events = wants(c, &c->peer[i]),
		};
	return CONTROL_POLLS;
}

static void one_request(struct control *c, struct peer *p)
{
	size_t n = peer_line(p);

	if (n == SIZE_MAX) {
		peer_say(p, rpc_error(NULL, RPC_INVALID,
		                      "a line of more than 65536 bytes"));
		p->closing = true;
	} else if (n) {
		control_request(c, p, p->in, n);
		peer_drop(p, n);
	}
}

/* `left`: nobody reads any more, or ever types again. */
static bool is_done(const struct control *c, const struct peer *p, bool left)
{
	if (left && (p->viewer || c->dump_peer == p))
		return true;
	if (peer_behind(p))
		return false;
	if (p->closing)
		return true;
	return p->eof && (p->viewer || !peer_line(p)) && c->dump_peer != p;
}

static void serve_peer(struct control *c, struct peer *p, short events)
{
	/* What it has said before is done even so. */
	bool left = events & (POLLERR | POLLNVAL | POLLHUP);

	if (events & POLLIN)
		peer_read(p);
	if (has_request(p))
		one_request(c, p);
	if (peer_behind(p))
		peer_write(p);
	if (p->viewer && !p->closing && !left) {
		type(c, p);
		show(c, p);
	}
	if (!is_done(c, p, left))
		return;
	if (c->dump_peer == p)
		control_dump_drop(c);
	peer_close(p);
}

bool control_serve(struct control *c, const struct pollfd *p)
{
	if (!c)
		return false;
	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		if (c->peer[i].fd >= 0)
			serve_peer(c, &c->peer[i], p[1 + i].revents);
	/* After them: what was found was of those that were there before. */
	if (p[0].revents & POLLIN)
		greet(c);
	control_dump_step(c);
	return c->kill || (c->kill_at && now_ns() >= c->kill_at);
}

int control_wait_ms(const struct control *c)
{
	uint64_t now;

	if (!c)
		return -1;
	if (c->dump || c->kill)
		return 0;
	for (unsigned i = 0; i < CONTROL_PEERS; i++) {
		const struct peer *p = &c->peer[i];

		if (has_request(p) ||
		    (p->viewer && p->in_len && can_type(c, p)))
			return 0;
	}
	if (!c->kill_at)
		return -1;
	now = now_ns();
	return now >= c->kill_at ? 0
	                         : (int)((c->kill_at - now) / NS_PER_MS + 1);
}

bool control_holds(const struct control *c)
{
	return c && c->dump;
}

/* ---- what happens -------------------------------------------------------- */

void control_event(struct control *c, const char *event, json_t *params)
{
	for (unsigned i = 0; c && i < CONTROL_PEERS; i++)
		if (c->peer[i].fd >= 0 && c->peer[i].events)
			peer_say(&c->peer[i],
			         rpc_event(event, json_deep_copy(params)));
	json_decref(params);
}

void control_device(struct control *c, const char *event, const char *device,
                    const char *reason)
{
	if (c)
		control_event(c, event,
		              json_pack("{s:s, s:s}", "device", device,
		                        "reason", reason));
}

void control_was_reset(struct control *c)
{
	if (c)
		control_event(c, "reset", NULL);
}

void control_end(struct control *c, const char *reason)
{
	if (!c || c->ended)
		return;
	c->ended = true;
	control_event(c, "ended", json_pack("{s:s}", "reason", reason));
	/* The last that the guest said, too. */
	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		if (c->peer[i].fd >= 0 && c->peer[i].viewer)
			show(c, &c->peer[i]);
}
