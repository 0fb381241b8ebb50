/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI Machine Language: see aml.h. Section numbers are ACPI 6.5's. */

#include <string.h>

#include "vmm/aml.h"

enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	OP_EXT = 0x5b,
	OP_EXT_DEVICE = 0x82,
	OP_LOCAL0 = 0x60,
	OP_ARG0 = 0x68,
	OP_DWORD_FIELD = 0x8a,
	OP_IF = 0xa0,
	OP_ELSE = 0xa1,
};
#define METHOD_SERIALIZED BIT(3)

/* ---- bytes --------------------------------------------------------------- */

void aml_bytes(struct aml *a, const void *p, size_t n)
{
	if (a->full || n > a->size - a->len) {
		a->full = true;
		return;
	}
	if (p)
		memcpy(a->buf + a->len, p, n);
	else
		memset(a->buf + a->len, 0, n);
	a->len += n;
}

void aml_le(struct aml *a, uint64_t v, unsigned width)
{
	uint8_t b[8];

	store_le(b, width, v);
	aml_bytes(a, b, width);
}

static void byte(struct aml *a, unsigned v)
{
	aml_le(a, v, 1);
}

/* Make room at `at`, which what was written since moves up for. */
static void insert(struct aml *a, size_t at, const void *p, size_t n)
{
	aml_bytes(a, NULL, n);
	if (a->full)
		return;
	memmove(a->buf + at + n, a->buf + at, a->len - n - at);
	memcpy(a->buf + at, p, n);
}

/* ---- lengths, 20.2.4 ----------------------------------------------------- */

void aml_end(struct aml *a, size_t open)
{
	size_t body = a->len - open, bytes, v;
	uint8_t pkg[4];

	if (a->full)
		return;
	/* The length counts its own bytes: one up to 63, else 4 bits and 8 for
	 * each byte that follows. */
	bytes = body + 1 < 64 ? 1 : body + 2 < 1u << 12 ? 2 : 3;
	if (body + 3 >= 1u << 20) {
		a->full = true;
		return;
	}
	v = body + bytes;
	if (bytes == 1) {
		pkg[0] = (uint8_t)v;
	} else {
		pkg[0] = (uint8_t)((bytes - 1) << 6 | (v & 0x0f));
		pkg[1] = (uint8_t)(v >> 4);
		pkg[2] = (uint8_t)(v >> 12);
	}
	insert(a, open, pkg, bytes);
}

/* ---- data ---------------------------------------------------------------- */

void aml_dword(struct aml *a, uint32_t v)
{
	byte(a, OP_DWORD);
	aml_le(a, v, 4);
}

void aml_int(struct aml *a, uint64_t v)
{
	if (v <= 1) {
		byte(a, v ? OP_ONE : OP_ZERO);
	} else if (v <= UINT8_MAX) {
		byte(a, OP_BYTE);
		aml_le(a, v, 1);
	} else if (v <= UINT16_MAX) {
		byte(a, OP_WORD);
		aml_le(a, v, 2);
	} else if (v <= UINT32_MAX) {
		aml_dword(a, (uint32_t)v);
	} else {
		byte(a, OP_QWORD);
		aml_le(a, v, 8);
	}
}

void aml_string(struct aml *a, const char *s)
{
	byte(a, OP_STRING);
	aml_bytes(a, s, strlen(s) + 1);
}

static unsigned hex(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return ((unsigned)c | 0x20) - 'a' + 10;
}

/* Three letters of five bits each, four hex digits, high byte first. */
void aml_eisaid(struct aml *a, const char *id)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 3; i++)
		v = v << 5 | ((unsigned)(id[i] - '@') & 0x1f);
	for (unsigned i = 3; i < 7; i++)
		v = v << 4 | hex(id[i]);
	aml_dword(a, __builtin_bswap32(v));
}

/* The first three groups are little-endian, 19.6.143. */
void aml_uuid(struct aml *a, const char *uuid)
{
	static const uint8_t order[16] = { 3, 2, 1,  0,  5,  4,  7,  6,
		                           8, 9, 10, 11, 12, 13, 14, 15 };
	uint8_t raw[16] = { 0 }, bytes[16];
	unsigned digits = 0;
	size_t open;

	for (; *uuid && digits < 32; uuid++) {
		if (*uuid == '-')
			continue;
		raw[digits / 2] = (uint8_t)(raw[digits / 2] << 4 | hex(*uuid));
		digits++;
	}
	for (unsigned i = 0; i < 16; i++)
		bytes[i] = raw[order[i]];
	byte(a, OP_BUFFER);
	open = a->len;
	aml_int(a, sizeof(bytes));
	aml_bytes(a, bytes, sizeof(bytes));
	aml_end(a, open);
}

/* ---- names --------------------------------------------------------------- */

void aml_namestring(struct aml *a, const char *path)
{
	char seg[4] = { '_', '_', '_', '_' };
	bool root = *path == '\\';

	if (root)
		byte(a, '\\');
	path += root;
	/* The root alone is a null name behind the backslash. */
	if (!*path) {
		byte(a, 0);
		return;
	}
	memcpy(seg, path, MIN(strlen(path), sizeof(seg)));
	aml_bytes(a, seg, sizeof(seg));
}

void aml_name(struct aml *a, const char *path)
{
	byte(a, OP_NAME);
	aml_namestring(a, path);
}

void aml_dword_field(struct aml *a, unsigned arg, unsigned off,
                     const char *name)
{
	byte(a, OP_DWORD_FIELD);
	aml_arg(a, arg);
	aml_int(a, off);
	aml_namestring(a, name);
}

size_t aml_scope(struct aml *a, const char *path)
{
	size_t open;

	byte(a, OP_SCOPE);
	open = a->len;
	aml_namestring(a, path);
	return open;
}

size_t aml_device(struct aml *a, const char *name)
{
	size_t open;

	byte(a, OP_EXT);
	byte(a, OP_EXT_DEVICE);
	open = a->len;
	aml_namestring(a, name);
	return open;
}

size_t aml_method(struct aml *a, const char *name, unsigned args,
                  bool serialized)
{
	size_t open;

	byte(a, OP_METHOD);
	open = a->len;
	aml_namestring(a, name);
	byte(a, args | (serialized ? METHOD_SERIALIZED : 0));
	return open;
}

size_t aml_package(struct aml *a, unsigned elements)
{
	size_t open;

	byte(a, OP_PACKAGE);
	open = a->len;
	byte(a, elements);
	return open;
}

size_t aml_if(struct aml *a)
{
	byte(a, OP_IF);
	return a->len;
}

size_t aml_else(struct aml *a)
{
	byte(a, OP_ELSE);
	return a->len;
}

void aml_op(struct aml *a, enum aml_op op)
{
	byte(a, op);
}

void aml_arg(struct aml *a, unsigned n)
{
	byte(a, OP_ARG0 + n);
}

void aml_local(struct aml *a, unsigned n)
{
	byte(a, OP_LOCAL0 + n);
}

/* ---- resource templates, 6.4 --------------------------------------------- */

enum {
	RES_IO = 0x47,     /* small, 7 bytes */
	RES_END = 0x79,    /* small, 1 byte */
	RES_MEMORY = 0x86, /* large from here on */
	RES_DWORD = 0x87,
	RES_WORD = 0x88,
	RES_IRQ = 0x89,
	RES_QWORD = 0x8a,

	TYPE_MEMORY = 0,
	TYPE_IO = 1,
	TYPE_BUS = 2,
	/* Producer, both ends fixed (6.4.3.5). */
	SPACE_FIXED = 0x0c,
	IO_ENTIRE = 0x03,    /* non-ISA and ISA ranges */
	MEM_NONCACHE = 0x01, /* read-write, not cacheable */
	MEM_PREFETCH = 0x07, /* read-write, prefetchable */
	IO_DECODE16 = 0x01,
	MEM_READ_WRITE = 0x01,
	IRQ_CONSUMER_EDGE = 0x03, /* active high, not shared */
};

size_t aml_crs(struct aml *a)
{
	aml_name(a, "_CRS");
	byte(a, OP_BUFFER);
	return a->len;
}

void aml_crs_end(struct aml *a, size_t open)
{
	uint8_t size[3] = { OP_WORD };
	size_t body;

	byte(a, RES_END);
	byte(a, 0); /* a checksum of 0 is taken as right, 6.4.2.9 */
	body = a->len - open;
	if (body <= UINT8_MAX) {
		size[0] = OP_BYTE;
		size[1] = (uint8_t)body;
		insert(a, open, size, 2);
	} else {
		store_le(size + 1, 2, body);
		insert(a, open, size, 3);
	}
	aml_end(a, open);
}

void aml_res_io(struct aml *a, uint16_t base, uint8_t size)
{
	byte(a, RES_IO);
	byte(a, IO_DECODE16);
	aml_le(a, base, 2);
	aml_le(a, base, 2);
	byte(a, 1); /* alignment */
	byte(a, size);
}

void aml_res_irq(struct aml *a, uint32_t gsi)
{
	byte(a, RES_IRQ);
	aml_le(a, 6, 2);
	byte(a, IRQ_CONSUMER_EDGE);
	byte(a, 1); /* interrupts that follow */
	aml_le(a, gsi, 4);
}

void aml_res_memory(struct aml *a, uint32_t base, uint32_t size)
{
	byte(a, RES_MEMORY);
	aml_le(a, 9, 2);
	byte(a, MEM_READ_WRITE);
	aml_le(a, base, 4);
	aml_le(a, size, 4);
}

/* Address space descriptor with fields of `width` bytes. */
static void window(struct aml *a, unsigned tag, unsigned width, unsigned type,
                   unsigned flags, uint64_t first, uint64_t last)
{
	byte(a, tag);
	aml_le(a, 3 + 5 * width, 2);
	byte(a, type);
	byte(a, SPACE_FIXED);
	byte(a, flags);
	aml_le(a, 0, width); /* granularity */
	aml_le(a, first, width);
	aml_le(a, last, width);
	aml_le(a, 0, width); /* translation */
	aml_le(a, last - first + 1, width);
}

void aml_res_buses(struct aml *a, uint16_t first, uint16_t last)
{
	window(a, RES_WORD, 2, TYPE_BUS, 0, first, last);
}

void aml_res_ports(struct aml *a, uint16_t first, uint16_t last)
{
	window(a, RES_WORD, 2, TYPE_IO, IO_ENTIRE, first, last);
}

void aml_res_window32(struct aml *a, uint32_t first, uint32_t last)
{
	window(a, RES_DWORD, 4, TYPE_MEMORY, MEM_NONCACHE, first, last);
}

void aml_res_window64(struct aml *a, uint64_t first, uint64_t last,
                      bool prefetch)
{
	window(a, RES_QWORD, 8, TYPE_MEMORY,
	       prefetch ? MEM_PREFETCH : MEM_NONCACHE, first, last);
}
