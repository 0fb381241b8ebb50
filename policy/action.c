/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An action as a sentence, and as what a person would type for the same
 * effect. The commands are whole: typed as root in the plan's order they give
 * the end state that applying the plan gives.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

#define DEVICES "/sys/bus/pci/devices/"
#define PATH 96

const char *pol_op_name(enum pol_op op)
{
	static const char *const name[] = {
		[POL_OP_AUTOPROBE] = "autoprobe",
		[POL_OP_PF_MTU] = "pf-mtu",
		[POL_OP_NUMVFS] = "numvfs",
		[POL_OP_PARAM] = "param",
		[POL_OP_ESWITCH] = "eswitch",
		[POL_OP_PF_LINK] = "pf-link",
		[POL_OP_VF_MAC] = "vf-mac",
		[POL_OP_VF_VLAN] = "vf-vlan",
		[POL_OP_VF_RATE] = "vf-rate",
		[POL_OP_VF_SPOOF] = "vf-spoof",
		[POL_OP_VF_TRUST] = "vf-trust",
		[POL_OP_VF_RSS] = "vf-rss",
		[POL_OP_VF_LINK] = "vf-link",
		[POL_OP_GROUP] = "group",
		[POL_OP_VF_GROUP] = "vf-group",
		[POL_OP_GROUP_DEL] = "group-del",
		[POL_OP_BRIDGE] = "bridge",
		[POL_OP_PORT] = "port",
		[POL_OP_VF_MSIX] = "vf-msix",
		[POL_OP_NVME_KEEP] = "nvme-keep",
		[POL_OP_VF_RESOURCES] = "vf-resources",
		[POL_OP_VF_DRIVER] = "vf-driver",
		[POL_OP_OVERLAY] = "overlay",
		[POL_OP_OVERLAY_GONE] = "overlay-gone",
		[POL_OP_DEV_DRIVER] = "dev-driver",
	};

	_Static_assert(ARRAY_SIZE(name) == POL_OP_MAX, "a name each");
	return op < POL_OP_MAX ? name[op] : "unknown";
}

const char *pol_disruption_name(enum pol_disruption d)
{
	static const char *const name[] = {
		[POL_DIS_NONE] = "none",
		[POL_DIS_LINK] = "link",
		[POL_DIS_VF_LOST] = "vf-lost",
		[POL_DIS_HOST] = "host",
	};

	return (size_t)d < ARRAY_SIZE(name) ? name[d] : "unknown";
}

/* A buffer written to piece by piece; `n` counts what it would take. */
struct out {
	char *buf;
	size_t size, n;
};

static void put(struct out *o, const char *fmt, ...) _printf_(2, 3);
static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->n < o->size ? o->buf + o->n : NULL,
	              o->n < o->size ? o->size - o->n : 0, fmt, ap);
	va_end(ap);
	o->n += n > 0 ? (size_t)n : 0;
}

static const char *on_off(uint32_t v)
{
	return v ? "on" : "off";
}

static const char *proto_name(uint16_t proto)
{
	return proto == ETH_P_8021AD ? "802.1ad" : "802.1Q";
}

/* The PF as people call it; `b` holds its address where it has no name. */
static const char *pf_name(const struct pol_action *a, char b[BDF_STRLEN])
{
	return *a->ifname ? a->ifname : bdf_format(a->pf, b);
}

/* ---- sentences ----------------------------------------------------------- */

static void text_autoprobe(const struct pol_action *a, const char *pf,
                           struct out *o)
{
	put(o, "let %s the VFs of %s",
	    a->number ? "drivers probe" : "no driver probe", pf);
}

static void text_numvfs(const struct pol_action *a, const char *pf,
                        struct out *o)
{
	if (a->number)
		put(o, "create %u VF%s on %s", a->number,
		    a->number == 1 ? "" : "s", pf);
	else
		put(o, "remove the %u VF%s of %s", a->number_from,
		    a->number_from == 1 ? "" : "s", pf);
}

static void text_link(const struct pol_action *a, const char *pf, struct out *o)
{
	put(o, "set link of %s %s", pf, a->number ? "up" : "down");
}

static void text_mac(const struct pol_action *a, const char *pf, struct out *o)
{
	char mac[MAC_STRLEN];

	if (a->mac_draws)
		put(o, "set VF %d of %s a random MAC, %.*s:..", a->vf, pf,
		    3 * (6 - a->mac_draws) - 1, mac_format(a->mac, mac));
	else if (mac_is_zero(a->mac))
		put(o, "clear the MAC of VF %d of %s", a->vf, pf);
	else
		put(o, "set VF %d of %s MAC %s", a->vf, pf,
		    mac_format(a->mac, mac));
}

static void text_vlan(const struct pol_action *a, const char *pf, struct out *o)
{
	if (!a->vlan && !a->qos)
		put(o, "set VF %d of %s no VLAN", a->vf, pf);
	else
		put(o, "set VF %d of %s VLAN %u qos %u %s", a->vf, pf, a->vlan,
		    a->qos, proto_name(a->proto));
}

static void text_spoof(const struct pol_action *a, const char *pf,
                       struct out *o)
{
	put(o, "set VF %d of %s spoof check %s", a->vf, pf, on_off(a->number));
}

static void text_trust(const struct pol_action *a, const char *pf,
                       struct out *o)
{
	put(o, "set VF %d of %s trust %s", a->vf, pf, on_off(a->number));
}

static void text_mtu(const struct pol_action *a, const char *pf, struct out *o)
{
	put(o, "set MTU of %s %u", pf, a->number);
}

static void text_rate(const struct pol_action *a, const char *pf, struct out *o)
{
	if (!a->rate_min && !a->rate_max) {
		put(o, "set VF %d of %s no rate limit", a->vf, pf);
		return;
	}
	put(o, "set VF %d of %s rate", a->vf, pf);
	if (a->rate_min)
		put(o, " at least %u Mbit/s%s", a->rate_min,
		    a->rate_max ? "," : "");
	if (a->rate_max)
		put(o, " at most %u Mbit/s", a->rate_max);
}

static void text_rss(const struct pol_action *a, const char *pf, struct out *o)
{
	put(o, "set VF %d of %s RSS query %s", a->vf, pf, on_off(a->number));
}

static void text_vf_link(const struct pol_action *a, const char *pf,
                         struct out *o)
{
	put(o, "set VF %d of %s link state %s", a->vf, pf,
	    pol_link_state_name((enum pol_link_state)a->number));
}

static void text_driver(const struct pol_action *a, const char *pf,
                        struct out *o)
{
	char b[BDF_STRLEN], who[64];

	/* "VF 1 of ens1f0", or a whole function's address. */
	if (a->vf < 0)
		bdf_format(a->pf, who);
	else
		snprintf(who, sizeof(who), "VF %d of %s", a->vf, pf);
	if (!strcmp(a->driver, a->driver_from) && *a->override)
		put(o, "set driver_override of %s to %s", who, a->override);
	else if (!strcmp(a->driver, a->driver_from))
		put(o, "clear driver_override of %s", who);
	else if (!*a->driver)
		put(o, "unbind %s", who);
	else if (!strcmp(a->driver, POL_DRIVER_DEFAULT))
		put(o, "give %s its default driver", who);
	else
		put(o, "bind %s to %s", who, a->driver);
	if (!bdf_equal(a->vf_bdf, a->pf))
		put(o, ", %s", bdf_format(a->vf_bdf, b));
}

/* ---- commands ------------------------------------------------------------ */

static void command_autoprobe(const struct pol_action *a, const char *pf,
                              struct out *o)
{
	char b[BDF_STRLEN];

	(void)pf;
	put(o, "echo %u > " DEVICES "%s/sriov_drivers_autoprobe", a->number,
	    bdf_format(a->pf, b));
}

static void command_numvfs(const struct pol_action *a, const char *pf,
                           struct out *o)
{
	char b[BDF_STRLEN];

	(void)pf;
	put(o, "echo %u > " DEVICES "%s/sriov_numvfs", a->number,
	    bdf_format(a->pf, b));
}

static void command_link(const struct pol_action *a, const char *pf,
                         struct out *o)
{
	put(o, "ip link set dev %s %s", pf, a->number ? "up" : "down");
}

static void command_mac(const struct pol_action *a, const char *pf,
                        struct out *o)
{
	char mac[MAC_STRLEN];

	mac_format(a->mac, mac);
	if (!a->mac_draws)
		put(o, "ip link set dev %s vf %d mac %s", pf, a->vf, mac);
	else
		put(o,
		    "ip link set dev %s vf %d mac %.*s$(od -An -N%u -tx1 "
		    "/dev/urandom | tr ' ' :)",
		    pf, a->vf, 3 * (6 - a->mac_draws) - 1, mac, a->mac_draws);
}

static void command_vlan(const struct pol_action *a, const char *pf,
                         struct out *o)
{
	put(o, "ip link set dev %s vf %d vlan %u", pf, a->vf, a->vlan);
	if (a->vlan || a->qos)
		put(o, " qos %u proto %s", a->qos, proto_name(a->proto));
}

static void command_spoof(const struct pol_action *a, const char *pf,
                          struct out *o)
{
	put(o, "ip link set dev %s vf %d spoofchk %s", pf, a->vf,
	    on_off(a->number));
}

static void command_trust(const struct pol_action *a, const char *pf,
                          struct out *o)
{
	put(o, "ip link set dev %s vf %d trust %s", pf, a->vf,
	    on_off(a->number));
}

static void command_mtu(const struct pol_action *a, const char *pf,
                        struct out *o)
{
	put(o, "ip link set dev %s mtu %u", pf, a->number);
}

static void command_rate(const struct pol_action *a, const char *pf,
                         struct out *o)
{
	put(o, "ip link set dev %s vf %d min_tx_rate %u max_tx_rate %u", pf,
	    a->vf, a->rate_min, a->rate_max);
}

static void command_rss(const struct pol_action *a, const char *pf,
                        struct out *o)
{
	put(o, "ip link set dev %s vf %d query_rss %s", pf, a->vf,
	    on_off(a->number));
}

static void command_vf_link(const struct pol_action *a, const char *pf,
                            struct out *o)
{
	put(o, "ip link set dev %s vf %d state %s", pf, a->vf,
	    pol_link_state_name((enum pol_link_state)a->number));
}

/* An empty line clears driver_override. */
static void put_override(struct out *o, const char *driver, const char *dir)
{
	put(o, "echo%s%s > %s/driver_override", *driver ? " " : "", driver,
	    dir);
}

/* The VF's directory and address; where it could not be foretold, both are
 * asked of the kernel when the line is typed. */
static void name_vf(const struct pol_action *a, char dir[static PATH],
                    char address[static PATH])
{
	char b[BDF_STRLEN];

	if (a->vf >= 0 && bdf_equal(a->vf_bdf, a->pf)) {
		bdf_format(a->pf, b);
		snprintf(dir, PATH, DEVICES "%s/virtfn%d", b, a->vf);
		snprintf(address, PATH,
		         "$(basename $(realpath " DEVICES "%s/virtfn%d))", b,
		         a->vf);
	} else {
		bdf_format(a->vf_bdf, b);
		snprintf(dir, PATH, DEVICES "%s", b);
		snprintf(address, PATH, "%s", b);
	}
}

/*
 * Override, unbind, probe; then the override that is to stay. A driver is
 * probed with its name in the override even where that goes again, because
 * without autoprobe the kernel would not bind it otherwise.
 */
static void command_driver(const struct pol_action *a, const char *pf,
                           struct out *o)
{
	bool named = *a->driver && strcmp(a->driver, POL_DRIVER_DEFAULT) != 0;
	bool stays = named && !strcmp(a->driver, a->driver_from);
	const char *probe_as = named && !stays ? a->driver : a->override;
	char dir[PATH], address[PATH];

	(void)pf;
	name_vf(a, dir, address);
	if (named && !stays && pol_driver_is_vfio(a->driver))
		put(o, "modprobe %s; ", a->driver);
	put_override(o, probe_as, dir);
	if (!strcmp(a->driver_from, "?"))
		put(o, "; [ ! -e %s/driver ] || echo %s > %s/driver/unbind",
		    dir, address, dir);
	else if (*a->driver_from && !stays)
		put(o, "; echo %s > %s/driver/unbind", address, dir);
	if (*a->driver && !stays)
		put(o, "; echo %s > /sys/bus/pci/drivers_probe", address);
	if (strcmp(probe_as, a->override) != 0) {
		put(o, "; ");
		put_override(o, a->override, dir);
	}
}

/* ---- vectors ------------------------------------------------------------- */

static void text_msix(const struct pol_action *a, const char *pf, struct out *o)
{
	put(o, "give VF %d of %s %u vectors", a->vf, pf, a->number);
}

/* Its driver comes back by itself, or the next line says which. */
static void command_msix(const struct pol_action *a, const char *pf,
                         struct out *o)
{
	char dir[PATH], address[PATH];

	(void)pf;
	name_vf(a, dir, address);
	put(o,
	    "d=$(readlink -f %s/driver); [ -z \"$d\" ] || [ ! -e $d/unbind ] || "
	    "echo %s > $d/unbind; echo %u > %s/sriov_vf_msix_count; [ -z "
	    "\"$d\" ] || [ ! -e $d/bind ] || echo %s > $d/bind",
	    dir, address, a->number, dir, address);
}

/* ---- the switch: action-switch.c ----------------------------------------- */

#define SWITCH_TEXT 1024

static void text_switch(const struct pol_action *a, const char *pf,
                        struct out *o)
{
	char buf[SWITCH_TEXT];

	put(o, "%s", action_switch_text(a, pf, buf, sizeof(buf)));
}

static void command_switch(const struct pol_action *a, const char *pf,
                           struct out *o)
{
	char buf[SWITCH_TEXT];

	put(o, "%s", action_switch_command(a, pf, buf, sizeof(buf)));
}

/* ---- NVMe: nvme.c -------------------------------------------------------- */

static void text_nvme(const struct pol_action *a, const char *pf, struct out *o)
{
	char buf[SWITCH_TEXT];

	put(o, "%s", action_nvme_text(a, pf, buf, sizeof(buf)));
}

/* A driver of the host's lets go of the VF meanwhile. */
static void command_nvme(const struct pol_action *a, const char *pf,
                         struct out *o)
{
	bool bound = a->vf >= 0 && *a->driver_from && *a->driver_from != '?';
	char buf[SWITCH_TEXT], dir[PATH], address[PATH];

	(void)pf;
	name_vf(a, dir, address);
	if (bound)
		put(o, "echo %s > %s/driver/unbind; ", address, dir);
	put(o, "%s", action_nvme_command(a, buf, sizeof(buf)));
	if (bound && a->nvme.res.online)
		put(o, "; echo %s > /sys/bus/pci/drivers/%s/bind", address,
		    a->driver_from);
}

/* ---- overlays: plan-overlay.c -------------------------------------------- */

static void text_over(const struct pol_action *a, const char *pf, struct out *o)
{
	(void)pf;
	o->n = a->op == POL_OP_OVERLAY
	               ? overlay_text(a->over, o->buf, o->size)
	               : overlay_gone_text(a->over, o->buf, o->size);
}

static void command_over(const struct pol_action *a, const char *pf,
                         struct out *o)
{
	(void)pf;
	o->n = a->op == POL_OP_OVERLAY
	               ? overlay_command(a->over, o->buf, o->size)
	               : overlay_gone_command(a->over, o->buf, o->size);
}

/* ---- both ---------------------------------------------------------------- */

typedef void writer(const struct pol_action *a, const char *pf, struct out *o);

static int write_action(writer *const *table, const struct pol_action *a,
                        char *buf, size_t size, bool label)
{
	struct out o = { .buf = buf, .size = size };
	char b[BDF_STRLEN];

	if (size)
		buf[0] = '\0';
	if (a->op >= POL_OP_MAX)
		return 0;
	table[a->op](a, pf_name(a, b), &o);
	if (label && *a->label)
		put(&o, " (%s)", a->label);
	if (a->may_fail)
		put(&o, label ? ", if its driver can" : " || true");
	return (int)o.n;
}

int pol_action_text(const struct pol_action *a, char *buf, size_t size)
{
	static writer *const table[POL_OP_MAX] = {
		[POL_OP_AUTOPROBE] = text_autoprobe,
		[POL_OP_PF_MTU] = text_mtu,
		[POL_OP_NUMVFS] = text_numvfs,
		[POL_OP_PF_LINK] = text_link,
		[POL_OP_VF_MAC] = text_mac,
		[POL_OP_VF_VLAN] = text_vlan,
		[POL_OP_VF_RATE] = text_rate,
		[POL_OP_VF_SPOOF] = text_spoof,
		[POL_OP_VF_TRUST] = text_trust,
		[POL_OP_VF_RSS] = text_rss,
		[POL_OP_VF_LINK] = text_vf_link,
		[POL_OP_PARAM] = text_switch,
		[POL_OP_ESWITCH] = text_switch,
		[POL_OP_GROUP] = text_switch,
		[POL_OP_VF_GROUP] = text_switch,
		[POL_OP_GROUP_DEL] = text_switch,
		[POL_OP_BRIDGE] = text_switch,
		[POL_OP_PORT] = text_switch,
		[POL_OP_VF_MSIX] = text_msix,
		[POL_OP_NVME_KEEP] = text_nvme,
		[POL_OP_VF_RESOURCES] = text_nvme,
		[POL_OP_VF_DRIVER] = text_driver,
		[POL_OP_OVERLAY] = text_over,
		[POL_OP_OVERLAY_GONE] = text_over,
		[POL_OP_DEV_DRIVER] = text_driver,
	};

	return write_action(table, a, buf, size, true);
}

int pol_action_command(const struct pol_action *a, char *buf, size_t size)
{
	static writer *const table[POL_OP_MAX] = {
		[POL_OP_AUTOPROBE] = command_autoprobe,
		[POL_OP_PF_MTU] = command_mtu,
		[POL_OP_NUMVFS] = command_numvfs,
		[POL_OP_PF_LINK] = command_link,
		[POL_OP_VF_MAC] = command_mac,
		[POL_OP_VF_VLAN] = command_vlan,
		[POL_OP_VF_RATE] = command_rate,
		[POL_OP_VF_SPOOF] = command_spoof,
		[POL_OP_VF_TRUST] = command_trust,
		[POL_OP_VF_RSS] = command_rss,
		[POL_OP_VF_LINK] = command_vf_link,
		[POL_OP_PARAM] = command_switch,
		[POL_OP_ESWITCH] = command_switch,
		[POL_OP_GROUP] = command_switch,
		[POL_OP_VF_GROUP] = command_switch,
		[POL_OP_GROUP_DEL] = command_switch,
		[POL_OP_BRIDGE] = command_switch,
		[POL_OP_PORT] = command_switch,
		[POL_OP_VF_MSIX] = command_msix,
		[POL_OP_NVME_KEEP] = command_nvme,
		[POL_OP_VF_RESOURCES] = command_nvme,
		[POL_OP_VF_DRIVER] = command_driver,
		[POL_OP_OVERLAY] = command_over,
		[POL_OP_OVERLAY_GONE] = command_over,
		[POL_OP_DEV_DRIVER] = command_driver,
	};

	return write_action(table, a, buf, size, false);
}
