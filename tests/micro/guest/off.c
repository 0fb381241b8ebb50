/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Powers off at once: for runs that are about what comes before a guest. */
#include "tests/micro/guest/guest.h"

void guest_main(void)
{
	say("off", 0);
	power_off();
}
