/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of sysfs that hang, answer late, half or with rubbish, or go while they
 * are read. The daemon answers each question, be it with a refusal, and others
 * meanwhile. */

#include "tests/unit/netd/daemon.h"

#define DEVICES "sys/bus/pci/devices/"
#define PF DEVICES "0000:01:00.0"

static const char *const attributes[] = {
	"sriov_totalvfs",  "sriov_numvfs", "vendor",
	"device",          "class",        "sriov_drivers_autoprobe",
	"numa_node",       "sriov_offset", "sriov_stride",
	"driver_override",
};
static const char *const good[] = { "7", "0", "0x8086", "0x10c9", "0x020000",
	                            "1", "0", "128",    "2",      "(null)" };

static char *path_of(const struct daemon *d, const char *attribute)
{
	static char path[192];

	snprintf(path, sizeof(path), "%s/" PF "/%s", d->dir.path, attribute);
	return path;
}

static void put_text(const struct daemon *d, const char *attribute,
                     const char *text, size_t len)
{
	int fd =
		open(path_of(d, attribute), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, text, len, 0), 0);
	close(fd);
}

static void put_pf(const struct daemon *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		unlink(path_of(d, attributes[i]));
		put_text(d, attributes[i], good[i], strlen(good[i]));
	}
}

static json_t *ask(int fd)
{
	say(fd, "{\"version\":1,\"verb\":\"status\"}");
	return receive(fd, 9000);
}

/* PFs of the status; -1 = it was refused, with words. */
static int pfs(const struct daemon *d)
{
	int fd = dial(d), n = -1;
	json_t *doc = ask(fd);
	const json_t *e = json_object_get(doc, "error");

	assert_non_null(doc);
	if (json_is_true(json_object_get(doc, "ok")))
		n = (int)json_array_size(json_object_get(doc, "pfs"));
	else
		assert_true(*json_string_value(json_object_get(e, "what")) &&
		            *json_string_value(json_object_get(e, "mend")));
	json_decref(doc);
	close(fd);
	return n;
}

static void well(const struct daemon *d)
{
	shell(d, "mkdir -p " PF);
	put_pf(d);
	assert_int_equal(pfs(d), 1);
}

/* One after the other does not return. Whoever asks of no device is answered
 * at once, and all are when it comes back. */
static void test_hang(void **state)
{
	struct daemon *d = *state;

	well(d);
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		int hung = dial(d), other = dial(d), fifo;
		uint64_t begun = now_ns();
		json_t *doc;

		unlink(path_of(d, attributes[i]));
		assert_int_equal(mkfifo(path_of(d, attributes[i]), 0600), 0);
		say(hung, "{\"version\":1,\"verb\":\"status\"}");
		send_policy(other, "plan", "not a policy");
		expect(other, FL_POL_TYPE);
		assert_true(now_ns() - begun < 2000000000ull);
		/* Whoever reads it now is let go, with nothing read. */
		for (int k = 0; k < 40; k++) {
			fifo = open(path_of(d, attributes[i]),
			            O_WRONLY | O_NONBLOCK | O_CLOEXEC);
			if (fifo >= 0)
				close(fifo);
			usleep(5000);
		}
		put_pf(d);
		doc = receive(hung, 9000);
		assert_non_null(doc);
		json_decref(doc);
		close(hung);
		close(other);
	}
	assert_int_equal(pfs(d), 1);
}

/* What comes late is the answer all the same. */
static void test_late(void **state)
{
	struct daemon *d = *state;
	int fd = dial(d), fifo;
	const json_t *pf;
	json_t *doc;

	well(d);
	unlink(path_of(d, "vendor"));
	assert_int_equal(mkfifo(path_of(d, "vendor"), 0600), 0);
	say(fd, "{\"version\":1,\"verb\":\"status\"}");
	assert_null(receive(fd, 1000));
	/* As often as it is read. */
	fifo = open(path_of(d, "vendor"), O_RDWR | O_CLOEXEC);
	assert_true(fifo >= 0);
	doc = NULL;
	for (int i = 0; !doc && i < 80; i++) {
		int w = open(path_of(d, "vendor"),
		             O_WRONLY | O_NONBLOCK | O_CLOEXEC);

		(void)!write(w, "0x8086\n", 7);
		close(w);
		close_fd(&fifo);
		doc = receive(fd, 100);
		fifo = open(path_of(d, "vendor"), O_RDWR | O_CLOEXEC);
	}
	close_fd(&fifo);
	assert_true(json_is_true(json_object_get(doc, "ok")));
	pf = json_array_get(json_object_get(doc, "pfs"), 0);
	assert_string_equal(json_string_value(json_object_get(pf, "bdf")),
	                    "0000:01:00.0");
	json_decref(doc);
	close(fd);
}

/* Half a word, none, too long a one, more than a page. */
static void test_half(void **state)
{
	static char page[3 * SYSFS_MAX];
	static const char *const texts[] = { "",
		                             "\n",
		                             "0x",
		                             "-1",
		                             "7 7",
		                             "0x80860000000000000000",
		                             "99999999999999999999999",
		                             "\xff\xfe\x80",
		                             "../../etc/passwd" };
	struct daemon *d = *state;

	well(d);
	memset(page, '7', sizeof(page));
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		put_pf(d);
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
			put_text(d, attributes[i], texts[k], strlen(texts[k]));
			(void)pfs(d);
		}
		put_text(d, attributes[i], page, sizeof(page));
		(void)pfs(d);
	}
	well(d);
}

/* It is there and not there, as a card that is pulled and put in again. */
static void test_vanish(void **state)
{
	struct daemon *d = *state;
	char line[400];
	pid_t pid;

	well(d);
	snprintf(line, sizeof(line),
	         "cd %s/" DEVICES " && cp -r 0000:01:00.0 ../kept && "
	         "while [ ! -e stop ]; do rm -rf 0000:01:00.0; "
	         "cp -r ../kept 0000:01:00.0; mv 0000:01:00.0 0000:02:00.0; "
	         "rm -rf 0000:02:00.0; done; rm -f stop",
	         d->dir.path);
	pid = fork();
	if (!pid)
		_exit(system(line) != 0);
	for (int i = 0; i < 30; i++)
		assert_true(pfs(d) <= 2);
	shell(d, "touch " DEVICES "stop");
	waitpid(pid, NULL, 0);
	well(d);
}

/* A VF more, a VF less, while all are read. */
static void test_renumbered(void **state)
{
	struct daemon *d = *state;
	char line[400];
	pid_t pid;

	well(d);
	for (int i = 0; i < 4; i++) {
		snprintf(line, sizeof(line),
		         "cd " DEVICES " && mkdir 0000:01:10.%d && "
		         "cp 0000:01:00.0/vendor 0000:01:00.0/device "
		         "0000:01:00.0/class 0000:01:10.%d && ln -s "
		         "../0000:01:00.0 0000:01:10.%d/physfn",
		         i, i, i);
		shell(d, line);
	}
	snprintf(line, sizeof(line),
	         "cd %s/" PF
	         " && while [ ! -e ../stop ]; do for n in 4 1 0 3 2; "
	         "do rm -f virtfn*; i=0; while [ $i -lt $n ]; do ln -s "
	         "../0000:01:10.$i virtfn$i; i=$((i+1)); done; echo $n > "
	         "sriov_numvfs; done; done; rm -f ../stop virtfn*",
	         d->dir.path);
	pid = fork();
	if (!pid)
		_exit(system(line) != 0);
	for (int i = 0; i < 30; i++)
		assert_true(pfs(d) <= 1);
	shell(d, "touch " DEVICES "stop");
	waitpid(pid, NULL, 0);
	well(d);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_hang),   T(test_late),       T(test_half),
		T(test_vanish), T(test_renumbered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
