/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `fairlead metrics`: printed once, or served (metrics.h). */

#include "cli/metrics.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ASK_AGAIN_S 60u
#define PATIENCE_S 15 /* a little more than netd has for it */
#define ADDRESS 80

struct scraper {
	const struct cli *c;
	char listen[ADDRESS]; /* "" = not known yet */
};

static json_t *request(void)
{
	return json_pack("{s:i, s:s}", "version", NETD_PROTO_VERSION, "verb",
	                 "metrics");
}

/* -EAGAIN: nobody answers, or not well. */
static int ask(const struct cli *c, json_t **ret)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	_cleanup_close_ int sock = -1;
	struct diag d = { 0 };
	json_t *req, *reply = NULL;
	int r;

	sock = cli_connect(c, &d);
	if (sock < 0)
		return -EAGAIN;
	(void)!setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience,
	                  sizeof(patience));
	req = request();
	r = cli_ask(sock, req, NULL, 0, &reply, NULL, NULL, &d);
	json_decref(req);
	if (r < 0)
		return -EAGAIN;
	if (!json_is_true(json_object_get(reply, "ok"))) {
		json_decref(reply);
		return -EAGAIN;
	}
	*ret = reply;
	return 0;
}

/* A page says so where netd does not answer: that is worth a series. */
static int scrape(void *arg, char **ret, size_t *ret_len)
{
	const struct scraper *s = arg;
	json_t *reply = NULL;
	int r = ask(s->c, &reply);

	if (!r && strcmp(cli_text(reply, "listen", ""), s->listen) != 0)
		r = -ESTALE;
	if (r != -ESTALE)
		r = metrics_text(reply, ret, ret_len);
	json_decref(reply);
	return r;
}

/* Until the policy has an address. */
static void wait_for_address(struct scraper *s)
{
	bool told = false;

	while (!*s->listen) {
		json_t *reply = NULL;
		int r = ask(s->c, &reply);

		snprintf(s->listen, sizeof(s->listen), "%s",
		         r ? "" : cli_text(reply, "listen", ""));
		json_decref(reply);
		if (*s->listen)
			return;
		if (!told)
			fprintf(stderr, "fairlead: waiting: %s\n",
			        r ? "fairlead-netd does not answer"
			          : "the applied policy has no "
			            "host.metrics.listen");
		told = true;
		sleep(ASK_AGAIN_S);
	}
}

static int serve(const struct cli *c)
{
	struct scraper s = { .c = c };
	const struct metrics_source source = { .get = scrape, .arg = &s };
	_cleanup_close_ int fd = -1;
	struct diag d = { 0 };
	int r;

	wait_for_address(&s);
	r = metrics_listen(s.listen, &fd);
	if (r < 0) {
		diag_fail(&d, r, FL_CLI_LISTEN, "cannot listen at %s",
		          s.listen);
		diag_why(&d, "%s", strerror(-r));
		diag_mend(&d, "see `ss -tlnp`, or another address of this "
		              "host's loopback in host.metrics.listen");
		return cli_refuse(c, CLI_REFUSED, &d);
	}
	r = metrics_shut_in();
	if (!r) {
		fprintf(stderr, "fairlead: metrics at http://%s/metrics\n",
		        s.listen);
		r = metrics_serve(fd, &source);
	}
	if (!r) {
		fprintf(stderr, "fairlead: the policy has another address\n");
		return CLI_OK;
	}
	diag_fail(&d, r, FL_CLI_LISTEN, "cannot serve metrics");
	diag_why(&d, "%s", strerror(-r));
	diag_mend(&d, r == -ELIBACC ? "apt install libseccomp2"
	                            : "systemctl restart fairlead-metrics");
	return cli_refuse(c, CLI_INTERNAL, &d);
}

int cli_metrics(const struct cli *c, char *const *args, unsigned n)
{
	_cleanup_free_ char *text = NULL;
	json_t *reply = NULL;
	size_t len = 0;
	int r;

	(void)args;
	(void)n;
	if (c->serve)
		return serve(c);
	r = cli_transact(c, request(), -1, NULL, &reply);
	if (r)
		return r;
	if (c->json)
		return cli_print_json(reply);
	r = metrics_text(reply, &text, &len);
	json_decref(reply);
	if (r < 0)
		return CLI_INTERNAL;
	fwrite(text, 1, len, stdout);
	return CLI_OK;
}
