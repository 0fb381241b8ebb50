/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The switches of PFs in `fairlead status`: what is otherwise than in legacy
 * mode, and how a device says it fares where that is not well. */

#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define MBIT 125000

static void print_vlans(const json_t *port)
{
	json_int_t pvid = json_integer_value(json_object_get(port, "untagged"));
	const json_t *tagged = json_object_get(port, "tagged");

	if (pvid)
		printf(", VLAN %" JSON_INTEGER_FORMAT " untagged", pvid);
	for (size_t i = 0; i < json_array_size(tagged); i++) {
		const json_t *v = json_array_get(tagged, i);
		json_int_t a = json_integer_value(json_array_get(v, 0));
		json_int_t b = json_integer_value(json_array_get(v, 1));

		printf(i ? ", " : ", tagged ");
		printf("%" JSON_INTEGER_FORMAT, a);
		if (b != a)
			printf("-%" JSON_INTEGER_FORMAT, b);
	}
}

/* "eth3 in br-fast, VLAN 100 untagged" */
static void print_port(const json_t *port)
{
	const char *bridge = cli_text(port, "bridge", "");

	printf("%s ", cli_text(port, "ifname", "?"));
	if (!*bridge) {
		printf("in no bridge");
		return;
	}
	printf("in %s", bridge);
	print_vlans(port);
}

static void print_rate(const json_t *g)
{
	json_int_t share = json_integer_value(json_object_get(g, "tx-share"));
	json_int_t max = json_integer_value(json_object_get(g, "tx-max"));

	printf("  rate group %s: %" JSON_INTEGER_FORMAT " to ",
	       cli_text(g, "name", "?"), share / MBIT);
	if (max)
		printf("%" JSON_INTEGER_FORMAT " Mbit/s\n", max / MBIT);
	else
		printf("any number of Mbit/s\n");
}

static void print_health(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *h = json_array_get(list, i);

		if (!strcmp(cli_text(h, "state", ""), "error"))
			printf("  reporter %s: in error\n",
			       cli_text(h, "reporter", "?"));
	}
}

static json_int_t count_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* What a VF has of an NVMe controller. */
static void print_queues(const json_t *vf)
{
	printf("%" JSON_INTEGER_FORMAT " queues, %" JSON_INTEGER_FORMAT
	       " interrupts, %s",
	       count_of(vf, "queues"), count_of(vf, "interrupts"),
	       json_is_true(json_object_get(vf, "online")) ? "online"
	                                                   : "offline");
}

static void print_shared(const json_t *nvme, const char *kind)
{
	const json_t *o = json_object_get(nvme, kind);

	printf(", of %" JSON_INTEGER_FORMAT " %s it keeps %" JSON_INTEGER_FORMAT
	       " and VFs have %" JSON_INTEGER_FORMAT,
	       count_of(o, "total"), kind, count_of(o, "kept"),
	       count_of(o, "given"));
}

static void print_controller(const json_t *nvme)
{
	if (!json_is_object(nvme))
		return;
	printf("  controller %s", cli_text(nvme, "controller", "?"));
	print_shared(nvme, "queues");
	print_shared(nvme, "interrupts");
	putchar('\n');
}

void status_pf_switch(const json_t *pf)
{
	const json_t *groups = json_object_get(pf, "rate-groups");

	print_controller(json_object_get(pf, "nvme"));
	print_health(json_object_get(pf, "health"));
	if (strcmp(cli_text(pf, "embedded-switch-mode", ""), "switchdev") != 0)
		return;
	printf("  switch in switchdev mode");
	if (json_is_object(json_object_get(pf, "port"))) {
		printf("; ");
		print_port(json_object_get(pf, "port"));
	}
	putchar('\n');
	for (size_t i = 0; i < json_array_size(groups); i++)
		print_rate(json_array_get(groups, i));
}

void status_vf_switch(const json_t *vf)
{
	const json_t *port = json_object_get(vf, "representor");
	const char *group = cli_text(vf, "rate-group", "");
	json_int_t vectors =
		json_integer_value(json_object_get(vf, "msix-vectors"));
	const char *comma = "         ";

	if (json_is_object(port)) {
		printf("%s", comma);
		print_port(port);
		printf(", %s", cli_text(port, "link", "?"));
		comma = "; ";
	}
	if (*group) {
		printf("%srate group %s", comma, group);
		comma = "; ";
	}
	if (vectors) {
		printf("%s%" JSON_INTEGER_FORMAT " vectors", comma, vectors);
		comma = "; ";
	}
	if (json_is_integer(json_object_get(vf, "queues"))) {
		printf("%s", comma);
		print_queues(vf);
		comma = "; ";
	}
	if (*comma == ';')
		putchar('\n');
}
