/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of the vectors: lines of /proc/interrupts that VFIO owns.
 *
 *     45:     7    12   IR-PCI-MSIX-0000:01:10.0   1-edge
 * vfio-msix[1](0000:01:10.0)
 *
 * Each CPU adds a column, so a line may have a hundred thousand bytes: it is
 * taken byte by byte, and only the present word and the sum are kept. Counts
 * are the words of digits before the first that is none (the chip); an owner
 * may be one of several on a shared line, with a comma behind.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "irq-remap/priv.h"

static const struct {
	const char *head;
	enum irq_host_kind kind;
} owners[] = {
	{ "vfio-msix[", IRQ_HOST_MSIX },
	{ "vfio-msi[", IRQ_HOST_MSI },
	{ "vfio-intx(", IRQ_HOST_INTX },
};

/* "3](0000:01:10.0)", or without index "0000:01:10.0)". */
static bool parse_owner(const char *s, bool indexed, struct irq_host *h)
{
	char *end = NULL;
	size_t len;

	h->index = 0;
	if (indexed) {
		unsigned long index = strtoul(s, &end, 10);

		if (end == s || index >= IRQ_VECTORS_MAX ||
		    strncmp(end, "](", 2) != 0)
			return false;
		h->index = (uint16_t)index;
		s = end + 2;
	}
	len = strcspn(s, ")");
	if (s[len] != ')' || !len || len >= sizeof(h->bdf))
		return false;
	memcpy(h->bdf, s, len);
	h->bdf[len] = '\0';
	return true;
}

static bool is_owner(const char *word, struct irq_host *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		size_t len = strlen(owners[i].head);

		if (strncmp(word, owners[i].head, len) != 0)
			continue;
		h->kind = owners[i].kind;
		return parse_owner(word + len, h->kind != IRQ_HOST_INTX, h);
	}
	return false;
}

static bool all_digits(const char *w)
{
	return *w && !w[strspn(w, "0123456789")];
}

/* A whole word of the line. */
static void take_word(struct irq_host_reader *r)
{
	char *w = r->word;

	w[r->len] = '\0';
	if (r->part == IRQ_HOST_NUMBER) {
		if (r->len > 1 && w[r->len - 1] == ':') {
			w[r->len - 1] = '\0';
			r->numbered = all_digits(w);
			r->line.irq = (unsigned)strtoul(w, NULL, 10);
		}
		r->part = IRQ_HOST_COUNTS;
	} else if (r->part == IRQ_HOST_COUNTS && all_digits(w)) {
		r->line.count += strtoull(w, NULL, 10);
	} else {
		r->part = IRQ_HOST_NAMES;
		/* The first of ours: a line has one vector of one function,
		 * but for a shared pin, where the count is of all. */
		if (r->numbered && !r->owned)
			r->owned = is_owner(w, &r->line);
	}
	r->len = 0;
}

bool irq_host_feed(struct irq_host_reader *r, char c, struct irq_host *ret)
{
	bool whole;

	if (c != ' ' && c != '\t' && c != '\n') {
		/* Longer than any word of interest: cut. */
		if (r->len < sizeof(r->word) - 1)
			r->word[r->len++] = c;
		return false;
	}
	if (r->len)
		take_word(r);
	if (c != '\n')
		return false;
	whole = r->owned;
	if (whole)
		*ret = r->line;
	*r = (struct irq_host_reader){ .part = IRQ_HOST_NUMBER };
	return whole;
}

int irq_host_each(int fd, void (*fn)(const struct irq_host *line, void *arg),
                  void *arg)
{
	struct irq_host_reader r = { .part = IRQ_HOST_NUMBER };
	struct irq_host line;
	uint64_t off = 0;
	char buf[4096];
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), (off_t)off)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (irq_host_feed(&r, buf[i], &line))
				fn(&line, arg);
		off += (uint64_t)n;
	}
	return n < 0 ? -errno : 0;
}

const char *irq_host_kind_name(enum irq_host_kind k)
{
	static const char *const name[] = {
		[IRQ_HOST_INTX] = "intx",
		[IRQ_HOST_MSI] = "msi",
		[IRQ_HOST_MSIX] = "msix",
	};

	return (size_t)k < ARRAY_SIZE(name) ? name[k] : "unknown";
}
