/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host bridge and its ports ask of KVM and of assigned functions, and
 * a test does not look at. To be included by one file of a test.
 */
#ifndef FL_TESTS_FAKE_PCI_H
#define FL_TESTS_FAKE_PCI_H

#include "vmm/assign.h"

static _Atomic unsigned messages;

void kvm_signal_msi(struct vm *vm _unused_, uint64_t addr _unused_,
                    uint32_t data _unused_)
{
	messages++;
}

int coalesce_add(struct vm *vm _unused_, uint16_t port _unused_,
                 uint16_t size _unused_)
{
	return 0;
}

void assign_bus_reset(struct vm *vm _unused_, uint8_t slot _unused_)
{
}

void assign_match_link(struct vm *vm _unused_, uint8_t slot _unused_,
                       struct cfg_port *p _unused_)
{
}

#endif
