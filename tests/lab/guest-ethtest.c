/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network driver's own tests of its device, offline, as ethtool -t runs them.
 * Static, since it runs in L2, whose initramfs has no libraries.
 *
 *   guest-ethtest INTERFACE    "NAME RESULT" a line, 0 = passed; status 1 if
 *                              one failed
 */

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TESTS_MAX 16u

struct names {
	struct ethtool_gstrings head;
	char name[TESTS_MAX][ETH_GSTRING_LEN];
};

struct results {
	struct ethtool_test head;
	uint64_t data[TESTS_MAX];
};

static int call(const char *nic, void *what)
{
	struct ifreq r = { .ifr_data = what };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ret;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", nic);
	ret = ioctl(fd, SIOCETHTOOL, &r);
	close(fd);
	return ret;
}

int main(int argc, char **argv)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct names n = { .head = { .cmd = ETHTOOL_GSTRINGS,
		                     .string_set = ETH_SS_TEST } };
	struct results t = { .head = { .cmd = ETHTOOL_TEST,
		                       .flags = ETH_TEST_FL_OFFLINE } };

	if (argc != 2 || call(argv[1], &info) < 0 ||
	    info.testinfo_len > TESTS_MAX)
		return 2;
	n.head.len = t.head.len = info.testinfo_len;
	if (call(argv[1], &n) < 0 || call(argv[1], &t) < 0)
		return 2;
	for (unsigned i = 0; i < info.testinfo_len; i++)
		printf("%.*s %llu\n", ETH_GSTRING_LEN, n.name[i],
		       (unsigned long long)t.data[i]);
	return t.head.flags & ETH_TEST_FL_FAILED ? 1 : 0;
}
