/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host itself does with its functions: filesystems, swap and
 * holders on their block devices, addresses and routes on their interfaces,
 * the console on their screens. Read at once for the whole host, because each
 * source tells of all functions. A source that is not there tells nothing; one
 * that cannot be read is an error: what it would have told could be a mount.
 *
 * A block device belongs to the last PCI function in its path. One whose
 * paths are several (nvme multipath: nvme0n1 above nvme0c0n1) is no child of
 * a function; the hidden path device is, and its name tells the other.
 */

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sriov/priv.h"

#define LINK_MAX 512
#define FILE_FIRST (64u << 10)
#define FILE_MAX (64u << 20)

struct use {
	struct bdf bdf;
	char text[SRIOV_USE];
};
struct disk {
	struct bdf bdf;
	char name[SRIOV_NAME];
};
struct sriov_uses {
	struct use *use;
	size_t n, room;
};
struct reader {
	int root_fd;
	struct sriov_uses *u;
	struct disk *disk;
	size_t n_disks, room_disks;
	struct routes routes;
	char *mounts, *swaps, *addresses6, *iomem;
	bool console; /* a frame buffer has it */
};

int grow_array(void **array, size_t n, size_t *room, size_t size)
{
	size_t want = *room ? 2 * *room : 16;
	void *more;

	if (n < *room)
		return 0;
	more = reallocarray(*array, want, size);
	if (!more)
		return -ENOMEM;
	*array = more;
	*room = want;
	return 0;
}

static int note(struct reader *r, struct bdf b, const char *fmt, ...)
	_printf_(3, 4);
static int note(struct reader *r, struct bdf b, const char *fmt, ...)
{
	struct sriov_uses *u = r->u;
	struct use use = { .bdf = b };
	va_list ap;
	int e;

	va_start(ap, fmt);
	vsnprintf(use.text, sizeof(use.text), fmt, ap);
	va_end(ap);
	/* Mount points may hold anything. */
	for (char *c = use.text; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			*c = '?';
	e = grow_array((void **)&u->use, u->n, &u->room, sizeof(*u->use));
	if (!e)
		u->use[u->n++] = use;
	return e;
}

/* ---- paths --------------------------------------------------------------- */

/* 1, 0 = it has gone, or is no device (bonding_masters is a file), or an
 * error. */
static int read_link(const struct reader *r, const char *class,
                     const char *name, char buf[static LINK_MAX])
{
	char path[SRIOV_PATH];
	ssize_t n;

	snprintf(path, sizeof(path), "sys/class/%s/%.60s", class, name);
	n = readlinkat(r->root_fd, path, buf, LINK_MAX - 1);
	if (n < 0)
		return errno == ENOENT || errno == EINVAL ? 0 : -errno;
	if (n >= LINK_MAX - 1)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 1;
}

/* Whose it is; the same. */
static int read_owner(const struct reader *r, const char *class,
                      const char *name, struct bdf *ret)
{
	char link[LINK_MAX];
	int e = read_link(r, class, name, link);

	return e <= 0 ? e : owner_of(link, ret);
}

bool owner_of(const char *path, struct bdf *ret)
{
	char part[BDF_STRLEN];
	bool found = false;

	for (const char *s = path; s; s = strchr(s, '/')) {
		s += *s == '/';
		size_t n = strcspn(s, "/");

		if (n >= sizeof(part))
			continue;
		memcpy(part, s, n);
		part[n] = '\0';
		found |= !bdf_parse(part, ret);
	}
	return found;
}

static bool has_part(const char *path, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = path; s; s = strchr(s, '/')) {
		s += *s == '/';
		if (strcspn(s, "/") == len && !strncmp(s, name, len))
			return true;
	}
	return false;
}

/* ---- disks --------------------------------------------------------------- */

static int add_disk(struct reader *r, struct bdf b, const char *name)
{
	int e = grow_array((void **)&r->disk, r->n_disks, &r->room_disks,
	                   sizeof(*r->disk));

	if (e)
		return e;
	r->disk[r->n_disks].bdf = b;
	snprintf(r->disk[r->n_disks++].name, SRIOV_NAME, "%.31s", name);
	return 0;
}

/* "nvme0c1n1", a path to "nvme0n1": the part from 'c' to 'n' goes. */
static void without_path(char name[static SRIOV_NAME])
{
	char *c = strchr(name, 'c'), *n = c ? strchr(c, 'n') : NULL;

	if (n && n != c + 1 && !strncmp(name, "nvme", 4) &&
	    strspn(c + 1, "0123456789") == (size_t)(n - c - 1))
		memmove(c, n, strlen(n) + 1);
}

static int see_disk(const char *name, void *arg)
{
	struct reader *r = arg;
	char head[SRIOV_NAME];
	struct bdf b;
	int e = read_owner(r, "block", name, &b);

	if (e <= 0)
		return e;
	snprintf(head, sizeof(head), "%.31s", name);
	without_path(head);
	return add_disk(r, b, head);
}

/* The field after `n` blanks of a line; NULL where there are fewer. */
static const char *word(const char *line, unsigned n)
{
	for (; n; n--) {
		line += strcspn(line, " \t\n");
		if (*line == '\n' || !*line)
			return NULL;
		line += strspn(line, " \t");
	}
	return line;
}

static bool word_is(const char *w, const char *text)
{
	size_t n = strlen(text);

	return w && !strncmp(w, text, n) && strchr(" \t\n", w[n]);
}

static const char *next_line(const char *line)
{
	line = strchr(line, '\n');
	return line && line[1] ? line + 1 : NULL;
}

static int see_mounts(struct reader *r, struct bdf b, const char *name)
{
	char path[SRIOV_PATH], number[32] = "?", node[SRIOV_NAME + 8];

	snprintf(path, sizeof(path), "sys/class/block/%.60s/dev", name);
	if (sysfs_read(r->root_fd, path, number, sizeof(number)) < 0)
		snprintf(number, sizeof(number), "?");
	snprintf(node, sizeof(node), "/dev/%.31s", name);
	for (const char *l = r->mounts; l && *l; l = next_line(l)) {
		const char *at = word(l, 4), *dash = strstr(l, " - ");
		const char *end = strchr(l, '\n');
		bool mine = word_is(word(l, 2), number);

		/* btrfs has a number of its own, but names a device. */
		if (dash && (!end || dash < end))
			mine |= word_is(word(dash, 3), node);
		if (mine && at)
			return note(r, b, "%s is mounted at %.*s", name,
			            (int)MIN(strcspn(at, " \n"), (size_t)60),
			            at);
	}
	return 0;
}

static int see_swap(struct reader *r, struct bdf b, const char *name)
{
	char node[SRIOV_NAME + 8];

	snprintf(node, sizeof(node), "/dev/%.31s", name);
	for (const char *l = r->swaps; l && *l; l = next_line(l))
		if (word_is(l, node))
			return note(r, b, "%s is swap", name);
	return 0;
}

static int first_name(const char *name, void *arg)
{
	snprintf(arg, SRIOV_NAME, "%.31s", name);
	return 1;
}

static int see_holders(struct reader *r, struct bdf b, const char *name)
{
	char path[SRIOV_PATH], holder[SRIOV_NAME];

	snprintf(path, sizeof(path), "sys/class/block/%.60s/holders", name);
	if (sysfs_each(r->root_fd, path, first_name, holder) != 1)
		return 0;
	return note(r, b, "%s is part of %s", name, holder);
}

struct btrfs {
	struct reader *r;
	const char *name;
	bool found;
};

static int see_btrfs(const char *fs, void *arg)
{
	struct btrfs *f = arg;
	char path[SRIOV_PATH];

	snprintf(path, sizeof(path), "sys/fs/btrfs/%.40s/devices/%.31s", fs,
	         f->name);
	f->found |= sysfs_exists(f->r->root_fd, path);
	return 0;
}

static int see_block_uses(struct reader *r, struct bdf b, const char *name)
{
	struct btrfs f = { .r = r, .name = name };
	size_t before = r->u->n;
	int e = see_mounts(r, b, name);

	if (!e)
		e = see_swap(r, b, name);
	if (!e)
		e = see_holders(r, b, name);
	if (e || r->u->n != before)
		return e;
	(void)!sysfs_each(r->root_fd, "sys/fs/btrfs", see_btrfs, &f);
	return f.found ? note(r, b, "%s is part of a mounted btrfs", name) : 0;
}

/* A disk or a partition, of a function or of a disk with several paths. */
static int see_block(const char *name, void *arg)
{
	struct reader *r = arg;
	char link[LINK_MAX];
	struct bdf b;
	int e = read_link(r, "block", name, link);

	if (e <= 0)
		return e;
	if (owner_of(link, &b))
		return see_block_uses(r, b, name);
	e = 0;
	for (size_t i = 0; !e && i < r->n_disks; i++)
		if (has_part(link, r->disk[i].name))
			e = see_block_uses(r, r->disk[i].bdf, name);
	return e;
}

/* ---- interfaces ---------------------------------------------------------- */

static int see_routes(struct reader *r, struct bdf b, const char *name)
{
	const struct routed *said = routes_of(&r->routes, name);

	if (!said || !said->any)
		return 0;
	return said->all ? note(r, b, "%s has the default route", name)
	                 : note(r, b, "%s is up with an address", name);
}

static int see_routes6(struct reader *r, struct bdf b, const char *name)
{
	const struct routed *said = routes_of(&r->routes, name);

	if (said && said->all6)
		return note(r, b, "%s has the IPv6 default route", name);
	/* Every interface that is up has one of scope link (20). */
	for (const char *l = r->addresses6; l && *l; l = next_line(l))
		if (word_is(word(l, 5), name) && !word_is(word(l, 3), "20"))
			return note(r, b, "%s is up with an IPv6 address",
			            name);
	return 0;
}

static int see_net(const char *name, void *arg)
{
	struct reader *r = arg;
	char path[SRIOV_PATH], master[SRIOV_NAME];
	struct bdf b;
	int e = read_owner(r, "net", name, &b);

	if (e <= 0)
		return e;
	snprintf(path, sizeof(path), "sys/class/net/%.60s/master", name);
	if (sysfs_link_name(r->root_fd, path, master, sizeof(master)) >= 0)
		return note(r, b, "%s is part of %s", name, master);
	e = see_routes(r, b, name);
	return e ? e : see_routes6(r, b, name);
}

/* ---- screens ------------------------------------------------------------- */

static int see_console(const char *name, void *arg)
{
	struct reader *r = arg;
	char path[SRIOV_PATH], text[64];
	uint64_t bound = 0;

	snprintf(path, sizeof(path), "sys/class/vtconsole/%.40s/name", name);
	if (sysfs_read(r->root_fd, path, text, sizeof(text)) < 0 ||
	    !strstr(text, "frame buffer"))
		return 0;
	snprintf(path, sizeof(path), "sys/class/vtconsole/%.40s/bind", name);
	if (!sysfs_read_u64(r->root_fd, path, &bound))
		r->console |= bound == 1;
	return 0;
}

static int see_frame_buffer(const char *name, void *arg)
{
	struct reader *r = arg;
	struct bdf b;
	int e = r->console ? read_owner(r, "graphics", name, &b) : 0;

	if (e <= 0)
		return e;
	return note(r, b, "%s shows the host's console", name);
}

static int see_boot_vga(const char *name, void *arg)
{
	struct reader *r = arg;
	char path[SRIOV_PATH];
	uint64_t boot = 0;
	struct bdf b;

	if (bdf_parse(name, &b) ||
	    sysfs_read_u64(r->root_fd, fn_path(path, b, "boot_vga"), &boot) ||
	    boot != 1)
		return 0;
	return note(r, b, "it is the display that the firmware started on");
}

static bool is_function(const char *line, struct bdf *ret)
{
	size_t n = strcspn(line, "\n");
	char name[BDF_STRLEN];

	if (n >= sizeof(name))
		return false;
	memcpy(name, line, n);
	name[n] = '\0';
	return !bdf_parse(name, ret);
}

/* The firmware's own picture (simpledrm, efifb), which no path joins to its
 * function: it lies in a BAR of it, as the indented lines of iomem tell. */
static int see_firmware_screen(struct reader *r)
{
	static const char *const names[] = { "BOOTFB", "simplefb", "efifb",
		                             "vesafb" };
	struct bdf b = { 0 };
	bool in = false;
	size_t at = 0;

	for (const char *l = r->iomem; l && *l; l = next_line(l)) {
		size_t depth = strspn(l, " "), i = 0;
		const char *name = strstr(l, " : ");

		if (!name)
			break;
		name += strlen(" : ");
		if (is_function(name, &b)) {
			at = depth;
			in = true;
			continue;
		}
		in = in && depth > at;
		while (i < ARRAY_SIZE(names) && !word_is(name, names[i]))
			i++;
		if (in && i < ARRAY_SIZE(names))
			return note(r, b, "it shows the firmware's screen (%s)",
			            names[i]);
	}
	return 0;
}

static int see_screen(struct bdf b, const char *node,
                      const struct sriov_holder *who, void *arg)
{
	return note(arg, b, "%s (pid %d) has %s open",
	            *who->comm ? who->comm : "a process", who->pid, node);
}

/* ---- all ----------------------------------------------------------------- */

/* A file of /proc, which tells no size: a host with many containers has many
 * mounts. */
static int read_all(int fd, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, room = 0;
	ssize_t got = 1;

	while (got) {
		if (len + 1 >= room) {
			char *more;

			if (room >= FILE_MAX)
				return -EFBIG;
			room = room ? 2 * room : FILE_FIRST;
			more = realloc(text, room);
			if (!more)
				return -ENOMEM;
			text = more;
		}
		got = read(fd, text + len, room - len - 1);
		if (got < 0 && errno != EINTR)
			return -errno;
		len += got > 0 ? (size_t)got : 0;
	}
	text[len] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

/* What is not there says nothing: NULL. */
static int read_text(int root_fd, const char *path, char **ret)
{
	_cleanup_close_ int fd =
		openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return read_all(fd, ret);
}

static int read_files(struct reader *r)
{
	const struct {
		const char *path;
		char **to;
	} files[] = {
		{ "proc/swaps", &r->swaps },
		{ "proc/net/if_inet6", &r->addresses6 },
		{ "proc/iomem", &r->iomem },
	};
	int e = read_text(r->root_fd, "proc/1/mountinfo", &r->mounts);

	/* The host's own mounts, wherever this process lives: not everybody
	 * may read those. */
	if (!r->mounts) {
		int own = read_text(r->root_fd, "proc/self/mountinfo",
		                    &r->mounts);

		e = r->mounts ? 0 : own ? own : e;
	}
	for (size_t i = 0; !e && i < ARRAY_SIZE(files); i++)
		e = read_text(r->root_fd, files[i].path, files[i].to);
	return e ? e : routes_read(r->root_fd, &r->routes);
}

static int walk(struct reader *r)
{
	static const struct {
		const char *dir;
		int (*see)(const char *name, void *arg);
	} steps[] = {
		{ "sys/class/block", see_disk },
		{ "sys/class/block", see_block },
		{ "sys/class/net", see_net },
		{ "sys/class/vtconsole", see_console },
		{ "sys/class/graphics", see_frame_buffer },
		{ "sys/bus/pci/devices", see_boot_vga },
	};
	int e = 0;

	for (size_t i = 0; !e && i < ARRAY_SIZE(steps); i++) {
		e = sysfs_each(r->root_fd, steps[i].dir, steps[i].see, r);
		if (e == -ENOENT)
			e = 0;
	}
	return e;
}

int sriov_uses_read(int root_fd, struct sriov_uses **ret)
{
	struct reader r = { .root_fd = root_fd, .u = calloc(1, sizeof(*r.u)) };
	int e;

	if (!r.u)
		return -ENOMEM;
	e = read_files(&r);
	if (!e)
		e = walk(&r);
	if (!e)
		e = see_firmware_screen(&r);
	if (!e)
		e = each_open_screen(root_fd, see_screen, &r);
	free(r.mounts);
	free(r.swaps);
	free(r.routes.at);
	free(r.addresses6);
	free(r.iomem);
	free(r.disk);
	if (e)
		sriov_uses_free(r.u);
	else
		*ret = r.u;
	return e;
}

void sriov_uses_free(struct sriov_uses *u)
{
	if (!u)
		return;
	free(u->use);
	free(u);
}

const char *sriov_uses_next(const struct sriov_uses *u, struct bdf b,
                            size_t *at)
{
	while (*at < u->n) {
		const struct use *use = &u->use[(*at)++];

		if (bdf_equal(use->bdf, b))
			return use->text;
	}
	return NULL;
}
