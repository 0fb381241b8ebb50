/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What netd and a running guest say to one another. The guest is a script at
 * the other end of the lease's connection: it answers well, late, wrongly or
 * not at all. The devices are files; that VFIO's are passed on is tested in
 * the lab (netd-devices.sh).
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

static void write_policy(const struct daemon *d, const char *text)
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
static void build(const struct daemon *d, const char *text)
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

static struct peers start(const struct daemon *d, const char *guest)
{
	struct peers p = { .vmm = dial(d), .user = dial(d) };
	char text[128];

	snprintf(text, sizeof(text),
	         "{\"version\":1,\"verb\":\"lease\",\"guest\":\"%s\"}", guest);
	say(p.vmm, text);
	expect(p.vmm, 0);
	return p;
}

static void request(int fd, const char *verb, const char *guest,
                    const char *device, const char *more)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "{\"version\":1,\"verb\":\"%s\",\"guest\":\"%s\"%s%s%s%s}",
	         verb, guest, device ? ",\"device\":\"" : "",
	         device ? device : "", device ? "\"" : "", more);
	say(fd, text);
}

static const char *member(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* The event that the VMM gets, with so many descriptors; its id. */
static json_int_t hear(int fd, const char *event, size_t n_fds, json_t **ret)
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

static void reply_done(int fd, json_int_t id, bool ok)
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
static const char *names(const struct daemon *d, const char *guest)
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

static void end(struct peers *p)
{
	close(p->vmm);
	close(p->user);
}

static void test_detach_attach(void **state)
{
	struct daemon *d = *state;
	struct peers p;
	json_t *event, *dev, *doc;
	json_int_t id;

	build(d, policy);
	p = start(d, "g");
	assert_string_equal(names(d, "g"), "disk");
	request(p.user, "detach", "g", "disk", "");
	id = hear(p.vmm, "detach", 0, &event);
	assert_string_equal(member(event, "device"), "disk");
	assert_int_equal(
		json_integer_value(json_object_get(event, "deadline_ms")),
		10000);
	json_decref(event);
	/* Until the guest has let go it is its own. */
	assert_string_equal(names(d, "g"), "disk");
	reply_done(p.vmm, id, true);
	doc = receive(p.user, 5000);
	assert_true(json_is_true(json_object_get(doc, "ok")));
	assert_true(json_is_true(json_object_get(doc, "forced")));
	assert_string_equal(member(doc, "device"), "disk");
	json_decref(doc);
	assert_string_equal(names(d, "g"), "");

	request(p.user, "attach", "g", "disk", "");
	id = hear(p.vmm, "attach", 1, &event);
	dev = json_array_get(json_object_get(event, "devices"), 0);
	assert_string_equal(member(dev, "name"), "disk");
	assert_string_equal(member(dev, "bdf"), "0000:01:10.0");
	assert_int_equal(json_integer_value(json_object_get(dev, "slot")), 1);
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(event, "fds"), 0)),
	                    "device:disk");
	json_decref(event);
	/* From now on, answered or not. */
	assert_string_equal(names(d, "g"), "disk");
	reply_done(p.vmm, id, true);
	expect(p.user, 0);
	assert_string_equal(names(d, "g"), "disk");
	end(&p);
}

/* A device that is no guest's, into the first spare slot; a guest that had
 * none gets the address space along. */
static void test_spare(void **state)
{
	struct daemon *d = *state;
	json_t *event, *dev;
	struct peers p;
	json_int_t id;

	build(d, policy);
	p = start(d, "h");
	request(p.user, "attach", "h", "disk", "");
	expect(p.user, FL_NETD_DEVICE); /* g's, running or not */
	request(p.user, "attach", "h", "other", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 2, NULL), false);
	expect(p.user, 601);
	/* Refused: so it has no address space yet. */
	request(p.user, "attach", "h", "other", "");
	id = hear(p.vmm, "attach", 2, &event);
	dev = json_array_get(json_object_get(event, "devices"), 0);
	assert_int_equal(json_integer_value(json_object_get(dev, "slot")), 1);
	assert_string_equal(member(dev, "on_dma_fault"), "stop");
	assert_string_equal(member(event, "backend"), "group");
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(event, "fds"), 0)),
	                    "iommu");
	json_decref(event);
	reply_done(p.vmm, id, true);
	expect(p.user, 0);
	assert_string_equal(names(d, "h"), "other");
	/* It is out; the space stays with the guest. */
	request(p.user, "detach", "h", "other", ",\"now\":true");
	id = hear(p.vmm, "detach", 0, &event);
	assert_int_equal(
		json_integer_value(json_object_get(event, "deadline_ms")), 0);
	json_decref(event);
	reply_done(p.vmm, id, true);
	expect(p.user, 0);
	request(p.user, "attach", "h", "other", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 1, NULL), true);
	expect(p.user, 0);
	end(&p);
}

static void test_refused_by_vmm(void **state)
{
	struct daemon *d = *state;
	struct peers p;
	json_t *doc;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "attach", "g", "other", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 1, NULL), false);
	doc = receive(p.user, 5000);
	assert_false(json_is_true(json_object_get(doc, "ok")));
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(doc, "error"), "code")),
	                 601);
	assert_string_equal(member(json_object_get(doc, "error"), "what"),
	                    "no slot?");
	json_decref(doc);
	assert_string_equal(names(d, "g"), "disk");
	/* A detach that is refused leaves it where it is. */
	request(p.user, "detach", "g", "disk", "");
	reply_done(p.vmm, hear(p.vmm, "detach", 0, NULL), false);
	expect(p.user, 601);
	assert_string_equal(names(d, "g"), "disk");
	end(&p);
}

static void test_refused_by_netd(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "attach", "h", "other", "");
	expect(p.user, FL_NETD_NOT_RUNNING);
	request(p.user, "detach", "h", "other", "");
	expect(p.user, FL_NETD_NOT_RUNNING);
	request(p.user, "query", "h", NULL, "");
	expect(p.user, FL_NETD_NOT_RUNNING);
	request(p.user, "attach", "nobody", "other", "");
	expect(p.user, FL_NETD_GUEST);
	request(p.user, "attach", "g", "disk", "");
	expect(p.user, FL_NETD_LEASED);
	request(p.user, "attach", "g", "dusk", "");
	expect(p.user, FL_NETD_DEVICE);
	request(p.user, "detach", "g", "other", "");
	expect(p.user, FL_NETD_DEVICE);
	/* The one spare slot. */
	request(p.user, "attach", "g", "other", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 1, NULL), true);
	expect(p.user, 0);
	assert_string_equal(names(d, "g"), "disk other");
	request(p.user, "attach", "g", NULL, "");
	expect(p.user, FL_NETD_REQUEST);
	end(&p);
}

/* It says nothing: the client is answered, nothing is lost, and what comes
 * late counts. */
static void test_silence(void **state)
{
	struct daemon *d = *state;
	struct peers p;
	json_int_t id;
	int other;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "detach", "g", "disk", ",\"now\":true");
	id = hear(p.vmm, "detach", 0, NULL);
	other = dial(d);
	request(other, "detach", "g", "disk", "");
	expect(other, FL_NETD_VMM); /* one at a time */
	/* Main is not held up by it. */
	assert_string_equal(names(d, "g"), "disk");
	json_t *doc = receive(p.user, 8000);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(doc, "error"), "code")),
	                 FL_NETD_VMM);
	json_decref(doc);
	assert_string_equal(names(d, "g"), "disk");
	reply_done(p.vmm, id, true);
	usleep(200000);
	assert_string_equal(names(d, "g"), "");
	assert_null(receive(p.user, 100));
	close(other);
	end(&p);
}

static void test_guest_ends(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "detach", "g", "disk", "");
	hear(p.vmm, "detach", 0, NULL);
	close(p.vmm);
	expect(p.user, FL_NETD_VMM);
	close(p.user);
}

/* The one who asked has gone; the guest's answer still counts. */
static void test_asker_goes(void **state)
{
	struct daemon *d = *state;
	struct peers p;
	json_int_t id;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "detach", "g", "disk", "");
	id = hear(p.vmm, "detach", 0, NULL);
	close(p.user);
	usleep(100000);
	assert_string_equal(names(d, "g"), "disk");
	reply_done(p.vmm, id, true);
	usleep(200000);
	assert_string_equal(names(d, "g"), "");
	close(p.vmm);
}

/* netd was killed under a guest that runs on: the next one knows no lease, and
 * says that this may be why. */
static void test_restarted(void **state)
{
	struct daemon *d = *state;
	struct peers p;
	json_t *doc;
	int user;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "detach", "g", "disk", "");
	hear(p.vmm, "detach", 0, NULL);
	assert_int_equal(kill(d->pid, SIGKILL), 0);
	assert_int_equal(waitpid(d->pid, NULL, 0), d->pid);
	assert_true(is_closed(p.user));
	daemon_run(d);
	assert_true(send(p.vmm, "{}", 2, MSG_NOSIGNAL) < 0);
	user = dial(d);
	assert_string_equal(names(d, "g"), "");
	request(user, "attach", "g", "disk", "");
	doc = receive(user, 5000);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(doc, "error"), "code")),
	                 FL_NETD_NOT_RUNNING);
	assert_non_null(strstr(member(json_object_get(doc, "error"), "why"),
	                       "was restarted"));
	json_decref(doc);
	close(user);
	end(&p);
}

static void test_gone(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, policy);
	p = start(d, "g");
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"other\",\"reason\":"
	           "\"host\"}");
	usleep(100000);
	assert_string_equal(names(d, "g"), "disk");
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"disk\",\"reason\":"
	           "\"host\"}");
	usleep(200000);
	assert_string_equal(names(d, "g"), "");
	/* The rest of the lease goes on. */
	request(p.user, "attach", "g", "disk", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 1, NULL), true);
	expect(p.user, 0);
	end(&p);
}

static bool override_is(const struct daemon *d, const char *want)
{
	char line[256];

	snprintf(line, sizeof(line),
	         "test \"$(cat %s/" DISK "/driver_override)\" = %s",
	         d->dir.path, want);
	return system(line) == 0;
}

/* What the guest gave away is put right at once; what the host took stays as
 * the host wants it. */
static void test_host_takes(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, policy);
	p = start(d, "g");
	shell(d, "echo nvme > " DISK "/driver_override");
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"disk\",\"reason\":"
	           "\"host\"}");
	usleep(300000);
	assert_string_equal(names(d, "g"), "");
	assert_true(override_is(d, "nvme"));
	request(p.user, "attach", "g", "disk", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 1, NULL), true);
	expect(p.user, 0);
	assert_true(override_is(d, "vfio-pci"));
	shell(d, "echo nvme > " DISK "/driver_override");
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"disk\",\"reason\":"
	           "\"guest\"}");
	for (int i = 0; i < 50 && !override_is(d, "vfio-pci"); i++)
		usleep(50000);
	assert_true(override_is(d, "vfio-pci"));
	end(&p);
}

/* Nothing of this does anything, and the lease stays. */
static void test_nonsense(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{}",
		"7",
		"{\"event\":7}",
		"{\"event\":\"done\"}",
		"{\"event\":\"done\",\"id\":-1,\"ok\":true}",
		"{\"event\":\"done\",\"id\":99,\"ok\":true}",
		"{\"event\":\"done\",\"id\":\"1\",\"ok\":true}",
		"{\"event\":\"state\",\"id\":1}",
		"{\"event\":\"gone\"}",
		"{\"event\":\"gone\",\"device\":\"\"}",
		"{\"event\":\"gone\",\"device\":[\"disk\"]}",
		"{\"event\":\"gone\",\"device\":\"disk:\"}",
		"{\"body\":\"memfd\"}",
	};
	struct daemon *d = *state;
	struct peers p;
	json_int_t id;
	int pipes[2];

	build(d, policy);
	p = start(d, "g");
	for (size_t i = 1; i < ARRAY_SIZE(texts); i++)
		say(p.vmm, texts[i]);
	/* A body that would block whoever read it. */
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(fd_send(p.vmm, texts[ARRAY_SIZE(texts) - 1],
	                         strlen(texts[ARRAY_SIZE(texts) - 1]), pipes,
	                         1),
	                 0);
	/* A state where a detach was asked, and the reverse. */
	request(p.user, "detach", "g", "disk", "");
	id = hear(p.vmm, "detach", 0, NULL);
	char text[64];
	snprintf(text, sizeof(text), "{\"event\":\"state\",\"id\":%lld}",
	         (long long)id);
	say(p.vmm, text);
	assert_null(receive(p.user, 200));
	assert_string_equal(names(d, "g"), "disk");
	reply_done(p.vmm, id, false);
	expect(p.user, 601);
	close(pipes[0]);
	close(pipes[1]);
	end(&p);
}

static void test_query(void **state)
{
	struct daemon *d = *state;
	struct peers p;
	json_t *doc;
	char text[128];
	json_int_t id;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "query", "g", NULL, "");
	id = hear(p.vmm, "query", 0, NULL);
	snprintf(text, sizeof(text),
	         "{\"event\":\"state\",\"id\":%lld,\"vcpus\":[41]}",
	         (long long)id);
	say(p.vmm, text);
	doc = receive(p.user, 5000);
	assert_true(json_is_true(json_object_get(doc, "ok")));
	assert_int_equal(json_integer_value(json_array_get(
				 json_object_get(doc, "vcpus"), 0)),
	                 41);
	assert_null(json_object_get(doc, "id"));
	assert_string_equal(member(doc, "guest"), "g");
	json_decref(doc);
	end(&p);
}

/* More than a datagram holds, both ways. */
static void test_long_query(void **state)
{
	static char text[2 * NETD_MSG_MAX];
	struct daemon *d = *state;
	struct peers p;
	json_t *doc;
	int mem, n;

	build(d, policy);
	p = start(d, "g");
	request(p.user, "query", "g", NULL, "");
	n = snprintf(text, sizeof(text),
	             "{\"event\":\"state\",\"id\":%lld,\"vcpus\":[",
	             (long long)hear(p.vmm, "query", 0, NULL));
	while (n < NETD_MSG_MAX + 1000)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "1000000,");
	n += snprintf(text + n, sizeof(text) - (size_t)n, "7]}");
	mem = memfd_create("state", MFD_ALLOW_SEALING);
	assert_int_equal(fd_pwrite_full(mem, text, (size_t)n, 0), 0);
	assert_int_equal(fcntl(mem, F_ADD_SEALS,
	                       F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK),
	                 0);
	assert_int_equal(fd_send(p.vmm, "{\"body\":\"memfd\"}", 16, &mem, 1),
	                 0);
	close(mem);
	doc = receive(p.user, 5000);
	assert_string_equal(member(doc, "body"), "memfd");
	json_decref(doc);
	end(&p);
}

/* A card that the policy names for another guest is not there: this guest
 * does not need it. */
static void test_missing_elsewhere(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, policy);
	shell(d, "rm -r " OTHER);
	p = start(d, "g");
	assert_string_equal(names(d, "g"), "disk");
	end(&p);
}

/* Two functions of one card: one slot, and always together. */
static void test_companions(void **state)
{
	static const char pair[] =
		"version: 1\n"
		"devices:\n"
		"  - { name: pair, match: { pci: \"0000:01:10.0\" }, "
		"group: with-companions, rom: none }\n"
		"guests:\n"
		"  - { name: g, memory: 512M, kernel: /k, devices: [{ use: "
		"pair, slot: \"06.0\" }] }\n";
	struct daemon *d = *state;
	struct peers p;
	json_t *event, *dev;
	json_int_t id;

	build(d, pair);
	p = start(d, "g");
	assert_string_equal(names(d, "g"), "pair pair:2");
	request(p.user, "detach", "g", "pair:2", "");
	id = hear(p.vmm, "detach", 0, &event);
	assert_string_equal(member(event, "device"), "pair");
	json_decref(event);
	reply_done(p.vmm, id, true);
	expect(p.user, 0);
	assert_string_equal(names(d, "g"), "");
	request(p.user, "attach", "g", "pair", "");
	id = hear(p.vmm, "attach", 2, &event);
	dev = json_array_get(json_object_get(event, "devices"), 1);
	assert_string_equal(member(dev, "name"), "pair:2");
	assert_string_equal(member(dev, "rom"), "none");
	assert_int_equal(json_integer_value(json_object_get(dev, "slot")), 6);
	assert_int_equal(json_integer_value(json_object_get(dev, "function")),
	                 2);
	json_decref(event);
	reply_done(p.vmm, id, true);
	expect(p.user, 0);
	/* It goes by itself: told of each function. */
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"pair\"}");
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"pair:2\"}");
	usleep(200000);
	assert_string_equal(names(d, "g"), "");
	end(&p);
}

/* Another's device is just being unbound: the kernel tells its override only
 * when that is done. Nobody else waits for it. */
static void test_unbinding_elsewhere(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, policy);
	shell(d, "rm " OTHER "/driver_override && mkfifo " OTHER
	         "/driver_override");
	p = start(d, "g");
	assert_string_equal(names(d, "g"), "disk");
	request(p.user, "detach", "g", "disk", "");
	reply_done(p.vmm, hear(p.vmm, "detach", 0, NULL), true);
	expect(p.user, 0);
	request(p.user, "attach", "g", "disk", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 1, NULL), true);
	expect(p.user, 0);
	end(&p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_detach_attach),
		T(test_spare),
		T(test_refused_by_vmm),
		T(test_refused_by_netd),
		T(test_silence),
		T(test_guest_ends),
		T(test_asker_goes),
		T(test_restarted),
		T(test_gone),
		T(test_host_takes),
		T(test_nonsense),
		T(test_query),
		T(test_long_query),
		T(test_missing_elsewhere),
		T(test_unbinding_elsewhere),
		T(test_companions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
