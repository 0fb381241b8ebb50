/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who else says how a function is to be. Each such program leaves files that
 * name what it has; a table says where, how the function is named there, and
 * what ends it. owner-read.c reads them, once for all functions that are asked
 * about.
 *
 * What can be told without their parsers: a name by which a section on SR-IOV
 * is matched. A section that matches by something else (a path, a MAC) is not
 * told, since it may be about another function. Of several files of networkd
 * that match one interface only the first is in force; which that is depends on
 * matches that are not told, so each counts.
 */

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "sriov/owner-priv.h"

/* ---- INI: "[section]", "key=value" --------------------------------------- */

struct line {
	char section[32], key[32], value[128];
};

static void trim(char *s)
{
	size_t n = strlen(s);

	while (n && strchr(" \t\r", s[n - 1]))
		s[--n] = '\0';
}

/* The next line that is a section or an assignment; NULL at the end. Case and
 * what does not fit are left as they are. */
static const char *next_line(const char *at, struct line *l)
{
	while (*at) {
		size_t n = strcspn(at, "\n");
		char text[192];
		char *eq;

		snprintf(text, sizeof(text), "%.*s", (int)MIN(n, (size_t)180),
		         at + strspn(at, " \t"));
		at += n + (at[n] == '\n');
		trim(text);
		eq = strchr(text, '=');
		if (*text == '[') {
			snprintf(l->section, sizeof(l->section), "%.*s",
			         (int)strcspn(text + 1, "]"), text + 1);
			l->key[0] = '\0';
			return at;
		}
		if (*text == '#' || *text == ';' || !eq)
			continue;
		*eq = '\0';
		trim(text);
		snprintf(l->key, sizeof(l->key), "%.31s", text);
		snprintf(l->value, sizeof(l->value), "%.127s",
		         eq + 1 + strspn(eq + 1, " \t"));
		return at;
	}
	return NULL;
}

/* ---- how each names a function ------------------------------------------- */

/* driverctl: "pci-0000:01:00.0", or the address alone; SNO: the address. */
static bool by_address(const struct owner_asked *a, const char *file,
                       const char *text)
{
	(void)text;
	return !strcmp(file, a->bdf) ||
	       (!strncmp(file, "pci-", 4) && !strcmp(file + 4, a->bdf));
}

/* libvirt keeps what a VF was before it was a guest's in IFNAME_vfN. */
static bool by_vf(const struct owner_asked *a, const char *file,
                  const char *text)
{
	size_t n = strlen(a->ifname);

	(void)text;
	return n && !strncmp(file, a->ifname, n) &&
	       !strncmp(file + n, "_vf", 3) && file[n + 3];
}

static bool nm_speaks(const char *text)
{
	struct line l = { .section = "" };

	while ((text = next_line(text, &l)))
		if (!strcmp(l.section, "sriov"))
			return true;
	return false;
}

static bool by_nm(const struct owner_asked *a, const char *file,
                  const char *text)
{
	struct line l = { .section = "" };

	(void)file;
	while (*a->ifname && (text = next_line(text, &l)))
		if (!strcmp(l.section, "connection") &&
		    !strcmp(l.key, "interface-name") &&
		    !strcmp(l.value, a->ifname))
			return true;
	return false;
}

/* "eno1 ens*": any of them; '!' before the list turns it round. */
static bool glob_list(const char *list, const char *name)
{
	bool turned = *list == '!';
	char word[64];

	for (list += turned; *list;) {
		size_t n = strcspn(list, " \t");

		snprintf(word, sizeof(word), "%.*s", (int)MIN(n, (size_t)63),
		         list);
		if (*word && !fnmatch(word, name, 0))
			return !turned;
		list += n;
		list += strspn(list, " \t");
	}
	return turned;
}

static bool networkd_speaks(const char *text)
{
	struct line l = { .section = "" };

	while ((text = next_line(text, &l)))
		if (!strcmp(l.section, "SR-IOV") ||
		    !strcmp(l.key, "SR-IOVVirtualFunctions"))
			return true;
	return false;
}

static bool by_networkd(const struct owner_asked *a, const char *file,
                        const char *text)
{
	struct line l = { .section = "" };

	(void)file;
	while (*a->ifname && (text = next_line(text, &l)))
		if (!strcmp(l.section, "Match") &&
		    (!strcmp(l.key, "Name") ||
		     !strcmp(l.key, "OriginalName")) &&
		    glob_list(l.value, a->ifname))
			return true;
	return false;
}

/* YAML: the interface is a key of the file. */
static bool netplan_speaks(const char *text)
{
	return strstr(text, "virtual-function-count:") ||
	       strstr(text, "embedded-switch-mode:");
}

static bool by_netplan(const struct owner_asked *a, const char *file,
                       const char *text)
{
	size_t n = strlen(a->ifname);
	const char *at = text;

	(void)file;
	while (n && (at = strstr(at, a->ifname))) {
		bool begins = at == text || strchr(" \n\t\"'", at[-1]);

		at += n;
		at += *at == '"' || *at == '\'';
		if (begins && *at == ':')
			return true;
	}
	return false;
}

// clang-format off
#define DIRS(...) (const char *const[]){ __VA_ARGS__, NULL }
static const char *const networkd_dirs[] = {
	"etc/systemd/network", "run/systemd/network",
	"usr/local/lib/systemd/network", "usr/lib/systemd/network", NULL,
};
static const struct owner_place places[] = {
	{ "driverctl", DIRS("etc/driverctl.d"), "", false, NULL, by_address,
	  "keeps a driver for it, and sets that again at each boot",
	  "driverctl unset-override" },
	{ "the SR-IOV network operator", DIRS("etc/sriov-operator/pci"), "",
	  false, NULL, by_address,
	  "carves its VFs, and repairs what it finds changed",
	  "take it out of the SriovNetworkNodePolicy, then remove the file" },
	{ "libvirt", DIRS("run/libvirt/hostdevmgr"), "", false, NULL, by_vf,
	  "has given a VF of it to a guest", "virsh shutdown that guest" },
	{ "NetworkManager", DIRS("etc/NetworkManager/system-connections"), "",
	  false, nm_speaks, by_nm, "has a connection that sets its VFs",
	  "nmcli connection modify ID remove sriov" },
	{ "NetworkManager", DIRS("run/NetworkManager/system-connections"), "",
	  false, nm_speaks, by_nm, "has a connection that sets its VFs",
	  "nmcli connection modify ID remove sriov" },
	{ "systemd-networkd", networkd_dirs, ".network", true,
	  networkd_speaks, by_networkd, "sets its VFs",
	  "remove its [SR-IOV] sections" },
	{ "systemd-udevd", networkd_dirs, ".link", true,
	  networkd_speaks, by_networkd, "sets its VFs",
	  "remove its [SR-IOV] sections" },
	{ "netplan", DIRS("etc/netplan"), ".yaml", false,
	  netplan_speaks, by_netplan, "sets how many VFs it has",
	  "remove virtual-function-count from it, then `netplan generate`" },
};
// clang-format on

int sriov_owners_read(int root_fd, struct sriov_owner_files **ret)
{
	struct sriov_owner_files *all = calloc(1, sizeof(*all));
	int r = all ? owner_read(root_fd, places, ARRAY_SIZE(places), all)
	            : -ENOMEM;

	if (r) {
		sriov_owners_free(all);
		return r;
	}
	*ret = all;
	return 0;
}

/* They are in the order of the table, of which each row tells one. */
size_t sriov_owners_find(const struct sriov_owner_files *all, struct bdf b,
                         const char *ifname, struct sriov_owner *ret,
                         size_t max)
{
	struct owner_asked a = { .ifname = ifname };
	const struct owner_place *told = NULL;
	size_t n = 0;

	bdf_format(b, a.bdf);
	for (size_t i = 0; n < max && i < all->n; i++) {
		const struct owner_file *f = &all->file[i];
		const struct owner_place *p = f->place;

		if (p == told || !p->names(&a, f->name, f->text))
			continue;
		told = p;
		ret[n] = (struct sriov_owner){ .who = p->who,
			                       .what = p->what,
			                       .mend = p->mend };
		snprintf(ret[n].file, sizeof(ret[n].file), "%s", f->path);
		n++;
	}
	return n;
}

size_t sriov_owners(int root_fd, struct bdf b, const char *ifname,
                    struct sriov_owner *ret, size_t max)
{
	struct sriov_owner_files *all = NULL;
	size_t n = 0;

	if (!sriov_owners_read(root_fd, &all))
		n = sriov_owners_find(all, b, ifname, ret, max);
	sriov_owners_free(all);
	return n;
}
