/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of detach and attach a failover is; failover.h has the order. */

#include <stdio.h>
#include <string.h>

#include "netd/failover.h"

static int no_standby(struct diag *d, const char *guest, const char *nic)
{
	diag_fail(d, -ENOTSUP, FL_NETD_FAILOVER,
	          "guest %s: nic %s has no standby", guest, nic);
	diag_why(d, "without its VF the guest would have no network there");
	diag_mend(d,
	          "add `failover: { backend: vhost, bridge: BRIDGE }` to the "
	          "nic, and start the guest anew; or, to do it all the same: "
	          "fairlead detach %s %s",
	          guest, nic);
	return -ENOTSUP;
}

static int no_such_way(struct diag *d, const char *way)
{
	diag_fail(d, -EPROTO, FL_NETD_REQUEST, "failover: no way \"%s\"", way);
	diag_why(d, "there are cycle, to-standby and back");
	diag_mend(d, "use the fairlead and fairlead-netd of one version");
	return -EPROTO;
}

/* Nothing is to be done. */
static void answer(struct server *s, struct client *c, const struct request *r)
{
	json_t *doc = json_pack("{s:i, s:b, s:s, s:s, s:b}", "version",
	                        NETD_PROTO_VERSION, "ok", 1, "guest", r->guest,
	                        "device", r->device, "already", 1);
	_cleanup_free_ char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	json_decref(doc);
	if (text)
		client_send(s, c, text, strlen(text), NULL, 0);
	else
		client_drop(s, c);
}

static void give_back(struct server *s, struct client *c, struct request *r)
{
	snprintf(r->verb, sizeof(r->verb), "attach");
	snprintf(r->way, sizeof(r->way), "back");
	/* The guest goes on as it is: on its standby. */
	if (!s->stopping)
		job_submit(s, c, permit_find(r->verb), r, -1);
	else if (c)
		client_drop(s, c);
}

void failover_back(struct server *s, struct client *c, const char *guest,
                   const struct ask *a)
{
	struct request r = { .who = a->who };

	snprintf(r.guest, sizeof(r.guest), "%s", guest);
	snprintf(r.device, sizeof(r.device), "%s", a->device);
	memcpy(r.function, a->function, sizeof(r.function));
	give_back(s, c, &r);
}

static int no_function(struct diag *d, const struct request *r)
{
	diag_fail(d, -EINVAL, FL_NETD_WISH, "failover: %s is no PCI address",
	          r->function);
	diag_mend(d, "write it as 0000:3b:10.0; `fairlead status` shows the "
	             "VFs");
	return -EINVAL;
}

/* Has the guest another than it is to have? */
static bool differs(const struct lease *l, const struct request *r)
{
	struct bdf wish;

	if (bdf_parse(r->function, &wish))
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->device[i].name, r->device))
			return !bdf_equal(l->device[i].bdf, wish);
	return false;
}

/* What the guest is left with while its VF is away. */
static int check_standby(const struct lease *l, const struct request *r,
                         struct diag *d)
{
	char standby[POL_NAME + sizeof(":standby")];

	snprintf(standby, sizeof(standby), "%s:standby", r->device);
	return lease_has_own(l, standby) ? 0
	                                 : no_standby(d, r->guest, r->device);
}

int failover_begin(struct server *s, struct client *c, struct client *vmm,
                   const struct request *request, struct diag *d)
{
	struct request r = *request;
	bool there = lease_has(vmm->lease, r.device);
	bool back = !strcmp(r.way, "back");
	bool away = !strcmp(r.way, "to-standby");
	struct bdf wish;
	int e;

	if (*r.way && !back && !away && strcmp(r.way, "cycle") != 0)
		return no_such_way(d, r.way);
	if (*r.function && bdf_parse(r.function, &wish))
		return no_function(d, &r);
	e = check_standby(vmm->lease, &r, d);
	if (e)
		return e;
	if (there ? back && !differs(vmm->lease, &r) : away) {
		answer(s, c, &r);
		return 0;
	}
	r.who = (struct asker){ .known = true,
		                .uid = c->peer.uid,
		                .pid = c->peer.pid,
		                .loginuid = ASKER_NO_LOGIN };
	if (!away)
		snprintf(r.way, sizeof(r.way), "cycle");
	if (there && (away || !*r.function))
		return ask_take_out(s, c, vmm, &r, d);
	if (there)
		job_submit(s, c, permit_find("foresee"), &r, -1);
	else
		give_back(s, c, &r);
	return 0;
}

void failover_foreseen(struct server *s, struct client *c,
                       const struct request *r)
{
	struct client *vmm = client_holding(s, r->guest);
	struct diag d = { 0 };
	int e = vmm ? check_standby(vmm->lease, r, &d)
	            : lease_none(r->guest, &d);

	/* It may have gone meanwhile. */
	if (!e)
		e = ask_take_out(s, c, vmm, r, &d);
	if (e < 0)
		client_refuse(s, c, &d);
}
