/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt's XML, of which a network of mode hostdev and interfaces of type
 * hostdev are read; all else is passed over. By expat: it has no network, no
 * files, and no entities here, since a document type ends the reading.
 *
 * Elements are told by their path from the network or interface on, so that
 * both may stand alone, in a domain, or in what `fairlead export` prints.
 */

#include "cli/formats.h"

#include <expat.h>
#include <string.h>

#define DEPTH_MAX 32

// clang-format off
#define EXPAT(fn) \
	fn(XML_ParserCreate) \
	fn(XML_SetUserData) \
	fn(XML_SetElementHandler) \
	fn(XML_SetCharacterDataHandler) \
	fn(XML_SetStartDoctypeDeclHandler) \
	fn(XML_Parse) \
	fn(XML_StopParser) \
	fn(XML_GetCurrentLineNumber) \
	fn(XML_GetErrorCode) \
	fn(XML_ErrorString) \
	fn(XML_ParserFree)
// clang-format on
struct expat {
	EXPAT(LIB_FN)
};
static const char *const names[] = { EXPAT(LIB_NAME) };

struct reader {
	struct expat lib;
	XML_Parser xml;
	struct xml_network *to;
	struct xml_vf *vf;       /* of the interface that is open */
	struct xml_group *group; /* portgroup that is open */
	bool network, name, hostdev, source;
	unsigned depth, networks;
	const char *wrong;
};

static const char *attribute(const XML_Char **atts, const char *name)
{
	for (; *atts; atts += 2)
		if (!strcmp(atts[0], name))
			return atts[1];
	return "";
}

static void stop(struct reader *r, const char *why)
{
	if (!r->wrong)
		r->wrong = why;
	r->lib.XML_StopParser(r->xml, XML_FALSE);
}

static bool number(const XML_Char **atts, const char *name, uint64_t max,
                   uint64_t *ret)
{
	return parse_u64(attribute(atts, name), max, ret) == 0;
}

/* ---- elements ------------------------------------------------------------ */

static void take_address(struct reader *r, const XML_Char **atts)
{
	uint64_t domain, bus, dev, fn;
	struct bdf b;

	if (strcmp(attribute(atts, "type"), "pci") != 0)
		return;
	if (!number(atts, "domain", 0xffffffff, &domain) ||
	    !number(atts, "bus", 0xff, &bus) ||
	    !number(atts, "slot", 31, &dev) ||
	    !number(atts, "function", 7, &fn)) {
		stop(r, "an address that is none");
		return;
	}
	b = (struct bdf){ (uint32_t)domain, (uint8_t)bus, (uint8_t)dev,
		          (uint8_t)fn };
	if (r->vf) {
		r->vf->bdf = b;
	} else if (r->to->n_vfs < FORMAT_VFS) {
		r->to->vf[r->to->n_vfs++] = (struct xml_vf){ .bdf = b };
	} else {
		stop(r, "too many functions");
	}
}

static void take_tag(struct reader *r, const XML_Char **atts)
{
	unsigned *vlan = r->vf      ? &r->vf->vlan
	                 : r->group ? &r->group->vlan
	                            : NULL;
	uint64_t id;

	if (!vlan)
		return;
	if (!number(atts, "id", 4094, &id)) {
		stop(r, "a VLAN that is none");
		return;
	}
	if (*vlan && r->group)
		r->group->trunk = true;
	if (!*vlan)
		*vlan = (unsigned)id;
}

static void begin_interface(struct reader *r, const XML_Char **atts)
{
	if (strcmp(attribute(atts, "type"), "hostdev") != 0)
		return;
	if (r->to->n_vfs == FORMAT_VFS) {
		stop(r, "too many functions");
		return;
	}
	r->vf = &r->to->vf[r->to->n_vfs++];
	*r->vf = (struct xml_vf){ .interface = true };
}

static void begin_group(struct reader *r, const XML_Char **atts)
{
	if (r->to->n_groups == FORMAT_GROUPS) {
		stop(r, "too many portgroups");
		return;
	}
	r->group = &r->to->group[r->to->n_groups++];
	*r->group = (struct xml_group){ .vlan = 0 };
	snprintf(r->group->name, sizeof(r->group->name), "%s",
	         attribute(atts, "name"));
}

static void in_network(struct reader *r, const char *name,
                       const XML_Char **atts)
{
	if (!strcmp(name, "name") && !r->group)
		r->name = true;
	else if (!strcmp(name, "forward"))
		r->hostdev = !strcmp(attribute(atts, "mode"), "hostdev");
	else if (!strcmp(name, "pf"))
		snprintf(r->to->pf, sizeof(r->to->pf), "%s",
		         attribute(atts, "dev"));
	else if (!strcmp(name, "portgroup"))
		begin_group(r, atts);
}

static void XMLCALL on_begin(void *data, const XML_Char *name,
                             const XML_Char **atts)
{
	struct reader *r = data;

	if (++r->depth > DEPTH_MAX) {
		stop(r, "nested too deep");
		return;
	}
	if (!strcmp(name, "network")) {
		r->network = true;
		if (r->networks++)
			stop(r, "more than one network");
	} else if (!strcmp(name, "interface")) {
		begin_interface(r, atts);
	} else if (!strcmp(name, "vlan") &&
	           !strcmp(attribute(atts, "trunk"), "yes") && r->group) {
		r->group->trunk = true;
	} else if (!strcmp(name, "tag")) {
		take_tag(r, atts);
	} else if (!strcmp(name, "source")) {
		r->source = true;
	} else if (!strcmp(name, "address") &&
	           (r->vf ? r->source : r->network)) {
		/* An interface's own address is the guest's. */
		take_address(r, atts);
	} else if (!strcmp(name, "mac") && r->vf) {
		snprintf(r->vf->mac, sizeof(r->vf->mac), "%s",
		         attribute(atts, "address"));
	} else if (r->network) {
		in_network(r, name, atts);
	}
}

static void XMLCALL on_end(void *data, const XML_Char *name)
{
	struct reader *r = data;

	r->depth--;
	r->name = false;
	if (!strcmp(name, "network"))
		r->network = false;
	else if (!strcmp(name, "interface"))
		r->vf = NULL;
	else if (!strcmp(name, "source"))
		r->source = false;
	else if (!strcmp(name, "portgroup"))
		r->group = NULL;
}

static void XMLCALL on_text(void *data, const XML_Char *s, int len)
{
	struct reader *r = data;
	size_t at = strlen(r->to->name);

	if (r->name)
		snprintf(r->to->name + at, sizeof(r->to->name) - at, "%.*s",
		         len, s);
}

static void XMLCALL on_doctype(void *data, const XML_Char *name,
                               const XML_Char *sysid, const XML_Char *pubid,
                               int has_internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)has_internal;
	stop(data, "it has a document type");
}

/* ---- the whole ----------------------------------------------------------- */

static int read_with(struct reader *r, const char *text, size_t len,
                     struct diag *d)
{
	bool good;

	r->lib.XML_SetUserData(r->xml, r);
	r->lib.XML_SetElementHandler(r->xml, on_begin, on_end);
	r->lib.XML_SetCharacterDataHandler(r->xml, on_text);
	r->lib.XML_SetStartDoctypeDeclHandler(r->xml, on_doctype);
	good = r->lib.XML_Parse(r->xml, text, (int)len, 1) == XML_STATUS_OK;
	if (good && r->networks && !r->hostdev) {
		good = false;
		r->wrong = "its network is not of mode hostdev";
	} else if (good && !r->to->n_vfs && !*r->to->pf) {
		good = false;
		r->wrong = "it has no function of mode or type hostdev";
	}
	if (good)
		return 0;
	diag_fail(d, -EBADMSG, FL_CLI_IMPORT, "cannot import it, in line %lu",
	          r->lib.XML_GetCurrentLineNumber(r->xml));
	diag_why(d, "%s",
	         r->wrong ? r->wrong
	                  : r->lib.XML_ErrorString(
				    r->lib.XML_GetErrorCode(r->xml)));
	diag_mend(d, "give it one network as `virsh net-dumpxml` prints it");
	return -EBADMSG;
}

int xml_read(const char *text, size_t len, struct xml_network *ret,
             struct diag *d)
{
	struct reader r = { .to = ret };
	int e;

	memset(ret, 0, sizeof(*ret));
	if (len > NETD_POLICY_MAX) {
		diag_fail(d, -EFBIG, FL_CLI_IMPORT,
		          "cannot import more than 1 MiB");
		diag_mend(d, "give it one network as `virsh net-dumpxml` "
		             "prints it");
		return -EFBIG;
	}
	e = lib_load("libexpat.so.1", names, ARRAY_SIZE(names), &r.lib);
	if (e) {
		diag_fail(d, e, FL_CLI_IMPORT, "cannot import XML");
		diag_why(d, "libexpat.so.1 is missing, or too old");
		diag_mend(d, "apt install libexpat1");
		return e;
	}
	r.xml = r.lib.XML_ParserCreate(NULL);
	if (!r.xml)
		return -ENOMEM;
	e = read_with(&r, text, len, d);
	r.lib.XML_ParserFree(r.xml);
	return e;
}
