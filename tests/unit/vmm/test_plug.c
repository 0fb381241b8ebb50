/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices of our own into a machine that runs and out of it: by netd's orders,
 * by the control socket, with and without a guest's leave. */

#include "plug_rig.h"

/* ---- one disk ---- */

static void test_polite(void **state)
{
	struct rig *r = *state;

	assert_false(slot_status(r, 1) & PRESENT);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(attach_disk(r, "data", 1), 0);
		assert_true(slot_status(r, 1) & PRESENT);
		bring_up(r, 1);
		messages = 0;
		assert_int_equal(
			request(r, VIRTIO_BLK_T_OUT, 7, (uint8_t)(0x41 + i)),
			0);
		assert_int_equal(byte_at(r, (off_t)7 * 512), 0x41 + i);
		assert_true(messages > 0);
		detach(r, "data", 60000);
		assert_true(slot_status(r, 1) & PRESSED);
		/* Its driver works on until it lets go. */
		assert_null(answer(r, 20));
		assert_int_equal(
			request(r, VIRTIO_BLK_T_OUT, 8, (uint8_t)(0x61 + i)),
			0);
		put(r, BAR0 + STATUS, 1, 0);
		power(r, 1, false);
		assert_int_equal(result(r, 1000, false), 0);
		assert_false(slot_status(r, 1) & PRESENT);
		assert_int_equal(get(r, BAR0 + STATUS, 1), 0xff);
		assert_int_equal(get(r, ecam(1, 0, 0), 4), NO_CHECK);
		assert_int_equal(count_fds(), r->fds);
		usleep(260000); /* SLOT_CALM_NS */
	}
	assert_int_equal(hotplug_stats(r->m.vm.hotplug).adds, 3);
	assert_int_equal(hotplug_stats(r->m.vm.hotplug).removes, 3);
	assert_int_equal(hotplug_stats(r->m.vm.hotplug).forced, 0);
}

/* By force: errors first, then it is away, then its registers. */
static void test_forced(void **state)
{
	struct rig *r = *state;

	assert_int_equal(attach_disk(r, "data", 2), 0);
	bring_up(r, 2);
	assert_int_equal(request(r, VIRTIO_BLK_T_OUT, 1, 0x55), 0);
	detach(r, "data", 0);
	assert_true(slot_status(r, 2) & PRESENT);
	assert_int_equal(request(r, VIRTIO_BLK_T_OUT, 1, 0x66),
	                 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(r, VIRTIO_BLK_T_IN, 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(byte_at(r, 512), 0x55);
	assert_null(answer(r, 300));
	assert_false(slot_status(r, 2) & PRESENT);
	assert_int_equal(get(r, ecam(2, 0, 0), 4), NO_CHECK);
	/* A request that it had on its way all the same; then its reset. */
	assert_int_equal(request(r, VIRTIO_BLK_T_FLUSH, 0, 0),
	                 VIRTIO_BLK_S_IOERR);
	put(r, BAR0 + STATUS, 1, 0);
	assert_int_equal(get(r, BAR0 + STATUS, 1), 0);
	power(r, 2, false);
	assert_int_equal(result(r, 1000, true), 0);
	assert_int_equal(get(r, BAR0 + STATUS, 1), 0xff);
	assert_int_equal(count_fds(), r->fds);
}

/* A guest that does nothing about it keeps nothing. */
static void test_deaf(void **state)
{
	struct rig *r = *state;

	assert_int_equal(attach_disk(r, "data", 2), 0);
	bring_up(r, 2);
	detach(r, "data", 50);
	assert_int_equal(result(r, 20000, true), 0);
	assert_int_equal(get(r, BAR0 + STATUS, 1), 0xff);
	/* It rests until the guest must have noticed. */
	assert_int_equal(count_fds(), r->fds);
}

/* While the guest stands still, and as it is reset: at once. */
static void test_still(void **state)
{
	struct rig *r = *state;
	struct vm *vm = &r->m.vm;

	assert_int_equal(attach_disk(r, "data", 2), 0);
	bring_up(r, 2);
	vcpus_park(vm);
	detach(r, "data", 60000);
	assert_int_equal(result(r, 100, true), 0);
	assert_true(atomic_load(&vm->park_wanted));
	hotplug_guest_dead(vm->hotplug);
	assert_int_equal(attach_disk(r, "data", 2), 0);
	vcpus_unpark(vm);
	detach(r, "data", 60000);
	assert_null(answer(r, 20));
	vcpus_park(vm);
	hotplug_guest_dead(vm->hotplug);
	own_reset_all(vm);
	assert_int_equal(result(r, 100, true), 0);
	vcpus_unpark(vm);
	assert_int_equal(count_fds(), r->fds);
}

static void test_ejected(void **state)
{
	struct rig *r = *state;
	json_t *o;

	assert_int_equal(attach_disk(r, "data", 3), 0);
	power(r, 3, true);
	power(r, 3, false);
	o = answer(r, 1000);
	assert_string_equal(json_string_value(json_object_get(o, "event")),
	                    "gone");
	assert_string_equal(json_string_value(json_object_get(o, "device")),
	                    "data");
	assert_string_equal(json_string_value(json_object_get(o, "reason")),
	                    "guest");
	json_decref(o);
	assert_int_equal(count_fds(), r->fds);
}

/* ---- others, and refusals ---- */

#define RNG "\"rng\": {\"slot\": 1}"
#define E1000                                                                  \
	"\"nics\": [{\"name\": \"lan\", \"slot\": 2, \"model\": \"e1000\", "   \
	"\"mac\": \"02:00:00:00:00:01\", \"pairs\": 1}]"

static int datagrams(void)
{
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s),
	                 0);
	close(s[1]);
	return s[0];
}

static void test_kinds(void **state)
{
	struct rig *r = *state;

	assert_int_equal(attach_plain(r, E1000, datagrams(), "\"tap:lan:0\""),
	                 0);
	power(r, 2, true);
	assert_int_equal(get(r, ecam(2, 0, 0), 4), 0x100e8086);
	detach(r, "lan", 1);
	assert_int_equal(result(r, 20000, true), 0);
	assert_int_equal(count_fds(), r->fds);
	/* The one that the guest began with stays. */
	assert_int_equal(attach_plain(r, RNG, -1, ""), FL_VMM_HOTPLUG);
	detach(r, "rng", 1000);
	assert_int_equal(result(r, 1000, false), FL_VMM_FIXED);
}

static void test_refused(void **state)
{
	struct rig *r = *state;

	assert_int_equal(attach_disk(r, "data", 9), FL_VMM_HOTPLUG);
	assert_int_equal(attach_disk(r, "data", PORTS), FL_VMM_HOTPLUG);
	assert_int_equal(attach_disk(r, "rng", 1), FL_VMM_HOTPLUG);
	detach(r, "data", 0);
	assert_int_equal(result(r, 1000, false), FL_VMM_HOTPLUG);
	/* A tap that is none; and a file that holds nothing. */
	assert_int_equal(ftruncate(r->image, 0), 0);
	assert_int_equal(attach_disk(r, "data", 1), FL_VMM_DISK);
	assert_int_equal(ftruncate(r->image, DISK), 0);
	assert_false(slot_status(r, 1) & PRESENT);
	assert_int_equal(count_fds(), r->fds);
	assert_int_equal(attach_disk(r, "data", 1), 0);
	/* Unlocked nowhere: it is the slot that is refused. */
	r->path[0] = '/';
	assert_int_equal(attach_plain(r, RNG, -1, ""), FL_VMM_HOTPLUG);
}

static void test_words(void **state)
{
	static const char *const bad[] = {
		"\"event\": \"attach\"",
		"\"event\": \"attach\", \"fds\": []",
		"\"event\": \"attach\", \"disks\": [], \"fds\": []",
		"\"event\": \"attach\", \"disks\": [{\"name\": \"a\", \"slot\":"
		" 1}], \"fds\": []",
		"\"event\": \"attach\", \"vconsole\": {\"slot\": 1}, "
		"\"fds\": []",
		"\"event\": \"attach\", \"rng\": {\"slot\": 1}, \"fds\": "
		"[\"disk:a\"]",
		"\"event\": \"attach\", \"rng\": {\"slot\": 0}, \"fds\": []",
		"\"event\": \"attach\", \"rng\": {\"slot\": 1}, \"vsock\": "
		"{\"slot\": 2, \"cid\": 9}, \"fds\": []",
		"\"event\": \"attach\", \"rng\": {\"slot\": 1}",
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[512];
		struct conn_order o;

		snprintf(text, sizeof(text), "{\"id\": %llu, %s}",
		         (unsigned long long)++r->id, bad[i]);
		assert_int_equal(fd_send(r->netd, text, strlen(text), NULL, 0),
		                 0);
		assert_int_equal(conn_input(hotplug_conn(r->m.vm.hotplug), &o),
		                 0);
		assert_int_equal(result(r, 100, false), FL_VMM_CONN);
	}
}

/* By the control socket: at once; netd is told when it has gone. */
static void test_control(void **state)
{
	struct rig *r = *state;
	struct hotplug *h = r->m.vm.hotplug;
	struct plug p = { .kind = PLUG_RNG, .name = "rng", .slot = 1 };
	struct diag d;
	json_t *o;

	assert_int_equal(hotplug_plug(NULL, &p, &d), -EBUSY);
	p = (struct plug){ .kind = PLUG_RNG, .name = "rng", .slot = 1 };
	assert_int_equal(hotplug_plug(h, &p, &d), -EEXIST);
	p = (struct plug){ .kind = PLUG_DISK, .name = "data", .slot = 1 };
	p.disk = (struct vm_disk){ .name = "data", .slot = 1 };
	p.disk.fd = open(r->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(hotplug_plug(h, &p, &d), 0);
	assert_true(slot_status(r, 1) & PRESENT);
	assert_int_equal(hotplug_unplug(h, "rng", 0, &d), -EOPNOTSUPP);
	assert_int_equal(hotplug_unplug(h, "none", 0, &d), -ENOENT);
	assert_int_equal(hotplug_unplug(NULL, "data", 0, &d), -EBUSY);
	assert_int_equal(hotplug_unplug(h, "data", 0, &d), 0);
	o = answer(r, 20000);
	assert_string_equal(json_string_value(json_object_get(o, "reason")),
	                    "control");
	json_decref(o);
	assert_int_equal(count_fds(), r->fds);
}

/* ---- a CPU that never stops ---- */

static void nothing(int sig)
{
	(void)sig;
}

static unsigned any(struct rig *r, unsigned below)
{
	r->seed = r->seed * 1103515245u + 12345u;
	return (r->seed >> 8) % below;
}

/* Registers, rings, power: whatever may be there. */
static void access_one(struct rig *r)
{
	static const unsigned offs[] = { STATUS, 22, 24, 26, 28, 32, NOTIFY };
	unsigned slot = 1 + any(r, 3);
	uint64_t dev = ecam(slot, 0, 0);

	switch (any(r, 8)) {
	case 0:
		power(r, slot, any(r, 4));
		break;
	case 1:
		put(r, dev + 4, 2, any(r, 8));
		break;
	case 2:
		put(r, dev + 0x10, 4, BAR0);
		put(r, dev + 0x18, 4, BAR2);
		put(r, dev + 4, 2, 6);
		break;
	case 3:
		put(r, BAR0 + offs[any(r, ARRAY_SIZE(offs))], 2, any(r, 256));
		break;
	case 4:
		(void)get(r, dev + any(r, 256), 1);
		(void)get(r, BAR2 + any(r, 64), 4);
		break;
	case 5:
		put(r, BAR2 + 4ull * any(r, 12), 4, any(r, 2));
		break;
	default:
		if (get(r, dev, 4) == 0x10421af4) {
			start_driver(r, slot);
			(void)request(r, any(r, 2), any(r, 64), 1);
		}
	}
	r->accesses++;
}

static void *run_cpu(void *arg)
{
	struct rig *r = arg;
	struct vm *vm = &r->m.vm;

	while (!atomic_load(&vm->stopping)) {
		if (r->run.immediate_exit || atomic_load(&vm->park_wanted))
			(void)vcpu_park_point(&r->cpu);
		else
			access_one(r);
	}
	return NULL;
}

static void start_cpu(struct rig *r)
{
	struct vm *vm = &r->m.vm;

	signal(SIGRTMIN, nothing);
	vm->cpu = &r->cpu;
	vm->cfg.cpus = 1;
	r->cpu.vm = vm;
	r->cpu.run = &r->run;
	r->cpu.started = true;
	assert_int_equal(pthread_create(&r->cpu.thread, NULL, run_cpu, r), 0);
}

/* What was begun has an end, whoever had the last word; until the slot has
 * rested, it is refused. */
static void test_stress(void **state)
{
	struct rig *r = *state;
	unsigned done = 0;

	r->seed = 1;
	r->patience_ms = 5;
	start_cpu(r);
	for (unsigned i = 0; i < 24; i++) {
		json_t *o;

		if (attach_disk(r, "data", 1 + i % 3))
			continue;
		usleep(1000u * (i % 7));
		detach(r, "data", i % 2 ? 0 : 30);
		hotplug_eject(&r->m.vm, (uint8_t)(1 + i % 3));
		o = answer(r, 20000);
		assert_non_null(o);
		json_decref(o);
		while ((o = answer(r, 1)))
			json_decref(o);
		done++;
	}
	vcpus_stop(&r->m.vm);
	print_message("%u cycles, %u accesses beside them\n", done,
	              r->accesses);
	assert_true(done >= 12);
	assert_int_equal(count_fds(), r->fds);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_polite),  TEST(test_forced),  TEST(test_deaf),
		TEST(test_still),   TEST(test_ejected), TEST(test_kinds),
		TEST(test_refused), TEST(test_words),   TEST(test_control),
		TEST(test_stress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
