/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_SERVER_H
#define FL_NETD_SERVER_H

/* Shared by server.c (the loop), client.c (connections) and jobs.c (requests
 * under way). */

#include "netd/events.h"
#include "netd/priv.h"
#include "netd/reconcile.h"

#define CLIENTS_MAX 64
#define CLIENTS_UID_MAX 16 /* of one uid that is not root */
#define CLIENTS_ROOT 8     /* kept free for root */
#define IDLE_MS 30000u
#define DEAF_MS 500u

enum source { /* first member of all that epoll points at */
	SOURCE_LISTENER,
	SOURCE_SIGNALS,
	SOURCE_CLIENT,
	SOURCE_JOB,
	SOURCE_KMSG,
	SOURCE_RTNL,
	SOURCE_UEVENT,
	SOURCE_DEVLINK,
	SOURCE_TIMER, /* of events.c */
	SOURCE_FILE,  /* the same: who writes the policy file */
	SOURCE_CONFIRM,
	SOURCE_WATCHDOG,
};
#define ASKS_MAX 8
#define VMM_BODY_MAX (1u << 20)
/* A question to the VMM of a lease, open until it answers or ends. */
struct ask {
	uint64_t id; /* 0 = free entry */
	char verb[NETD_VERB_MAX], device[POL_NAME];
	struct client *asker; /* NULL: answered at the deadline, or gone */
	uint64_t deadline;
	json_t *reply; /* of the worker before an attach, NULL = none */
	/* Of a failover's detach (failover.h): "" = it is none. */
	char way[12];
	char function[BDF_STRLEN];
	struct asker who;
};
struct client {
	enum source source;
	int fd;
	struct peer peer;
	struct job *job;            /* its request under way */
	struct lease *lease;        /* what it holds */
	char loan[NETD_HOLDER_MAX]; /* the loan that ends with it */
	struct ask ask[ASKS_MAX];   /* of whoever has a lease */
	struct client *asking;      /* whose answer it waits for */
	uint64_t idle_since;
	bool dead;
	struct client *next;
};
enum job_state {
	JOB_WAITING, /* for its turn */
	JOB_RUNNING,
	JOB_STUCK, /* killed, but the kernel holds it; nobody waits for it */
};
struct job {
	enum source source;
	enum job_state state;
	const struct permit *permit;
	struct request req;
	struct peer peer;
	int policy_fd;
	struct client *client; /* NULL: netd's own, or gone */
	struct worker worker;
	uint64_t begun;
	struct job *next;
};
enum {
	EVENT_RTNL,
	EVENT_UEVENT,
	EVENT_DEVLINK,
	EVENT_SOCKETS,
};
struct event_socket {
	enum source source;
	int fd; /* -1 = is not heard */
};
struct events { /* events.c */
	struct event_socket sock[EVENT_SOCKETS];
	enum source timer_source;
	int timer;
	enum source file_source;
	int file;       /* inotify; -1 = there is no policy to reload */
	int top, many;  /* its watches (reload-watch.c); -1 = none */
	bool folder;    /* the policy is one */
	bool near;      /* `top` is above where it would be: it is not there */
	bool reload;    /* it has been written */
	uint64_t first; /* of those heard since the last look; 0 = none */
};
struct server {
	struct reconcile reconcile;
	struct events events;
	struct env *env;
	int epoll, listener, signals, lock, kmsg, watchdog, confirm;
	enum source listener_source, signals_source, kmsg_source,
		watchdog_source, confirm_source;
	uint64_t confirm_rang; /* the timer, CLOCK_BOOTTIME; 0 = not yet */
	struct client *clients;
	size_t n_clients;
	struct job *jobs; /* in the order of their arrival */
	struct job *changing;
	uint64_t last_ask;
	bool stopping;
	uint64_t deaf_until; /* no descriptor was left; 0 = listening */
	struct ratelimit noise;
};

/* server.c */
int server_watch(struct server *s, int fd, void *source);
/* Does not listen for DEAF_MS: whoever knocks would only be asked again and
 * again, until a descriptor is free. */
void server_deaf(struct server *s);

/* faults.c: opens the kernel's log, which wants CAP_SYSLOG. Without it all
 * else goes on. */
void faults_open(struct server *s);
void faults_event(struct server *s);

/* watchdog.c: a timer, where systemd wants to hear from the loop. */
_must_check_ int watchdog_open(struct server *s);
void notify_systemd(const char *state); /* where it asked for it */
void watchdog_event(struct server *s);

/* confirm-timer.c: rings when an apply is not confirmed in time. */
_must_check_ int confirm_open(struct server *s);
/* From the journal: when it begins, and when a change has ended. */
void confirm_set(struct server *s);
void confirm_event(struct server *s);

/* client.c */
void client_accept(struct server *s);
void client_event(struct server *s, struct client *c);
/* Sends; the client is dropped where it does not take it at once. */
void client_send(struct server *s, struct client *c, const char *text,
                 size_t len, const int *fds, size_t n);
/* The same without descriptors, as a memfd where it is long. */
void client_send_long(struct server *s, struct client *c, const char *text,
                      size_t len);
void client_refuse(struct server *s, struct client *c, const struct diag *d);
/* Marks it; it is freed when the batch of events is done. */
void client_drop(struct server *s, struct client *c);
/* Who has the guest's lease; NULL = nobody, or "" was asked for. */
struct client *client_holding(const struct server *s, const char *guest);
/* Has one that is there a loan of this name? For struct env. */
bool client_lives(const void *server, const char *holder);
void clients_drop_idle(struct server *s, uint64_t now);
void clients_free_dead(struct server *s);

/* ask.c */
/* detach and query: to the VMM, or refused. */
void ask_request(struct server *s, struct client *c, struct request *r);
/* What the worker opened for an attach goes to the VMM. `c` NULL: nobody
 * waits for it any more. */
void ask_attach(struct server *s, struct client *c, const struct request *r,
                const char *text, size_t len, const struct answer *a);
/* Takes the request's device out of the guest for a failover; with its way
 * "cycle" it is given again when it has gone. Negative: refused, nothing was
 * asked. */
_must_check_ int ask_take_out(struct server *s, struct client *c,
                              struct client *vmm, const struct request *r,
                              struct diag *d);
/* A message of the VMM; the descriptors are closed. */
void ask_heard(struct server *s, struct client *vmm, const char *buf,
               size_t len, int *fds, size_t n);
void ask_vmm_gone(struct server *s, struct client *vmm);
void ask_client_gone(struct client *c);
bool asks_waiting(const struct server *s);
void asks_deadlines(struct server *s, uint64_t now);

/* chores.c: netd's own work. What a guest has let go of is looked after, its
 * standby is told of it, its interrupts follow its vCPUs, its kernel is
 * decompressed for the next start. */
void chore_release(struct server *s, const char *guest, const char *device);
/* The same for a failover, on whose word. */
void chore_release_for(struct server *s, const char *guest,
                       const struct ask *a);
void chore_stand_in(struct server *s, const char *guest, const char *device);
void chore_follow(struct server *s, const char *guest, const json_t *state);
void chore_unlink(struct server *s, const char *guest);
void chore_unpack(struct server *s, const char *guest);
void chore_return(struct server *s, const char *holder);
/* The policy file; `now`: somebody said so. */
void chore_reload(struct server *s, bool now);
/* One is enough: it looks at all there is. False = one is under way, which may
 * have begun too early. */
bool chore_look(struct server *s);
void chore_reconcile(struct server *s);
/* What an earlier netd has left behind. */
void chore_tidy(struct server *s);
/* The worker of such a change is dead: what it left unfinished, if anything. */
void chore_recover(struct server *s, const struct permit *died);

/* jobs.c */
/* Takes policy_fd. `c` NULL: netd's own. */
void job_submit(struct server *s, struct client *c, const struct permit *p,
                const struct request *r, int policy_fd);
void job_event(struct server *s, struct job *j);
/* Its client has gone. */
void job_orphan(struct server *s, struct job *j);
/* Those of clients that have gone (of one uid, or NULL: of all) and that have
 * not ended: each still is a process. */
size_t jobs_left(const struct server *s, const uid_t *uid);
void jobs_deadlines(struct server *s, uint64_t now);
void jobs_close(struct server *s);

#endif
