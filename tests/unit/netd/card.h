/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_NETD_CARD_H
#define FL_TEST_NETD_CARD_H

/* Cards with VFs in a tree of files, and the policy that is applied there.
 * After cmocka.h. */

#include <stdio.h>
#include <stdlib.h>

/* A PF at BUS:00.0, its two VFs at BUS:10.0 and .1, no driver; `node` -1: the
 * kernel does not tell it. */
static inline void put_card(const char *root, unsigned bus, int node)
{
	char line[1024];

	snprintf(line, sizeof(line),
	         "set -e; b=0000:%02x; mkdir -p %s/sys/bus/pci/devices; "
	         "cd %s/sys/bus/pci/devices; "
	         "for f in $b:00.0 $b:10.0 $b:10.1; do mkdir $f; "
	         "echo 0x8086 >$f/vendor; echo 0x10ca >$f/device; "
	         "echo 0x020000 >$f/class; echo %d >$f/numa_node; "
	         ": >$f/driver_override; done; "
	         "cd $b:00.0; echo 7 >sriov_totalvfs; echo 2 >sriov_numvfs; "
	         "echo 1 >sriov_drivers_autoprobe; "
	         "echo 128 >sriov_offset; echo 1 >sriov_stride; "
	         "for i in 0 1; do ln -s ../$b:10.$i virtfn$i; "
	         "ln -s ../$b:00.0 ../$b:10.$i/physfn; done",
	         bus, root, root, node);
	assert_int_equal(system(line), 0);
}

/* `state` is below it. */
static inline void put_applied(const char *root, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/state/applied.yaml", root);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

#endif
