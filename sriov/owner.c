/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who else says how a function is to be. Each such program leaves files that
 * name what it has; a table says where, how the function is named there, and
 * what ends it. The files are theirs and are believed no further than that:
 * read whole or not at all (OWNER_FILE_MAX bytes, OWNER_FILES_MAX of a folder),
 * never waited for, never followed out of being files.
 *
 * What can be told without their parsers: a name by which a section on SR-IOV
 * is matched. A section that matches by something else (a path, a MAC) is not
 * told, since it may be about another function.
 */

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sriov/priv.h"

#define OWNER_FILES_MAX 256
#define OWNER_FILE_MAX (64u << 10)

/* What is asked about. */
struct asked {
	struct bdf b;
	char bdf[BDF_STRLEN];
	const char *ifname; /* "" = none */
};

struct place {
	const char *who, *dir, *end; /* end: of the files' names, "" = any */
	/* `text` NULL: asked for by name alone first; true then ends it. */
	bool (*names)(const struct asked *a, const char *file,
	              const char *text);
	bool reads; /* the file's text */
	const char *what, *mend;
};

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
static bool by_address(const struct asked *a, const char *file,
                       const char *text)
{
	(void)text;
	return !strcmp(file, a->bdf) ||
	       (!strncmp(file, "pci-", 4) && !strcmp(file + 4, a->bdf));
}

/* libvirt keeps what a VF was before it was a guest's in IFNAME_vfN. */
static bool by_vf(const struct asked *a, const char *file, const char *text)
{
	size_t n = strlen(a->ifname);

	(void)text;
	return n && !strncmp(file, a->ifname, n) &&
	       !strncmp(file + n, "_vf", 3) && file[n + 3];
}

static bool by_nm(const struct asked *a, const char *file, const char *text)
{
	bool sriov = false, ours = false;
	struct line l = { .section = "" };

	(void)file;
	while (*a->ifname && text && (text = next_line(text, &l))) {
		sriov |= !strcmp(l.section, "sriov");
		ours |= !strcmp(l.section, "connection") &&
		        !strcmp(l.key, "interface-name") &&
		        !strcmp(l.value, a->ifname);
	}
	return sriov && ours;
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

static bool by_networkd(const struct asked *a, const char *file,
                        const char *text)
{
	bool sriov = false, ours = false;
	struct line l = { .section = "" };

	(void)file;
	while (*a->ifname && text && (text = next_line(text, &l))) {
		sriov |= !strcmp(l.section, "SR-IOV") ||
		         !strcmp(l.key, "SR-IOVVirtualFunctions");
		ours |= !strcmp(l.section, "Match") &&
		        (!strcmp(l.key, "Name") ||
		         !strcmp(l.key, "OriginalName")) &&
		        glob_list(l.value, a->ifname);
	}
	return sriov && ours;
}

/* YAML: the interface is a key of a file that speaks of VFs. */
static bool by_netplan(const struct asked *a, const char *file,
                       const char *text)
{
	size_t n = strlen(a->ifname);
	const char *at = text;

	(void)file;
	if (!n || !text ||
	    (!strstr(text, "virtual-function-count:") &&
	     !strstr(text, "embedded-switch-mode:")))
		return false;
	while ((at = strstr(at, a->ifname))) {
		bool begins = at == text || strchr(" \n\t\"'", at[-1]);

		at += n;
		at += *at == '"' || *at == '\'';
		if (begins && *at == ':')
			return true;
	}
	return false;
}

// clang-format off
static const struct place places[] = {
	{ "driverctl", "etc/driverctl.d", "", by_address, false,
	  "keeps a driver for it, and sets that again at each boot",
	  "driverctl unset-override" },
	{ "the SR-IOV network operator", "etc/sriov-operator/pci", "",
	  by_address, false, "carves its VFs, and repairs what it finds changed",
	  "take it out of the SriovNetworkNodePolicy, then remove the file" },
	{ "libvirt", "run/libvirt/hostdevmgr", "", by_vf, false,
	  "has given a VF of it to a guest", "virsh shutdown that guest" },
	{ "NetworkManager", "etc/NetworkManager/system-connections", "",
	  by_nm, true, "has a connection that sets its VFs",
	  "nmcli connection modify ID remove sriov" },
	{ "NetworkManager", "run/NetworkManager/system-connections", "",
	  by_nm, true, "has a connection that sets its VFs",
	  "nmcli connection modify ID remove sriov" },
	{ "systemd-networkd", "etc/systemd/network", ".network", by_networkd,
	  true, "sets its VFs", "remove its [SR-IOV] sections" },
	{ "systemd-udevd", "etc/systemd/network", ".link", by_networkd,
	  true, "sets its VFs", "remove its [SR-IOV] sections" },
	{ "systemd-networkd", "run/systemd/network", ".network", by_networkd,
	  true, "sets its VFs", "remove its [SR-IOV] sections" },
	{ "systemd-udevd", "run/systemd/network", ".link", by_networkd,
	  true, "sets its VFs", "remove its [SR-IOV] sections" },
	{ "netplan", "etc/netplan", ".yaml", by_netplan, true,
	  "sets how many VFs it has",
	  "remove virtual-function-count from it, then `netplan generate`" },
};
// clang-format on

/* ---- the files ----------------------------------------------------------- */

static bool ends_so(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && !strcmp(name + n - m, end);
}

/* NULL where it is no file, or too long. */
static char *read_text(int dir, const char *name)
{
	_cleanup_close_ int fd =
		openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    fd_read_file(fd, OWNER_FILE_MAX, &text, &len) < 0)
		return NULL;
	return text;
}

static bool is_named(const struct place *p, const struct asked *a, int dir,
                     const char *name)
{
	_cleanup_free_ char *text = NULL;

	if (!p->reads)
		return p->names(a, name, NULL);
	text = read_text(dir, name);
	return text && p->names(a, name, text);
}

/* Places of one folder. */
struct search {
	const struct place *place;
	size_t n_places;
	bool found[ARRAY_SIZE(places)]; /* by place */
	const struct asked *asked;
	int dir;
	unsigned files;
	struct sriov_owner *ret;
	size_t n, max;
};

static int see_file(const char *name, void *arg)
{
	struct search *s = arg;

	if (*name == '.')
		return 0;
	if (s->files++ == OWNER_FILES_MAX)
		return -E2BIG;
	for (size_t i = 0; s->n < s->max && i < s->n_places; i++) {
		const struct place *p = &s->place[i];
		struct sriov_owner *o = &s->ret[s->n];

		if (s->found[i] || !ends_so(name, p->end) ||
		    !is_named(p, s->asked, s->dir, name))
			continue;
		s->found[i] = true;
		s->n++;
		*o = (struct sriov_owner){ .who = p->who,
			                   .what = p->what,
			                   .mend = p->mend };
		snprintf(o->file, sizeof(o->file), "/%s/%.80s", p->dir, name);
	}
	return 0;
}

static size_t look_in(int root_fd, const struct place *p, size_t n,
                      const struct asked *a, struct sriov_owner *ret,
                      size_t max)
{
	_cleanup_close_ int dir =
		openat(root_fd, p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct search s = { .place = p,
		            .n_places = n,
		            .asked = a,
		            .dir = dir,
		            .ret = ret,
		            .max = max };

	if (dir >= 0)
		(void)!sysfs_each(dir, ".", see_file, &s);
	return s.n;
}

size_t sriov_owners(int root_fd, struct bdf b, const char *ifname,
                    struct sriov_owner *ret, size_t max)
{
	struct asked a = { .b = b, .ifname = ifname };
	size_t n = 0, same;

	bdf_format(b, a.bdf);
	for (size_t i = 0; i < ARRAY_SIZE(places) && n < max; i += same) {
		same = 1;
		while (i + same < ARRAY_SIZE(places) &&
		       !strcmp(places[i + same].dir, places[i].dir))
			same++;
		n += look_in(root_fd, &places[i], same, &a, &ret[n], max - n);
	}
	return n;
}
