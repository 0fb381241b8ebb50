/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host's routes say of each interface. A router has a million of them:
 * they are read line by line, once, and of each interface little is kept.
 */

#include <stdio.h>
#include <string.h>

#include "sriov/priv.h"

static struct routed *find(const struct routes *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->at[i].name, name))
			return &all->at[i];
	return NULL;
}

const struct routed *routes_of(const struct routes *all, const char *name)
{
	return find(all, name);
}

static int note_route(struct routes *all, const struct routed *more)
{
	struct routed *at = find(all, more->name);
	int e;

	if (!at) {
		e = grow_array((void **)&all->at, all->n, &all->room,
		               sizeof(*at));
		if (e)
			return e;
		at = &all->at[all->n++];
		*at = (struct routed){ 0 };
		memcpy(at->name, more->name, sizeof(at->name));
	}
	at->any |= more->any;
	at->all |= more->all;
	at->all6 |= more->all6;
	return 0;
}

/* "eth0 DEST GATEWAY FLAGS ...". */
static int see_route4(const char *line, void *arg)
{
	struct routed r = { .any = true };
	char dest[16];

	if (sscanf(line, "%31s %15s", r.name, dest) != 2)
		return 0;
	r.all = !strcmp(dest, "00000000");
	return note_route(arg, &r);
}

/* "DEST PLEN SRC PLEN NEXT METRIC REF USE FLAGS eth0". */
static int see_route6(const char *line, void *arg)
{
	struct routed r = { .all6 = true };
	char plen[8], flags[12];

	if (sscanf(line, "%*s %7s %*s %*s %*s %*s %*s %*s %11s %31s", plen,
	           flags, r.name) != 3 ||
	    strcmp(plen, "00") != 0 || strtoul(flags, NULL, 16) & ROUTE_REJECTS)
		return 0;
	return note_route(arg, &r);
}

int routes_read(int root_fd, struct routes *ret)
{
	int e = each_line(root_fd, "proc/net/route", see_route4, ret);

	return e ? e
	         : each_line(root_fd, "proc/net/ipv6_route", see_route6, ret);
}
