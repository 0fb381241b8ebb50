/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of devices from the pci.ids database, by libpci. Nothing of sysfs is
 * read here: the ids are known. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <pci/pci.h>

#include "sriov/priv.h"

#define PCI_NAMES(fn) fn(pci_alloc) fn(pci_lookup_name) fn(pci_cleanup)
struct pci_names {
	PCI_NAMES(LIB_FN)
};
static const char *const names[] = { PCI_NAMES(LIB_NAME) };

/* libpci ends the process on an error unless its handler leaves otherwise; it
 * gives the handler no argument, hence the thread's own pointer. */
struct names {
	struct pci_names lib;
	struct pci_access *access;
	jmp_buf failed;
};
static _Thread_local struct names *in_use;

// NOLINTBEGIN(readability-non-const-parameter): the types are libpci's
__attribute__((noreturn)) static void leave(char *msg, ...)
{
	(void)msg;
	longjmp(in_use->failed, 1);
}

static void silent(char *msg, ...)
{
	(void)msg;
}
// NOLINTEND(readability-non-const-parameter)

static bool look_up(struct names *n, const struct sriov_fn *f, char *buf,
                    size_t size)
{
	in_use = n;
	if (setjmp(n->failed))
		return false;
	return n->lib.pci_lookup_name(n->access, buf, (int)size,
	                              PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE |
	                                      PCI_LOOKUP_NO_NUMBERS,
	                              f->vendor, f->device) != NULL;
}

static bool find(struct names *n, const struct sriov_fn *f, char *buf,
                 size_t size)
{
	bool found;

	if (lib_load("libpci.so.3", names, ARRAY_SIZE(names), &n->lib))
		return false;
	n->access = n->lib.pci_alloc();
	n->access->method = PCI_ACCESS_SYS_BUS_PCI;
	n->access->error = leave;
	n->access->warning = silent;
	n->access->debug = silent;
	found = look_up(n, f, buf, size);
	in_use = NULL;
	n->lib.pci_cleanup(n->access);
	return found;
}

void sriov_describe(const struct sriov_fn *f, char *buf, size_t size)
{
	struct names n = { .access = NULL };

	if (size && !find(&n, f, buf, size))
		snprintf(buf, size, "%04x:%04x", f->vendor, f->device);
}
