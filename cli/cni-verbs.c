/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ADD, DEL, CHECK, GC and STATUS: cni.h says in which order, and why. */

#include "cli/cni.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- netd ---------------------------------------------------------------- */

static int refused(struct cni *n, const json_t *reply)
{
	const json_t *e = json_object_get(reply, "error");
	int code = (int)json_integer_value(json_object_get(e, "code"));

	return cni_fail(
		n, code >= 100 ? code : CNI_IO, cli_text(e, "what", "?"),
		"FL-%04d: %s%s%s", code, cli_text(e, "why", ""),
		*cli_text(e, "mend", "") ? "; " : "", cli_text(e, "mend", ""));
}

/* `req` is consumed. */
static int ask(struct cni *n, json_t *req, json_t **ret)
{
	_cleanup_close_ int sock = -1;
	int fds[NETD_FDS_MAX], r;
	struct diag d = { 0 };
	json_t *reply = NULL;
	size_t n_fds = 0;

	sock = cli_connect(&n->cli, &d);
	r = sock < 0 ? sock
	             : cli_ask(sock, req, NULL, 0, &reply, fds, &n_fds, &d);
	json_decref(req);
	/* VFIO's descriptors are for who opens the device itself. */
	while (n_fds)
		close_fd(&fds[--n_fds]);
	if (r < 0)
		return cni_fail(n, CNI_TRY_LATER, d.what, "%s; %s", d.why,
		                d.mend);
	if (!json_is_true(json_object_get(reply, "ok"))) {
		r = refused(n, reply);
		json_decref(reply);
		return r;
	}
	*ret = reply;
	return 0;
}

static json_t *request(const char *verb)
{
	return json_pack("{s:i, s:s}", "version", NETD_PROTO_VERSION, "verb",
	                 verb);
}

static int give_back(struct cni *n, const char *holder)
{
	json_t *req = request("return"), *reply = NULL;
	int r;

	json_object_set_new(req, "holder", json_string(holder));
	r = ask(n, req, &reply);
	json_decref(reply);
	return r;
}

/* ---- ADD ----------------------------------------------------------------- */

/* What earlier plugins of the chain have made stays in it. */
static json_t *result_base(const struct cni *n)
{
	const json_t *before = json_object_get(n->conf, "prevResult");
	json_t *o =
		json_is_object(before) ? json_deep_copy(before) : json_object();

	json_object_set_new(o, "cniVersion", json_string(n->version));
	if (!json_is_array(json_object_get(o, "interfaces")))
		json_object_set_new(o, "interfaces", json_array());
	return o;
}

static int say_result(const struct cni *n, const json_t *device,
                      const char *mac)
{
	json_t *o = result_base(n);
	json_t *i =
		json_pack("{s:s, s:s}", "name", n->ifname, "sandbox", n->netns);

	if (*mac)
		json_object_set_new(i, "mac", json_string(mac));
	if (!strcmp(n->version, "1.1.0"))
		json_object_set_new(i, "pciID",
		                    json_string(cli_text(device, "bdf", "")));
	json_array_append_new(json_object_get(o, "interfaces"), i);
	return cli_print_json(o) == CLI_OK ? 0 : -ENOMEM;
}

static int bring_in(struct cni *n, const json_t *device,
                    char mac[static CNI_MAC])
{
	const char *ifname = cli_text(device, "ifname", "");
	int r;

	snprintf(mac, CNI_MAC, "%s",
	         cli_text(json_object_get(device, "attributes"), "mac", ""));
	/* One that is bound to VFIO has no interface. */
	if (!*ifname)
		return 0;
	r = cni_link_in(ifname, n->netns, n->ifname, mac);
	if (!r)
		return 0;
	return cni_fail(n, CNI_IO, "cannot move the VF's interface",
	                "%s to %s as %s: %s", ifname, n->netns, n->ifname,
	                strerror(-r));
}

int cni_add(struct cni *n)
{
	json_t *req = NULL, *reply = NULL;
	struct cni_error why;
	char holder[CNI_HOLDER], mac[CNI_MAC];
	int r = cni_request(n, &req);

	if (!r)
		r = ask(n, req, &reply);
	if (r)
		return r;
	r = bring_in(n, json_object_get(reply, "device"), mac);
	if (!r)
		r = say_result(n, json_object_get(reply, "device"), mac);
	json_decref(reply);
	if (!r)
		return 0;
	why = n->error;
	cni_holder(n->network, n->container, n->ifname, holder);
	(void)!give_back(n, holder);
	n->error = why;
	return r;
}

/* ---- what netd's status says --------------------------------------------- */

static const char *holder_of(const json_t *function)
{
	return cli_text(json_object_get(function, "loan"), "holder", "");
}

static const json_t *function_of(const json_t *status, const char *holder)
{
	const json_t *list = json_object_get(status, "functions");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(holder_of(json_array_get(list, i)), holder))
			return json_array_get(list, i);
	return NULL;
}

/* One that VFIO has, has none. */
static bool has_interface(const json_t *status, const char *bdf)
{
	const json_t *pfs = json_object_get(status, "pfs");

	for (size_t i = 0; i < json_array_size(pfs); i++) {
		const json_t *vfs =
			json_object_get(json_array_get(pfs, i), "vfs");

		for (size_t k = 0; k < json_array_size(vfs); k++) {
			const json_t *v = json_array_get(vfs, k);
			const char *driver = cli_text(v, "driver", "");

			if (!strcmp(cli_text(v, "bdf", ""), bdf))
				return *driver && !strstr(driver, "vfio");
		}
	}
	return false;
}

/* ---- DEL ----------------------------------------------------------------- */

/* Only of what this attachment holds: another's interface may have the name. */
static int take_out(struct cni *n, const json_t *status, const char *holder)
{
	const json_t *f = function_of(status, holder);
	int r;

	if (!f || !n->netns || !*n->netns ||
	    !has_interface(status, cli_text(f, "bdf", "")))
		return 0;
	r = cni_link_out(n->netns, n->ifname);
	/* It may be gone; then it is back already. */
	if (!r || r == -ENOENT || r == -EINVAL)
		return 0;
	return cni_fail(n, CNI_TRY_LATER, "cannot take the VF's interface back",
	                "%s in %s: %s", n->ifname, n->netns, strerror(-r));
}

int cni_del(struct cni *n)
{
	char holder[CNI_HOLDER];
	json_t *status = NULL;
	int r = ask(n, request("status"), &status);

	cni_holder(n->network, n->container, n->ifname, holder);
	if (!r)
		r = take_out(n, status, holder);
	json_decref(status);
	return r ? r : give_back(n, holder);
}

/* ---- CHECK --------------------------------------------------------------- */

/* Ours of the result: by its name and namespace. */
static const json_t *interface_of(const struct cni *n)
{
	const json_t *list = json_object_get(
		json_object_get(n->conf, "prevResult"), "interfaces");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);

		if (!strcmp(cli_text(o, "name", ""), n->ifname) &&
		    !strcmp(cli_text(o, "sandbox", ""), n->netns))
			return o;
	}
	return NULL;
}

static int check_with(struct cni *n, const json_t *status, const json_t *i)
{
	char holder[CNI_HOLDER], mac[CNI_MAC];
	const char *bdf, *was = cli_text(i, "mac", "");
	const json_t *f;
	int r;

	cni_holder(n->network, n->container, n->ifname, holder);
	f = function_of(status, holder);
	bdf = cli_text(f, "bdf", "");
	if (!f || (*cli_text(i, "pciID", "") &&
	           strcmp(cli_text(i, "pciID", ""), bdf) != 0))
		return cni_fail(n, FL_NETD_LOAN, "the VF is not held any more",
		                "%s has no loan of it; delete the pod", holder);
	if (!has_interface(status, bdf))
		return 0;
	r = cni_link_look(n->netns, n->ifname, mac);
	if (r)
		return cni_fail(n, CNI_IO, "the interface is not there",
		                "%s in %s: %s", n->ifname, n->netns,
		                strerror(-r));
	if (*was && strcasecmp(was, mac) != 0)
		return cni_fail(n, CNI_IO, "the interface has another MAC",
		                "%s had %s, has %s", n->ifname, was, mac);
	return 0;
}

int cni_check(struct cni *n)
{
	const json_t *i = interface_of(n);
	json_t *status = NULL;
	int r;

	if (!i)
		return cni_fail(n, CNI_CONFIG, "'prevResult' is wrong",
		                "it has not the interface of this attachment");
	r = ask(n, request("status"), &status);
	if (!r)
		r = check_with(n, status, i);
	json_decref(status);
	return r;
}

/* ---- GC ------------------------------------------------------------------ */

static bool is_valid(const struct cni *n, const json_t *valid,
                     const char *holder)
{
	char text[CNI_HOLDER];

	for (size_t i = 0; i < json_array_size(valid); i++) {
		const json_t *o = json_array_get(valid, i);

		cni_holder(n->network, cli_text(o, "containerID", ""),
		           cli_text(o, "ifname", ""), text);
		if (!strcmp(text, holder))
			return true;
	}
	return false;
}

/* All are tried; the first failure is told. */
int cni_gc(struct cni *n)
{
	const json_t *valid =
		json_object_get(n->conf, "cni.dev/valid-attachments");
	struct cni_error first = { .code = 0 };
	json_t *status = NULL;
	const json_t *list;
	int r;

	if (!json_is_array(valid))
		return cni_fail(n, CNI_CONFIG,
		                "'cni.dev/valid-attachments' is wrong",
		                "it must be a list, which may be empty");
	r = ask(n, request("status"), &status);
	if (r)
		return r;
	list = json_object_get(status, "functions");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *holder = holder_of(json_array_get(list, i));

		if (cni_is_of_network(holder, n->network) &&
		    !is_valid(n, valid, holder) && give_back(n, holder) < 0 &&
		    !first.code)
			first = n->error;
	}
	json_decref(status);
	n->error = first;
	return first.code ? -EINVAL : 0;
}

/* ---- STATUS -------------------------------------------------------------- */

int cni_status(struct cni *n)
{
	json_t *status = NULL;
	int r = ask(n, request("status"), &status);
	bool applied = !strcmp(cli_text(status, "journal", ""), "applied");

	json_decref(status);
	if (r) {
		n->error.code = CNI_NOT_AVAILABLE;
		return r;
	}
	if (applied)
		return 0;
	return cni_fail(n, CNI_NOT_AVAILABLE, "no policy is applied",
	                "fairlead apply FILE");
}
