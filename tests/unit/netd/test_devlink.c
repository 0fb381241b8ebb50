/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devlink's answers as the kernel's devlink_nl_*_fill() make them, whole, with
 * things missing, and cut anywhere. */

#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/devlink.h"

static struct nl_msg *message(uint8_t cmd, const char *dev)
{
	struct genlmsghdr g = { .cmd = cmd, .version = 1 };
	struct nl_msg *m = nlmsg_alloc_simple(0x1a, 0);

	nlmsg_append(m, &g, sizeof(g), NLMSG_ALIGNTO);
	nla_put_string(m, DEVLINK_ATTR_BUS_NAME, "pci");
	if (dev)
		nla_put_string(m, DEVLINK_ATTR_DEV_NAME, dev);
	return m;
}

/* ---- ports --------------------------------------------------------------- */

static struct nl_msg *vf_port(void)
{
	static const uint8_t mac[6] = { 2, 3, 4, 5, 6, 7 };
	struct nl_msg *m = message(DEVLINK_CMD_PORT_NEW, "0000:3b:00.0");
	struct nlattr *fn;

	nla_put_u32(m, DEVLINK_ATTR_PORT_INDEX, 65537);
	nla_put_u16(m, DEVLINK_ATTR_PORT_TYPE, DEVLINK_PORT_TYPE_ETH);
	nla_put_u32(m, DEVLINK_ATTR_PORT_NETDEV_IFINDEX, 12);
	nla_put_u16(m, DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PCI_VF);
	nla_put_u32(m, DEVLINK_ATTR_PORT_CONTROLLER_NUMBER, 0);
	nla_put_u16(m, DEVLINK_ATTR_PORT_PCI_PF_NUMBER, 1);
	nla_put_u16(m, DEVLINK_ATTR_PORT_PCI_VF_NUMBER, 3);
	nla_put_u8(m, DEVLINK_ATTR_PORT_EXTERNAL, 0);
	fn = nla_nest_start(m, DEVLINK_ATTR_PORT_FUNCTION | NLA_F_NESTED);
	nla_put(m, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, 6, mac);
	nla_nest_end(m, fn);
	return m;
}

static void test_port(void **state)
{
	struct nl_msg *m = vf_port();
	struct devlink_port p;

	(void)state;
	assert_int_equal(devlink_decode_port(nlmsg_hdr(m), &p), 0);
	assert_string_equal(p.h.bus, "pci");
	assert_string_equal(p.h.dev, "0000:3b:00.0");
	assert_int_equal(p.index, 65537);
	assert_int_equal(p.ifindex, 12);
	assert_int_equal(p.flavour, DEVLINK_PORT_FLAVOUR_PCI_VF);
	assert_int_equal(p.pf, 1);
	assert_int_equal(p.vf, 3);
	assert_false(p.external);
	assert_true(p.has_mac);
	assert_memory_equal(p.mac, "\2\3\4\5\6\7", 6);
	nlmsg_free(m);
}

/* A port of a driver that says little is still one; a VF's without its number
 * is nobody's. */
static void test_port_says_little(void **state)
{
	struct nl_msg *m = message(DEVLINK_CMD_PORT_NEW, "0000:3b:00.0");
	struct devlink_port p;

	(void)state;
	nla_put_u32(m, DEVLINK_ATTR_PORT_INDEX, 1);
	assert_int_equal(devlink_decode_port(nlmsg_hdr(m), &p), 0);
	assert_int_equal(p.flavour, -1);
	assert_int_equal(p.ifindex, 0);
	assert_false(p.has_mac);
	nla_put_u16(m, DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PCI_VF);
	assert_int_equal(devlink_decode_port(nlmsg_hdr(m), &p), 0);
	assert_int_equal(p.flavour, -1);
	nlmsg_free(m);
	m = message(DEVLINK_CMD_PORT_NEW, NULL);
	nla_put_u32(m, DEVLINK_ATTR_PORT_INDEX, 1);
	assert_int_equal(devlink_decode_port(nlmsg_hdr(m), &p), -EBADMSG);
	nlmsg_free(m);
	/* A device whose name would be cut is not taken for another. */
	m = message(DEVLINK_CMD_PORT_NEW,
	            "a-name-of-a-device-that-is-longer-than-all-we-know");
	nla_put_u32(m, DEVLINK_ATTR_PORT_INDEX, 1);
	assert_int_equal(devlink_decode_port(nlmsg_hdr(m), &p), -EBADMSG);
	nlmsg_free(m);
}

/* ---- rates --------------------------------------------------------------- */

static struct nl_msg *group(const char *name)
{
	struct nl_msg *m = message(DEVLINK_CMD_RATE_NEW, "0000:3b:00.0");

	nla_put_u16(m, DEVLINK_ATTR_RATE_TYPE, DEVLINK_RATE_TYPE_NODE);
	nla_put_string(m, DEVLINK_ATTR_RATE_NODE_NAME, name);
	nla_put_u64(m, DEVLINK_ATTR_RATE_TX_SHARE, 625000000);
	nla_put_u64(m, DEVLINK_ATTR_RATE_TX_MAX, 2500000000);
	nla_put_u32(m, DEVLINK_ATTR_RATE_TX_PRIORITY, 1);
	nla_put_u32(m, DEVLINK_ATTR_RATE_TX_WEIGHT, 10);
	return m;
}

static void test_group(void **state)
{
	struct nl_msg *m = group("gold");
	struct devlink_rate r;

	(void)state;
	assert_int_equal(devlink_decode_rate(nlmsg_hdr(m), &r), 0);
	assert_true(r.node);
	assert_false(r.strange);
	assert_string_equal(r.group.name, "gold");
	assert_string_equal(r.parent, "");
	assert_int_equal(r.group.share, 625000000);
	assert_int_equal(r.group.max, 2500000000);
	assert_int_equal(r.group.priority, 1);
	assert_int_equal(r.group.weight, 10);
	nlmsg_free(m);
	m = group("a-group-with-a-name-of-more-than-31");
	assert_int_equal(devlink_decode_rate(nlmsg_hdr(m), &r), 0);
	assert_true(r.strange);
	nlmsg_free(m);
}

static void test_leaf(void **state)
{
	struct nl_msg *m = message(DEVLINK_CMD_RATE_NEW, "0000:3b:00.0");
	struct devlink_rate r;

	(void)state;
	nla_put_u16(m, DEVLINK_ATTR_RATE_TYPE, DEVLINK_RATE_TYPE_LEAF);
	assert_int_equal(devlink_decode_rate(nlmsg_hdr(m), &r), -EBADMSG);
	nla_put_u32(m, DEVLINK_ATTR_PORT_INDEX, 65538);
	nla_put_string(m, DEVLINK_ATTR_RATE_PARENT_NODE_NAME, "gold");
	assert_int_equal(devlink_decode_rate(nlmsg_hdr(m), &r), 0);
	assert_false(r.node);
	assert_int_equal(r.port, 65538);
	assert_string_equal(r.parent, "gold");
	nlmsg_free(m);
}

/* ---- the switch ---------------------------------------------------------- */

static void test_eswitch(void **state)
{
	struct nl_msg *m = message(DEVLINK_CMD_ESWITCH_GET, "0000:3b:00.0");
	struct devlink_eswitch e;

	(void)state;
	assert_int_equal(devlink_decode_eswitch(nlmsg_hdr(m), &e), 0);
	assert_false(e.has_mode);
	nla_put_u16(m, DEVLINK_ATTR_ESWITCH_MODE,
	            DEVLINK_ESWITCH_MODE_SWITCHDEV);
	nla_put_u8(m, DEVLINK_ATTR_ESWITCH_INLINE_MODE,
	           DEVLINK_ESWITCH_INLINE_MODE_NETWORK);
	nla_put_u8(m, DEVLINK_ATTR_ESWITCH_ENCAP_MODE,
	           DEVLINK_ESWITCH_ENCAP_MODE_BASIC);
	assert_int_equal(devlink_decode_eswitch(nlmsg_hdr(m), &e), 0);
	assert_true(e.has_mode && e.has_inline && e.has_encap);
	assert_int_equal(e.mode, DEVLINK_ESWITCH_MODE_SWITCHDEV);
	assert_int_equal(e.inline_mode, DEVLINK_ESWITCH_INLINE_MODE_NETWORK);
	assert_int_equal(e.encap, DEVLINK_ESWITCH_ENCAP_MODE_BASIC);
	nlmsg_free(m);
}

/* ---- parameters ---------------------------------------------------------- */

/* `text` NULL = a number; a false boolean has no data. */
static void put_value(struct nl_msg *m, uint8_t cmode, uint8_t type,
                      const char *text, uint32_t number)
{
	struct nlattr *v =
		nla_nest_start(m, DEVLINK_ATTR_PARAM_VALUE | NLA_F_NESTED);

	if (type == NLA_STRING)
		nla_put_string(m, DEVLINK_ATTR_PARAM_VALUE_DATA, text);
	else if (type == NLA_U8)
		nla_put_u8(m, DEVLINK_ATTR_PARAM_VALUE_DATA, (uint8_t)number);
	else if (type == NLA_U16)
		nla_put_u16(m, DEVLINK_ATTR_PARAM_VALUE_DATA, (uint16_t)number);
	else if (type == NLA_U32)
		nla_put_u32(m, DEVLINK_ATTR_PARAM_VALUE_DATA, number);
	else if (number)
		nla_put_flag(m, DEVLINK_ATTR_PARAM_VALUE_DATA);
	nla_put_u8(m, DEVLINK_ATTR_PARAM_VALUE_CMODE, cmode);
	nla_nest_end(m, v);
}

static struct nl_msg *param(uint8_t type, const char *text, uint32_t number)
{
	struct nl_msg *m = message(DEVLINK_CMD_PARAM_NEW, "0000:3b:00.0");
	struct nlattr *p = nla_nest_start(m, DEVLINK_ATTR_PARAM | NLA_F_NESTED);
	struct nlattr *list;

	nla_put_string(m, DEVLINK_ATTR_PARAM_NAME, "flow_steering_mode");
	nla_put_u8(m, DEVLINK_ATTR_PARAM_TYPE, type);
	list = nla_nest_start(m, DEVLINK_ATTR_PARAM_VALUES_LIST | NLA_F_NESTED);
	put_value(m, DEVLINK_PARAM_CMODE_RUNTIME, type, text, number);
	put_value(m, DEVLINK_PARAM_CMODE_PERMANENT, type, text, number);
	nla_nest_end(m, list);
	nla_nest_end(m, p);
	return m;
}

static void test_param(void **state)
{
	const struct {
		uint8_t type;
		const char *text;
		uint32_t number;
		const char *shown;
	} table[] = {
		{ NLA_STRING, "smfs", 0, "smfs" },
		{ NLA_U8, NULL, 200, "200" },
		{ NLA_U16, NULL, 4096, "4096" },
		{ NLA_U32, NULL, 4000000000u, "4000000000" },
		{ NLA_FLAG, NULL, 1, "true" },
		{ NLA_FLAG, NULL, 0, "false" },
	};
	struct devlink_param p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct nl_msg *m =
			param(table[i].type, table[i].text, table[i].number);

		assert_int_equal(devlink_decode_param(nlmsg_hdr(m), &p), 0);
		assert_string_equal(p.name, "flow_steering_mode");
		assert_int_equal(p.type, table[i].type);
		assert_true(p.value[DEVLINK_PARAM_CMODE_RUNTIME].has);
		assert_string_equal(p.value[DEVLINK_PARAM_CMODE_RUNTIME].text,
		                    table[i].shown);
		assert_false(p.value[DEVLINK_PARAM_CMODE_DRIVERINIT].has);
		assert_true(p.value[DEVLINK_PARAM_CMODE_PERMANENT].has);
		nlmsg_free(m);
	}
}

/* Longer than devlink's own limit: not known, never cut. */
static void test_param_too_long(void **state)
{
	struct nl_msg *m =
		param(NLA_STRING,
	              "a text that is longer than the kernel's own limit", 0);
	struct devlink_param p;

	(void)state;
	assert_int_equal(devlink_decode_param(nlmsg_hdr(m), &p), 0);
	assert_false(p.value[DEVLINK_PARAM_CMODE_RUNTIME].has);
	nlmsg_free(m);
}

static void test_health(void **state)
{
	struct nl_msg *m =
		message(DEVLINK_CMD_HEALTH_REPORTER_GET, "0000:3b:00.0");
	struct nlattr *r =
		nla_nest_start(m, DEVLINK_ATTR_HEALTH_REPORTER | NLA_F_NESTED);
	struct devlink_health h;

	(void)state;
	nla_put_string(m, DEVLINK_ATTR_HEALTH_REPORTER_NAME, "fw_fatal");
	nla_put_u8(m, DEVLINK_ATTR_HEALTH_REPORTER_STATE, 1);
	nla_put_u64(m, DEVLINK_ATTR_HEALTH_REPORTER_ERR_COUNT, 3);
	nla_put_u64(m, DEVLINK_ATTR_HEALTH_REPORTER_RECOVER_COUNT, 2);
	nla_nest_end(m, r);
	assert_int_equal(devlink_decode_health(nlmsg_hdr(m), &h), 0);
	assert_string_equal(h.name, "fw_fatal");
	assert_true(h.error);
	assert_int_equal(h.errors, 3);
	assert_int_equal(h.recoveries, 2);
	nlmsg_free(m);
}

/* ---- all ----------------------------------------------------------------- */

/* Cut anywhere: nothing is read beyond the end (the sanitizer watches). */
static void cut_anywhere(struct nl_msg *m)
{
	const struct nlmsghdr *h = nlmsg_hdr(m);

	for (uint32_t len = NLMSG_HDRLEN; len < h->nlmsg_len; len++) {
		struct nlmsghdr *cut = malloc(len);
		struct devlink_port p;
		struct devlink_rate r;
		struct devlink_eswitch e;
		struct devlink_param v;
		struct devlink_health s;

		memcpy(cut, h, len);
		cut->nlmsg_len = len;
		(void)!devlink_decode_port(cut, &p);
		(void)!devlink_decode_rate(cut, &r);
		(void)!devlink_decode_eswitch(cut, &e);
		(void)!devlink_decode_param(cut, &v);
		(void)!devlink_decode_health(cut, &s);
		free(cut);
	}
	nlmsg_free(m);
}

static void test_cut(void **state)
{
	(void)state;
	cut_anywhere(vf_port());
	cut_anywhere(group("gold"));
	cut_anywhere(param(NLA_STRING, "smfs", 0));
	cut_anywhere(param(NLA_U32, NULL, 7));
}

static void test_view(void **state)
{
	struct devlink_port port[] = {
		{ .h = { "pci", "0000:3b:00.0" }, .ifindex = 4, .flavour = 0 },
		{ .h = { "pci", "0000:3b:00.1" },
		  .ifindex = 7,
		  .flavour = DEVLINK_PORT_FLAVOUR_PCI_VF,
		  .vf = 2 },
		{ .h = { "pci", "0000:3b:00.0" },
		  .ifindex = 8,
		  .flavour = DEVLINK_PORT_FLAVOUR_PCI_VF,
		  .vf = 2,
		  .external = true },
		{ .h = { "pci", "0000:3b:00.0" },
		  .ifindex = 9,
		  .flavour = DEVLINK_PORT_FLAVOUR_PCI_VF,
		  .vf = 2 },
	};
	const struct devlink_view v = { .port = port,
		                        .n_ports = ARRAY_SIZE(port) };
	const struct devlink_handle *h = devlink_of(&v, 4);

	(void)state;
	assert_null(devlink_of(&v, 0));
	assert_null(devlink_of(&v, 5));
	assert_ptr_equal(h, &port[0].h);
	/* Not another function's, nor another host's. */
	assert_ptr_equal(devlink_vf_port(&v, h, 2), &port[3]);
	assert_null(devlink_vf_port(&v, h, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_port_says_little),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_leaf),
		cmocka_unit_test(test_eswitch),
		cmocka_unit_test(test_param),
		cmocka_unit_test(test_param_too_long),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
