/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_NETD_SCRIPT_H
#define FL_TEST_NETD_SCRIPT_H

/*
 * A guest that is a script at the other end of its lease's connection: it
 * answers well, late, wrongly or not at all. The devices are files; that
 * VFIO's are passed on is tested in the lab (netd-devices.sh).
 */

#include "tests/unit/netd/daemon.h"

#define ROOT "tests/golden/sysfs/intel-ir"
#define DISK "sys/bus/pci/devices/0000:01:10.0"
#define OTHER "sys/bus/pci/devices/0000:01:10.2"

static const char policy[] =
	"version: 1\n"
	"devices:\n"
	"  - { name: disk, match: { pci: \"0000:01:10.0\" } }\n"
	"  - { name: other, match: { pci: \"0000:01:10.2\" }, "
	"on-dma-fault: stop }\n"
	"guests:\n"
	"  - { name: g, memory: 512M, kernel: /k, devices: [{ use: disk }] }\n"
	"  - { name: h, memory: 512M, kernel: /k }\n";

struct peers {
	int vmm, user;
};

static inline void write_policy(const struct daemon *d, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/state/applied.yaml", d->dir.path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Two functions that vfio-pci has, each in a group of its own. */
static inline void build(const struct daemon *d, const char *text)
{
	char line[256];

	snprintf(line, sizeof(line), "cp -r %s/. %s/", ROOT, d->dir.path);
	assert_int_equal(system(line), 0);
	shell(d, "ln -sfn ../../../../bus/pci/drivers/vfio-pci " OTHER
	         "/driver; for f in " DISK " " OTHER
	         "; do echo vfio-pci > $f/driver_override; done; "
	         "touch dev/kvm k dev/vfio/6 dev/vfio/7");
	write_policy(d, text);
}

static inline struct peers start(const struct daemon *d, const char *guest)
{
	struct peers p = { .vmm = dial(d), .user = dial(d) };
	char text[128];

	snprintf(text, sizeof(text),
	         "{\"version\":1,\"verb\":\"lease\",\"guest\":\"%s\"}", guest);
	say(p.vmm, text);
	expect(p.vmm, 0);
	return p;
}

static inline void request(int fd, const char *verb, const char *guest,
                           const char *device, const char *more)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "{\"version\":1,\"verb\":\"%s\",\"guest\":\"%s\"%s%s%s%s}",
	         verb, guest, device ? ",\"device\":\"" : "",
	         device ? device : "", device ? "\"" : "", more);
	say(fd, text);
}

static inline const char *member(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* The event that the VMM gets, with so many descriptors; its id. */
static inline json_int_t hear(int fd, const char *event, size_t n_fds,
                              json_t **ret)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char buf[NETD_MSG_MAX];
	int fds[NETD_FDS_MAX];
	size_t n = 0;
	ssize_t len;
	json_int_t id;
	json_t *o;

	assert_int_equal(poll(&p, 1, 5000), 1);
	len = fd_recv(fd, buf, sizeof(buf), fds, ARRAY_SIZE(fds), &n);
	assert_true(len > 0);
	o = json_loadb(buf, (size_t)len, 0, NULL);
	assert_string_equal(member(o, "event"), event);
	assert_int_equal(n, n_fds);
	while (n)
		close(fds[--n]);
	id = json_integer_value(json_object_get(o, "id"));
	assert_true(id > 0);
	if (ret)
		*ret = o;
	else
		json_decref(o);
	return id;
}

static inline void reply_done(int fd, json_int_t id, bool ok)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "{\"event\":\"done\",\"id\":%lld,\"ok\":%s,\"forced\":true,"
	         "\"error\":{\"code\":601,\"errno\":28,\"what\":\"no "
	         "slot\\u001b\",\"why\":\"w\",\"mend\":\"m\"}}",
	         (long long)id, ok ? "true" : "false");
	say(fd, text);
}

/* The names of what the guest has, as status says: "disk other". */
static inline const char *names(const struct daemon *d, const char *guest)
{
	static char text[256];
	int fd = dial(d);
	json_t *doc, *l;
	size_t i;

	text[0] = '\0';
	say(fd, "{\"version\":1,\"verb\":\"status\"}");
	doc = receive(fd, 5000);
	json_array_foreach(json_object_get(doc, "leases"), i, l)
	{
		const json_t *n = json_object_get(l, "names");

		if (strcmp(member(l, "guest"), guest) != 0)
			continue;
		for (size_t k = 0; k < json_array_size(n); k++)
			snprintf(text + strlen(text),
			         sizeof(text) - strlen(text), "%s%s",
			         k ? " " : "",
			         json_string_value(json_array_get(n, k)));
	}
	json_decref(doc);
	close(fd);
	return text;
}

static inline void end(struct peers *p)
{
	close(p->vmm);
	close(p->user);
}

#endif
