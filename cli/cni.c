/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fairlead-cni: what comes in by the environment and on standard input, and how
 * it ends. */

#include "cli/cni.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONF_MAX (1u << 20)
#define NEWEST "1.1.0"

static const char *const versions[] = { "0.3.1", "0.4.0", "1.0.0", NEWEST };

enum {
	NEEDS_ATTACHMENT = 1 << 0, /* container and interface */
	NEEDS_NETNS = 1 << 1,
};
static const struct {
	const char *name, *since;
	unsigned needs;
	int (*run)(struct cni *n);
} commands[] = {
	{ "ADD", "0.3.1", NEEDS_ATTACHMENT | NEEDS_NETNS, cni_add },
	{ "DEL", "0.3.1", NEEDS_ATTACHMENT, cni_del },
	{ "CHECK", "0.4.0", NEEDS_ATTACHMENT | NEEDS_NETNS, cni_check },
	{ "GC", "1.1.0", 0, cni_gc },
	{ "STATUS", "1.1.0", 0, cni_status },
};

int cni_fail(struct cni *n, int code, const char *msg, const char *fmt, ...)
{
	va_list ap;

	n->error.code = code;
	snprintf(n->error.msg, sizeof(n->error.msg), "%s", msg);
	va_start(ap, fmt);
	vsnprintf(n->error.details, sizeof(n->error.details), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- what comes in ------------------------------------------------------- */

/* "A letter or digit, then letters, digits, '_', '.' or '-'", of ids and names
 * of networks alike. */
static bool is_id(const char *s)
{
	if (!s || !isalnum((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	return true;
}

static bool is_ifname(const char *s)
{
	if (!s || !*s || strlen(s) > 15 || !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	for (const char *c = s; *c; c++)
		if (*c == '/' || *c == ':' || *c == '%' || *c <= ' ')
			return false;
	return true;
}

static int check_environment(struct cni *n, unsigned needs)
{
	if (needs & NEEDS_ATTACHMENT && !is_id(n->container))
		return cni_fail(n, CNI_ENVIRONMENT, "CNI_CONTAINERID is wrong",
		                "it is missing, or is no id");
	if (needs & NEEDS_ATTACHMENT && !is_ifname(n->ifname))
		return cni_fail(n, CNI_ENVIRONMENT, "CNI_IFNAME is wrong",
		                "it is missing, or no interface's name");
	if (needs & NEEDS_NETNS && (!n->netns || *n->netns != '/'))
		return cni_fail(n, CNI_ENVIRONMENT, "CNI_NETNS is wrong",
		                "it is missing, or no absolute path");
	return 0;
}

static int read_conf(struct cni *n)
{
	_cleanup_free_ char *text = malloc(CONF_MAX + 1);
	json_error_t e;
	size_t len = 0;
	ssize_t got = 1;

	if (!text)
		return cni_fail(n, CNI_IO, "no memory", "%s", "");
	while (len <= CONF_MAX && got > 0) {
		got = read(STDIN_FILENO, text + len, CONF_MAX + 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		return cni_fail(n, CNI_IO, "cannot read standard input", "%s",
		                strerror(errno));
	if (len > CONF_MAX)
		return cni_fail(n, CNI_DECODE, "the configuration is too long",
		                "%s", "at most 1 MiB");
	n->conf = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(n->conf))
		return cni_fail(n, CNI_DECODE,
		                "the configuration is no JSON "
		                "object",
		                "%s", n->conf ? "" : e.text);
	return 0;
}

static bool is_known(const char *version)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (!strcmp(version, versions[i]))
			return true;
	return false;
}

static int take_version(struct cni *n)
{
	const char *v = cli_text(n->conf, "cniVersion", "0.1.0");

	if (!is_known(v))
		return cni_fail(n, CNI_VERSION, "incompatible version of CNI",
		                "%.15s is asked for; 0.3.1 to " NEWEST
		                " are supported",
		                v);
	snprintf(n->version, sizeof(n->version), "%s", v);
	return 0;
}

static int take_network(struct cni *n)
{
	const char *name = cli_text(n->conf, "name", "");

	if (!is_id(name) || strlen(name) >= sizeof(n->network))
		return cni_fail(n, CNI_CONFIG, "'name' is wrong",
		                "it is missing, or is no name of a network");
	snprintf(n->network, sizeof(n->network), "%s", name);
	return 0;
}

/* ---- how it ends --------------------------------------------------------- */

static int say_versions(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		json_array_append_new(list, json_string(versions[i]));
	return cli_print_json(json_pack("{s:s, s:o}", "cniVersion", NEWEST,
	                                "supportedVersions", list));
}

static int run(struct cni *n)
{
	size_t i = 0;
	int r;

	while (i < ARRAY_SIZE(commands) &&
	       (!n->command || strcmp(n->command, commands[i].name) != 0))
		i++;
	if (i == ARRAY_SIZE(commands))
		return cni_fail(n, CNI_ENVIRONMENT, "CNI_COMMAND is wrong",
		                "it is one of ADD, DEL, CHECK, GC, STATUS, "
		                "VERSION");
	r = read_conf(n);
	if (!r)
		r = take_version(n);
	if (!r)
		r = take_network(n);
	if (!r)
		r = check_environment(n, commands[i].needs);
	if (!r && strcmp(n->version, commands[i].since) < 0)
		r = cni_fail(n, CNI_VERSION, "incompatible version of CNI",
		             "%s is of %s on", n->command, commands[i].since);
	n->cli.socket = cli_text(n->conf, "socket", NETD_SOCKET);
	return r ? r : commands[i].run(n);
}

int cni_main(void)
{
	struct cni n = { .command = getenv("CNI_COMMAND"),
		         .container = getenv("CNI_CONTAINERID"),
		         .netns = getenv("CNI_NETNS"),
		         .ifname = getenv("CNI_IFNAME"),
		         .version = NEWEST,
		         .cli = { .socket = NETD_SOCKET } };
	int r;

	if (n.command && !strcmp(n.command, "VERSION"))
		return say_versions();
	r = run(&n);
	json_decref(n.conf);
	if (!r)
		return CLI_OK;
	cli_print_json(json_pack("{s:s, s:i, s:s, s:s}", "cniVersion",
	                         n.version, "code",
	                         n.error.code ? n.error.code : CNI_IO, "msg",
	                         *n.error.msg ? n.error.msg : "no memory",
	                         "details", n.error.details));
	return CLI_REFUSED;
}
