/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root port and its slot: port.h. */

#include "vmm/port.h"

#define COMMAND_MASTER BIT(2)
#define LED_OFF 3

/* PCIe 6.0 6.7.3.4: a message each time it becomes true. A port that may not
 * write to memory sends none. */
static void tell(struct port *p)
{
	struct cfg_msi_state msi = cfg_msi_state(&p->cfg);
	bool raised = cfg_port_interrupt(&p->cfg);

	if (raised && !p->raised && msi.enabled &&
	    (cfg_command(&p->cfg) & COMMAND_MASTER))
		kvm_signal_msi(p->vm, msi.addr, msi.data);
	p->raised = raised;
}

void port_follow(struct port *p)
{
	struct cfg_bridge b = cfg_bridge_buses(&p->cfg);
	bool open = b.subordinate >= b.secondary && !b.reset &&
	            cfg_port_slot(&p->cfg).link;

	p->bus = open ? b.secondary : 0;
}

void port_reset(struct port *p)
{
	cfg_reset(&p->cfg);
	p->raised = false;
	port_follow(p);
}

void port_init(struct port *p, struct vm *vm, const struct cfg_port *c)
{
	p->vm = vm;
	p->slot = c->slot;
	cfg_compose_root_port(&p->cfg, c);
	port_reset(p);
}

static bool may_go(const struct cfg_slot *s)
{
	return !s->powered && s->power_led == LED_OFF;
}

struct port_order port_write(struct port *p, unsigned off, unsigned width,
                             uint32_t value)
{
	struct cfg_slot was = cfg_port_slot(&p->cfg), is;
	bool held = cfg_bridge_buses(&p->cfg).reset;

	(void)cfg_write(&p->cfg, off, width, value);
	port_follow(p);
	tell(p);
	is = cfg_port_slot(&p->cfg);
	return (struct port_order){
		/* Without a link there is nobody to be reset: a guest must not
		 * keep a device busy that it has lost. */
		.reset = was.link &&
		         (!is.link ||
		          (!held && cfg_bridge_buses(&p->cfg).reset)),
		.dark = was.present && was.powered && !is.powered,
		.eject = !may_go(&was) && may_go(&is),
	};
}

void port_insert(struct port *p, const struct cfg_port *link)
{
	cfg_port_set_link(&p->cfg, link);
	cfg_port_set_present(&p->cfg, true);
	cfg_port_press(&p->cfg);
	port_follow(p);
	tell(p);
}

void port_remove(struct port *p)
{
	cfg_port_set_present(&p->cfg, false);
	port_follow(p);
	tell(p);
}

void port_press(struct port *p)
{
	cfg_port_press(&p->cfg);
	tell(p);
}
