/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_MICRO_MACHINE_H
#define FL_MICRO_MACHINE_H

/*
 * A whole machine around a tiny guest: the real vm_new() and vm_run(), with
 * two root ports that have nothing behind them, its console on a pipe.
 */

#include "vmm/priv.h"

#define TEST_PORT 0x5000
#define TEST_DEADLINE_S 15u

struct machine {
	struct vm *vm;
	struct diag diag;
	int console;     /* read end */
	char text[8192]; /* what the guest has said */
	size_t len;
	pthread_t thread;
	enum vm_end end;
	_Atomic unsigned writes[256]; /* to TEST_PORT, by value */
	_Atomic unsigned answer;      /* what TEST_PORT reads */
};

/* Exits 77 with the reason where there is no /dev/kvm. */
void machine_need_kvm(void);
/* `guest`: tests/micro/guest/GUEST.c. */
void machine_start(struct machine *m, const char *guest, unsigned cpus);
/* With what `add` puts in, placed as the machine places it, and no other
 * port. */
void machine_start_with(struct machine *m, const char *guest, unsigned cpus,
                        void (*add)(struct vm *vm));
/* With CPUs of a shape, and at places. */
void machine_start_cpus(struct machine *m, const char *guest, unsigned cpus,
                        const struct vm_cpus *cpu);
/* Reads the console until it holds `word`, or the guest has ended; false
 * after the deadline. */
bool machine_expect(struct machine *m, const char *word);
/* Waits for the guest's own end; the machine stays for a look. */
enum vm_end machine_wait(struct machine *m);
void machine_free(struct machine *m);
/* No more than vm_new(), in a process that may have so many descriptors from
 * now on: in a child of the test's. */
int machine_make(const char *guest, unsigned files, struct vm **ret,
                 struct diag *d);
/* All of that, with one CPU: the guest says "done", and ends. `add` NULL: the
 * two ports. */
void machine_done(const char *guest, void (*add)(struct vm *vm));

#endif
