/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI addresses as text. Pure: part of what pci-config and policy may use. */

#include "base/base.h"

/* One hexadecimal digit, or -1. isxdigit() would depend on the locale. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Between `min` and `max` digits, then `end`; returns what follows `end`. */
static const char *hex_field(const char *s, unsigned min, unsigned max,
                             char end, uint32_t *ret)
{
	uint32_t v = 0;
	unsigned n = 0;

	for (; n < max && hex_digit(s[n]) >= 0; n++)
		v = v << 4 | (uint32_t)hex_digit(s[n]);
	if (n < min || s[n] != end)
		return NULL;
	*ret = v;
	return end ? s + n + 1 : s + n;
}

int bdf_parse(const char *s, struct bdf *ret)
{
	uint32_t domain = 0, bus = 0, dev = 0, fn = 0;

	s = hex_field(s, 4, 8, ':', &domain);
	if (s)
		s = hex_field(s, 2, 2, ':', &bus);
	if (s)
		s = hex_field(s, 2, 2, '.', &dev);
	if (s)
		s = hex_field(s, 1, 1, '\0', &fn);
	if (!s || dev > 31 || fn > 7)
		return -EINVAL;
	*ret = (struct bdf){ domain, (uint8_t)bus, (uint8_t)dev, (uint8_t)fn };
	return 0;
}

const char *bdf_format(struct bdf b, char buf[static BDF_STRLEN])
{
	unsigned n = 4;
	char *p = buf;

	while (n < 8 && b.domain >> (4 * n)) /* VMD's has more than four */
		n++;
	p = hex_put(p, b.domain, n);
	*p++ = ':';
	p = hex_put(p, b.bus, 2);
	*p++ = ':';
	p = hex_put(p, b.dev & 31u, 2);
	*p++ = '.';
	p = hex_put(p, b.fn & 7u, 1);
	*p = '\0';
	return buf;
}

bool bdf_equal(struct bdf a, struct bdf b)
{
	return a.domain == b.domain && a.bus == b.bus && a.dev == b.dev &&
	       a.fn == b.fn;
}
