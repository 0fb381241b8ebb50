/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_BASE_BASE_H
#define FL_BASE_BASE_H

/*
 * base: what every folder needs and no kept library gives.
 *
 * Theory of operation
 *   Errors are negative errno values. A function that can explain itself also
 *   takes a `struct diag`, which carries one refusal as a person should read
 *   it: a stable number (FL-0123), what was tried, why it failed, and the
 *   command that mends it. Library code fills a diag and returns; only the
 *   programs print or log, once.
 *
 *   Every path below /sys, /proc and /dev is reached through a `root_fd`
 *   (a directory descriptor of "/" in production, of a recorded tree in
 *   tests), with relative paths such as "sys/bus/pci/devices".
 *
 * Purity
 *   pci-config and policy may use only the parts above the line "system";
 *   they are linked and checked so (make check-layers).
 *
 * Limits: a diag line holds 255 characters, a sysfs attribute one page.
 */

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- language ---------------------------------------------------------- */

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _must_check_ __attribute__((warn_unused_result))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))

#define ARRAY_SIZE(a)                                                          \
	(sizeof(a) / sizeof((a)[0]) +                                          \
	 0 * sizeof(char[1 -                                                   \
	                 2 * __builtin_types_compatible_p(                     \
				     __typeof__(a), __typeof__(&(a)[0]))]))
#define CHECK_SIZE(type, size)                                                 \
	_Static_assert(sizeof(type) == (size), "size of " #type)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CONTAINER_OF(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Bit fields in the order the specifications write them: BITS(15, 12). */
#define BIT(n) (1u << (n))
#define BIT64(n) (1ull << (n))
#define BITS(hi, lo) ((~0u >> (31 - (hi))) & (~0u << (lo)))
#define BITS64(hi, lo) ((~0ull >> (63 - (hi))) & (~0ull << (lo)))
#define FIELD_GET(mask, v) (((v) & (mask)) / ((mask) & -(mask)))
#define FIELD_PREP(mask, v) (((v) * ((mask) & -(mask))) & (mask))

#define ALIGN_DOWN(v, a) ((v) & ~((__typeof__(v))(a)-1))
#define ALIGN_UP(v, a) ALIGN_DOWN((v) + ((__typeof__(v))(a)-1), a)
#define IS_ALIGNED(v, a) (((v) & ((__typeof__(v))(a)-1)) == 0)
static inline bool is_power_of_2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* True where [a, a+an) and [b, b+bn) share a byte; a range that would wrap
 * is taken to reach the top of the address space. */
static inline bool ranges_overlap(uint64_t a, uint64_t an, uint64_t b,
                                  uint64_t bn)
{
	uint64_t ae, be;

	if (!an || !bn)
		return false;
	if (__builtin_add_overflow(a, an - 1, &ae))
		ae = UINT64_MAX;
	if (__builtin_add_overflow(b, bn - 1, &be))
		be = UINT64_MAX;
	return a <= be && b <= ae;
}

/* True where [off, off+len) lies inside [0, size). */
static inline bool range_inside(uint64_t off, uint64_t len, uint64_t size)
{
	return len <= size && off <= size - len;
}

/* Little-endian loads and stores from bytes of any alignment; PCI and ACPI
 * are little-endian (PCIe 6.0 2.2). `width` is 1 to 8. The dword is apart
 * because nearly every register is one, and each exit comes here. */
static inline uint64_t load_le(const void *p, unsigned width)
{
	const uint8_t *b = p;
	uint64_t v = 0;
	uint32_t dword;

	if (width == 4) {
		memcpy(&dword, p, 4);
		return le32toh(dword);
	}
	for (unsigned i = 0; i < width; i++)
		v |= (uint64_t)b[i] << (8 * i);
	return v;
}
static inline void store_le(void *p, unsigned width, uint64_t v)
{
	uint32_t dword = htole32((uint32_t)v);
	uint8_t *b = p;

	if (width == 4) {
		memcpy(p, &dword, 4);
		return;
	}
	for (unsigned i = 0; i < width; i++)
		b[i] = (uint8_t)(v >> (8 * i));
}

/* ---- addresses: distinct types, so that one cannot pass for another ---- */

struct gpa {
	uint64_t v; /* guest physical address */
};
struct iova {
	uint64_t v; /* address as a device emits it, before the IOMMU */
};

/* A PCI function: domain, bus, device, function. */
struct bdf {
	uint32_t domain;
	uint8_t bus;
	uint8_t dev; /* 0..31 */
	uint8_t fn;  /* 0..7 */
};
#define BDF_STRLEN 20 /* domains of 4 to 8 hex digits (VMD uses 5) */

/* Accepts "dddd:bb:dd.f" (hex, domain of 4 to 8 digits); else -EINVAL. */
_must_check_ int bdf_parse(const char *s, struct bdf *ret);
/* Writes "dddd:bb:dd.f"; `buf` holds BDF_STRLEN bytes. Returns buf. */
const char *bdf_format(struct bdf b, char buf[static BDF_STRLEN]);
bool bdf_equal(struct bdf a, struct bdf b);

/* ---- diag: one refusal, said so that a user can act on it --------------- */

#define DIAG_LINE 256
struct diag {
	int code; /* FL-nnnn, see docs/errors.md; 0 = nothing said */
	int err;  /* negative errno */
	char what[DIAG_LINE]; /* what was tried, on which object */
	char why[DIAG_LINE];  /* what the kernel, driver or check answered */
	char mend[DIAG_LINE]; /* the command or edit that mends it */
};

/* Fill `what` and clear the rest; returns `err` so that callers may write
 * `return diag_fail(...)`. What mends -ENOMEM, -EMFILE and -ENFILE is the same
 * whoever meets them, and filled in. A NULL diag is allowed everywhere. The
 * first refusal wins nothing: the latest replaces it. */
int diag_fail(struct diag *d, int err, int code, const char *fmt, ...)
	_printf_(4, 5);
void diag_why(struct diag *d, const char *fmt, ...) _printf_(2, 3);
void diag_mend(struct diag *d, const char *fmt, ...) _printf_(2, 3);
/* Where the error has not brought its own. */
void diag_mend_else(struct diag *d, const char *fmt, ...) _printf_(2, 3);
/* "FL-0123: what\n  why: ...\n  mend: ...\n"; lines left empty are left out.
 * Returns the length as snprintf does. */
int diag_format(const struct diag *d, char *buf, size_t size);

/* ---- text ---------------------------------------------------------------- */

/* The candidate nearest to `word` (edit distance, at most a third of its
 * length), or NULL: for "unknown key; did you mean ...". */
const char *nearest_word(const char *word, const char *const *candidates,
                         size_t n);
/* "512M", "2G", "65536": bytes. -EINVAL on anything else, -ERANGE on
 * overflow. Suffixes K M G T are powers of 1024. */
_must_check_ int parse_size(const char *s, uint64_t *ret_bytes);
/* Base 10 (or 16 with 0x), whole string; -EINVAL, -ERANGE. */
_must_check_ int parse_u64(const char *s, uint64_t max, uint64_t *ret);
#define MAC_STRLEN 18
_must_check_ int mac_parse(const char *s, uint8_t ret[static 6]);
const char *mac_format(const uint8_t mac[static 6],
                       char buf[static MAC_STRLEN]);
/* RFC 9562: "00112233-4455-6677-8899-aabbccddeeff", bytes as written. */
#define UUID_STRLEN 37
_must_check_ int uuid_parse(const char *s, uint8_t ret[static 16]);
const char *uuid_format(const uint8_t uuid[static 16],
                        char buf[static UUID_STRLEN]);
/* The last `digits` (8 at most) hexadecimal ones of v, no NUL; returns where
 * they end. For what is formatted by the hundred: printf() takes a thousand
 * instructions for an address. */
char *hex_put(char *at, uint32_t v, unsigned digits);

/* ---- system: descriptors, sysfs, logging (not for pure folders) --------- */

void close_fd(int *fd); /* cleanup helper: closes when >= 0, keeps errno */
void free_ptr(void *p); /* cleanup helper: *(void **)p */
#define _cleanup_close_ _cleanup_(close_fd)
#define _cleanup_free_ _cleanup_(free_ptr)
#define TAKE_FD(fd)                                                            \
	({                                                                     \
		int fd_ = (fd);                                                \
		(fd) = -1;                                                     \
		fd_;                                                           \
	})
#define TAKE_PTR(p)                                                            \
	({                                                                     \
		__typeof__(p) p_ = (p);                                        \
		(p) = NULL;                                                    \
		p_;                                                            \
	})

/* Read or write exactly `len` bytes at `off`; -EIO on a short transfer. */
_must_check_ int fd_pread_full(int fd, void *buf, size_t len, uint64_t off);
_must_check_ int fd_pwrite_full(int fd, const void *buf, size_t len,
                                uint64_t off);
/* The whole of a regular file or memfd of at most `max` bytes, NUL appended.
 * -EFBIG beyond. *ret is the caller's to free. */
_must_check_ int fd_read_file(int fd, size_t max, char **ret, size_t *ret_len);

/* folder.c: files of a folder whose names end in `suffix`, each at most `max`
 * bytes, in the order of their names; names are relative to dir_fd. `failed`:
 * the one that could not be read, "" = the folder itself. -E2BIG: too many. */
#define FOLDER_NAME 64
#define FOLDER_FILES_MAX 64
struct folder_file {
	char name[FOLDER_NAME];
	char *text;
	size_t len;
};
struct folder {
	struct folder_file *file;
	size_t n;
	/* Asked of each file before it is read; NULL = all are good. */
	int (*check)(int fd);
};
_must_check_ int folder_read(int dir_fd, const char *folder, const char *suffix,
                             size_t max, struct folder *to,
                             char failed[static FOLDER_NAME]);
/* Those of the folder `sub`, then the file `one` beside it, whichever there
 * are; -ENOENT: neither is. */
_must_check_ int folder_read_both(int dir_fd, const char *sub, const char *one,
                                  const char *suffix, size_t max,
                                  struct folder *to,
                                  char failed[static FOLDER_NAME]);
/* One more. */
_must_check_ int folder_add(struct folder *to, int dir_fd, const char *name,
                            size_t max);
void folder_clear(struct folder *f);

#define FD_PASS_MAX 253 /* the kernel's SCM_MAX_FD */
/* One datagram with descriptors (SCM_RIGHTS). `n` at most FD_PASS_MAX. */
_must_check_ int fd_send(int sock, const void *buf, size_t len, const int *fds,
                         size_t n);
/* Returns the length received (0 = peer closed); descriptors are opened
 * CLOEXEC and are the caller's. -EMSGSIZE when either was truncated (then
 * nothing is left open). */
_must_check_ ssize_t fd_recv(int sock, void *buf, size_t size, int *fds,
                             size_t max_fds, size_t *ret_n);

#define SYSFS_MAX 4096
/* `path` is relative to root_fd ("sys/bus/pci/devices/..."). The text comes
 * without its trailing newline. Returns the length or negative errno. */
_must_check_ int sysfs_read(int root_fd, const char *path, char *buf,
                            size_t size);
_must_check_ int sysfs_read_u64(int root_fd, const char *path, uint64_t *ret);
/* The same of an attribute of a device, below its folder. */
_must_check_ int sysfs_attr(int dir_fd, const char *name, char *buf,
                            size_t size);
_must_check_ int sysfs_attr_u64(int dir_fd, const char *name, uint64_t *ret);
_must_check_ int sysfs_write(int root_fd, const char *path, const char *value);
/* The child `pid`, within `ms`: *ret_status as waitpid(2) has it. -ETIMEDOUT:
 * it was killed; where a driver keeps it even from that it is left to the
 * kernel, and *ret_stuck (may be NULL) is its pid. */
_must_check_ int child_wait(pid_t pid, unsigned ms, int *ret_status,
                            int *ret_stuck);
/* `fn` in a child process that has no descriptor open but `keep_fd` (-1 =
 * none) and is killed after `timeout_ms`. Returns what `fn` does, an errno
 * below 256; what else it has to say goes through shared memory. As below. */
_must_check_ int run_deadline(int keep_fd, int (*fn)(void *arg), void *arg,
                              unsigned timeout_ms, int *ret_stuck);
/* As sysfs_write, but in a child process that is killed after `timeout_ms`:
 * a driver may sleep for ever in a device write. -ETIMEDOUT when it did; the
 * child may then still sit in the kernel, and *ret_stuck (may be NULL) is
 * its pid. The caller never blocks longer than the deadline. */
_must_check_ int sysfs_write_deadline(int root_fd, const char *path,
                                      const char *value, unsigned timeout_ms,
                                      int *ret_stuck);
/* Last component of a symbolic link's target: a driver's name, a group. */
_must_check_ int sysfs_link_name(int root_fd, const char *path, char *buf,
                                 size_t size);
bool sysfs_exists(int root_fd, const char *path);
/* Call `fn` with each entry's name, in lexical order; stops at the first
 * non-zero return and passes it on. */
_must_check_ int sysfs_each(int root_fd, const char *dir,
                            int (*fn)(const char *name, void *arg), void *arg);

/* ---- lib.c: libraries that few uses of a program need ---------------------
 *
 * What a short command does is less than the start of what it links. Such a
 * library is loaded by who needs it, into a struct of his, which has a pointer
 * for each function and nothing else:
 *
 *   #define NAMES(fn) fn(pci_alloc) fn(pci_cleanup)
 *   struct names { NAMES(LIB_FN) };
 *   static const char *const names[] = { NAMES(LIB_NAME) };
 *
 * It stays loaded.
 */
// NOLINTNEXTLINE(bugprone-macro-parentheses): it names the member
#define LIB_FN(fn) __typeof__(&(fn)) fn;
#define LIB_NAME(fn) #fn,
/* -ELIBACC: there is no such library, or it lacks one of them. */
_must_check_ int lib_load(const char *lib, const char *const *names, size_t n,
                          void *ret);

enum log_level {
	LOG_LVL_ERROR,
	LOG_LVL_WARN,
	LOG_LVL_INFO,
	LOG_LVL_DEBUG
};
/* A program's log: passed, never global. Lines go to `fd` with the
 * sd-daemon(3) priority prefix when `prefix` is set. With `room`, for a loop
 * that serves others, nobody is waited for: a line for which there is no room
 * is counted, and told of once there is. */
struct log_room {
	bool waits; /* after all: of a process that may, by itself */
	unsigned lost;
};
struct log {
	int fd;
	enum log_level level;
	bool prefix;
	const char *ident;
	struct log_room *room;
};
void log_line(const struct log *l, enum log_level level, const char *fmt, ...)
	_printf_(3, 4);
void log_diag(const struct log *l, enum log_level level, const struct diag *d);
/* How many were lost, if there is room now to say it. */
void log_tell_lost(const struct log *l);

/* ---- textring.c: the last words of a process ------------------------------
 *
 * A memfd that cannot grow: whoever is given it can fill it with what he likes,
 * and the host's memory with no more. Its file offset is where the next line
 * goes, so a plain write(2) to it lands there, too; behind it are the oldest
 * lines. The offset is one for all who were passed the descriptor.
 */
#define TEXTRING_SIZE 65536u
#define TEXTRING_LINE 1024u
_must_check_ int textring_new(void); /* a descriptor */
bool textring_is(int fd);
/* A line with the time before it; what is no printable text becomes '?'. Two
 * who come to the end of it at once may lose one of their lines. */
void textring_put(int fd, const char *text);
/* All that is there, the oldest line first, of TEXTRING_SIZE bytes at most;
 * printable text and line feeds only, whatever was written. */
_must_check_ int textring_read(int fd, char **ret);
/* From *at on, which moves: what has been written since. */
size_t textring_more(int fd, uint64_t *at, char *buf, size_t size);

/* At most `burst` passes in each `interval_ns`; for anything a guest can
 * cause to be logged. */
struct ratelimit {
	uint64_t interval_ns;
	uint64_t begin_ns;
	uint32_t burst;
	uint32_t passed;
	uint64_t dropped;
};
bool ratelimit_pass(struct ratelimit *r, uint64_t now_ns);
uint64_t now_ns(void); /* CLOCK_MONOTONIC */

#endif
