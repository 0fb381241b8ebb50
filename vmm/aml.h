/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_AML_H
#define FL_VMM_AML_H

/*
 * A writer of ACPI Machine Language (ACPI 6.5, chapter 20) into a buffer of
 * fixed size. Nothing fails on the way: what does not fit sets `full`, to be
 * looked at once, at the end.
 *
 * What has a length is opened and closed; the length (PkgLength, 20.2.4) is
 * put in when it is closed:
 *
 *	size_t dev = aml_device(a, "COM1");
 *	aml_name(a, "_UID");
 *	aml_int(a, 0);
 *	aml_end(a, dev);
 */

#include "base/base.h"

struct aml {
	uint8_t *buf;
	size_t size, len;
	bool full;
};

/* ---- data, 20.2.3 ---- */
void aml_int(struct aml *a, uint64_t v); /* the shortest form */
void aml_dword(struct aml *a, uint32_t v);
void aml_string(struct aml *a, const char *s);
/* "PNP0A08", compressed as 19.3.4 says. */
void aml_eisaid(struct aml *a, const char *id);
/* A buffer with a UUID's 16 bytes, as ToUUID() makes it. */
void aml_uuid(struct aml *a, const char *uuid);

/* ---- names and objects, 20.2.2 and 20.2.5 ---- */
/* "_SB", "\\_S5", "CDW1": segments are padded with '_'; one segment. */
void aml_namestring(struct aml *a, const char *path);
/* Name (path, what the caller writes next). */
void aml_name(struct aml *a, const char *path);
/* CreateDWordField (source, byte offset, name); source: aml_arg(). */
void aml_dword_field(struct aml *a, unsigned arg, unsigned off,
                     const char *name);

size_t aml_scope(struct aml *a, const char *path);
size_t aml_device(struct aml *a, const char *name);
size_t aml_method(struct aml *a, const char *name, unsigned args,
                  bool serialized);
size_t aml_package(struct aml *a, unsigned elements);
/* If (predicate, written next by the caller) { ... }, Else { ... }. */
size_t aml_if(struct aml *a);
size_t aml_else(struct aml *a);
void aml_end(struct aml *a, size_t open);

/* ---- statements and expressions, 20.2.5.3 and 20.2.5.4 ---- */
enum aml_op {
	AML_STORE = 0x70,  /* source, target */
	AML_AND = 0x7b,    /* two operands, target */
	AML_OR = 0x7d,     /* two operands, target */
	AML_NOTIFY = 0x86, /* object, value */
	AML_NOT = 0x92,    /* in a predicate: LNot */
	AML_EQUAL = 0x93,  /* two operands */
	AML_RETURN = 0xa4,
	AML_NO_TARGET = 0x00,
};
void aml_op(struct aml *a, enum aml_op op);
void aml_arg(struct aml *a, unsigned n);   /* Arg0..Arg6 */
void aml_local(struct aml *a, unsigned n); /* Local0..Local7 */

/* ---- resource templates, 6.4 ---- */
/* Name (_CRS, ResourceTemplate () { ... }). */
size_t aml_crs(struct aml *a);
void aml_crs_end(struct aml *a, size_t open);
void aml_res_io(struct aml *a, uint16_t base, uint8_t size);
/* An edge triggered, active high interrupt of one's own. */
void aml_res_irq(struct aml *a, uint32_t gsi);
void aml_res_memory(struct aml *a, uint32_t base, uint32_t size);
/* What a bridge passes on: bus numbers, ports, memory. `last` is included. */
void aml_res_buses(struct aml *a, uint16_t first, uint16_t last);
void aml_res_ports(struct aml *a, uint16_t first, uint16_t last);
void aml_res_window32(struct aml *a, uint32_t first, uint32_t last);
void aml_res_window64(struct aml *a, uint64_t first, uint64_t last,
                      bool prefetch);

/* Raw bytes; NULL writes zeros. */
void aml_bytes(struct aml *a, const void *p, size_t n);
void aml_le(struct aml *a, uint64_t v, unsigned width);

#endif
