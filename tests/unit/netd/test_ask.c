/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What netd asks of a running guest, and how it ends: attach and detach. */

#include "tests/unit/netd/script.h"

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
	json_t *doc = receive(p.user, 12000);
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

#define OWN_HEAD                                                               \
	"version: 1\nguests:\n"                                                \
	"  - { name: g, memory: 512M, kernel: /k, rng: false, disks: ["        \
	"{ name: root, path: /root.img }"
#define OWN_DATA ", { name: data, path: /data.img"

static int attach_slot(struct peers *p, const char *name)
{
	json_t *event, *disk;
	json_int_t id;
	int slot;

	request(p->user, "attach", "g", name, "");
	id = hear(p->vmm, "attach", 1, &event);
	disk = json_array_get(json_object_get(event, "disks"), 0);
	assert_string_equal(member(disk, "name"), name);
	assert_null(json_object_get(event, "devices"));
	slot = (int)json_integer_value(json_object_get(disk, "slot"));
	json_decref(event);
	reply_done(p->vmm, id, true);
	expect(p->user, 0);
	return slot;
}

static void detach_now(struct peers *p, const char *name)
{
	request(p->user, "detach", "g", name, ",\"now\":true");
	reply_done(p->vmm, hear(p->vmm, "detach", 0, NULL), true);
	expect(p->user, 0);
}

/* What the VMM itself is: named in a policy that was changed since, too; in the
 * slot that this gives it where the guest has that, else in one that is free.
 */
static void test_own(void **state)
{
	struct daemon *d = *state;
	struct peers p;
	json_t *doc;

	build(d, OWN_HEAD "] }\n");
	shell(d, "truncate -s 1M root.img data.img");
	p = start(d, "g");
	request(p.user, "attach", "g", "root", "");
	expect(p.user, FL_NETD_LEASED);
	request(p.user, "attach", "g", "data", "");
	expect(p.user, FL_NETD_DEVICE);
	write_policy(d, OWN_HEAD OWN_DATA " }] }\n");
	request(p.user, "attach", "g", "dada", "");
	expect(p.user, FL_NETD_DEVICE);
	assert_int_equal(attach_slot(&p, "data"), 2);
	request(p.user, "attach", "g", "data", "");
	expect(p.user, FL_NETD_LEASED);
	detach_now(&p, "root");
	request(p.user, "detach", "g", "root", "");
	expect(p.user, FL_NETD_DEVICE);
	request(p.user, "detach", "g", "dato", "");
	doc = receive(p.user, 5000);
	assert_non_null(strstr(member(json_object_get(doc, "error"), "mend"),
	                       "\"data\""));
	json_decref(doc);
	/* Where it was; and where the guest has no such port: the slot of root
	 * is the policy's. */
	detach_now(&p, "data");
	assert_int_equal(attach_slot(&p, "data"), 2);
	detach_now(&p, "data");
	write_policy(d, OWN_HEAD OWN_DATA ", slot: \"09.0\" }] }\n");
	assert_int_equal(attach_slot(&p, "data"), 2);
	write_policy(d, OWN_HEAD OWN_DATA
	             " }, { name: more, path: /more.img }] }\n");
	request(p.user, "attach", "g", "more", "");
	expect(p.user, FL_NETD_DISK);
	/* The guest's own doing; then it may be somebody else's name. */
	say(p.vmm, "{\"event\":\"gone\",\"device\":\"data\",\"reason\":"
	           "\"guest\"}");
	usleep(200000);
	shell(d, "truncate -s 1M more.img");
	assert_int_equal(attach_slot(&p, "data"), 2);
	/* Its last one is the slot that root may come back to. */
	assert_int_equal(attach_slot(&p, "more"), 1);
	write_policy(d, OWN_HEAD OWN_DATA
	             " }, { name: more, path: /more.img "
	             "}, { name: last, path: /last.img }] }\n");
	request(p.user, "attach", "g", "last", "");
	expect(p.user, FL_NETD_DEVICE);
	end(&p);
}

/* A VMM that refuses has nothing of it. */
static void test_own_refused(void **state)
{
	struct daemon *d = *state;
	struct peers p;

	build(d, OWN_HEAD "] }\n");
	shell(d, "truncate -s 1M root.img data.img");
	p = start(d, "g");
	write_policy(d, OWN_HEAD OWN_DATA " }] }\n");
	request(p.user, "attach", "g", "data", "");
	reply_done(p.vmm, hear(p.vmm, "attach", 1, NULL), false);
	expect(p.user, 601);
	assert_int_equal(attach_slot(&p, "data"), 2);
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
		T(test_detach_attach),     T(test_spare),
		T(test_refused_by_vmm),    T(test_refused_by_netd),
		T(test_silence),           T(test_guest_ends),
		T(test_asker_goes),        T(test_restarted),
		T(test_missing_elsewhere), T(test_unbinding_elsewhere),
		T(test_companions),        T(test_own),
		T(test_own_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
