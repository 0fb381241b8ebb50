/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMBIOS structures, DSP0134 3.3; see smbios.h. Each is opened with its type,
 * its fields are written in the order of the specification, and it is closed:
 * then it gets its length, and its strings behind it.
 *
 * The entry point's place is kept at the beginning and filled in last, when the
 * length is known.
 */

#include <string.h>

#include "vmm/aml.h"
#include "vmm/smbios.h"

enum {
	ENTRY_SIZE = 24, /* 5.2.2 */
	ENTRY_PLACE = 32,
	VERSION_MAJOR = 3,
	VERSION_MINOR = 3,
	STRINGS_MAX = 8,

	TYPE_FIRMWARE = 0,
	TYPE_SYSTEM = 1,
	TYPE_CHASSIS = 3,
	TYPE_PROCESSOR = 4,
	TYPE_ARRAY = 16,
	TYPE_MEMORY = 17,
	TYPE_RANGE = 19,
	TYPE_BOOT = 32,
	TYPE_END = 127,

	NO_HANDLE = 0xffff,
	UNKNOWN = 2, /* in most of the enumerations */
	OTHER = 1,
};
#define VENDOR "fairlead"
#define PRODUCT "fairlead guest"
/* Linux reads the year as the firmware's age, and mends what old ones did. */
#define RELEASE_DATE "01/01/2026"

/* Type in the high byte, number in the low one: structures find each other. */
#define HANDLE(type, i) ((type) << 8 | (i))

struct writer {
	struct aml a;
	size_t at; /* of the open structure */
	const char *string[STRINGS_MAX];
	unsigned n_strings;
};

static void open_type(struct writer *w, unsigned type, unsigned i)
{
	w->at = w->a.len;
	w->n_strings = 0;
	aml_le(&w->a, type, 1);
	aml_le(&w->a, 0, 1); /* length, later */
	aml_le(&w->a, HANDLE(type, i), 2);
}

static void put(struct writer *w, uint64_t v, unsigned width)
{
	aml_le(&w->a, v, width);
}

/* The number of a string, 0 for none (6.1.3). */
static void text(struct writer *w, const char *s)
{
	if (!*s || w->n_strings == STRINGS_MAX) {
		put(w, 0, 1);
		return;
	}
	w->string[w->n_strings++] = s;
	put(w, w->n_strings, 1);
}

/* Two zeros end a structure, also one without strings. */
static void close_type(struct writer *w)
{
	if (!w->a.full)
		w->a.buf[w->at + 1] = (uint8_t)(w->a.len - w->at);
	for (unsigned i = 0; i < w->n_strings; i++)
		aml_bytes(&w->a, w->string[i], strlen(w->string[i]) + 1);
	put(w, 0, w->n_strings ? 1 : 2);
}

static const char *or_else(const char *s, const char *other)
{
	return *s ? s : other;
}

/* ---- the machine --------------------------------------------------------- */

/* 7.1. The segment is where a processor begins after RESET. */
static void add_firmware(struct writer *w)
{
	open_type(w, TYPE_FIRMWARE, 0);
	text(w, VENDOR);
	text(w, FL_VERSION);
	put(w, 0xf000, 2);
	text(w, RELEASE_DATE);
	put(w, 0, 1);      /* 64 KiB of it */
	put(w, BIT(3), 8); /* what it supports: is not told */
	put(w, BIT(0), 1); /* ACPI */
	put(w, BIT(4), 1); /* these tables describe a virtual machine */
	put(w, 0xffff, 2); /* no release number of the firmware's, */
	put(w, 0xffff, 2); /* nor of a controller's */
	put(w, 0, 2);
	close_type(w);
}

/* 7.2. The UUID's first three fields are little-endian, 7.2.1. */
static void add_uuid(struct writer *w, const uint8_t *uuid)
{
	static const uint8_t order[] = { 3, 2, 1, 0, 5, 4, 7, 6 };

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		put(w, uuid[order[i]], 1);
	aml_bytes(&w->a, uuid + 8, 8);
}

static void add_system(struct writer *w, const struct smbios_machine *m)
{
	enum {
		POWER_SWITCH = 6
	};

	open_type(w, TYPE_SYSTEM, 0);
	text(w, or_else(m->id->manufacturer, VENDOR));
	text(w, or_else(m->id->product, PRODUCT));
	text(w, m->id->version);
	text(w, or_else(m->id->serial, m->name));
	add_uuid(w, m->id->uuid);
	put(w, POWER_SWITCH, 1);
	text(w, ""); /* SKU */
	text(w, ""); /* family */
	close_type(w);
}

/* 7.4 */
static void add_chassis(struct writer *w, const struct smbios_machine *m)
{
	enum {
		SAFE = 3
	};

	open_type(w, TYPE_CHASSIS, 0);
	text(w, or_else(m->id->manufacturer, VENDOR));
	put(w, OTHER, 1);
	text(w, m->id->version);
	text(w, "");     /* serial number */
	text(w, "");     /* asset tag */
	put(w, SAFE, 1); /* at boot; its power; its temperature */
	put(w, SAFE, 1);
	put(w, SAFE, 1);
	put(w, UNKNOWN, 1); /* lock */
	put(w, 0, 4);
	put(w, 0, 1); /* height, power cords: not told */
	put(w, 0, 1);
	put(w, 0, 1); /* contains nothing, by records of 0 bytes */
	put(w, 0, 1);
	text(w, ""); /* SKU */
	close_type(w);
}

/* 7.5. What it can is CPUID's to tell. */
static void add_processor(struct writer *w, const struct smbios_machine *m,
                          unsigned i)
{
	enum {
		CENTRAL = 3,
		POPULATED_ENABLED = 0x41,
		CAN_64BIT = 1 << 2,
		CAN_MANY_CORES = 1 << 3,
		CAN_THREADS = 1 << 4,
	};
	unsigned can = CAN_64BIT | (m->cores > 1 ? CAN_MANY_CORES : 0) |
	               (m->threads > m->cores ? CAN_THREADS : 0);

	open_type(w, TYPE_PROCESSOR, i);
	text(w, "vCPU");
	put(w, CENTRAL, 1);
	put(w, OTHER, 1); /* family */
	text(w, or_else(m->id->manufacturer, VENDOR));
	put(w, 0, 8); /* id */
	text(w, "");
	put(w, 0, 1); /* voltage, clock, speeds: unknown */
	put(w, 0, 2);
	put(w, 0, 2);
	put(w, 0, 2);
	put(w, POPULATED_ENABLED, 1);
	put(w, OTHER, 1); /* upgrade */
	for (unsigned cache = 0; cache < 3; cache++)
		put(w, NO_HANDLE, 2);
	text(w, ""); /* serial number, asset tag, part number */
	text(w, "");
	text(w, "");
	put(w, m->cores, 1);
	put(w, m->cores, 1); /* enabled */
	put(w, m->threads, 1);
	put(w, can, 2);
	put(w, OTHER, 2); /* family */
	put(w, m->cores, 2);
	put(w, m->cores, 2);
	put(w, m->threads, 2);
	close_type(w);
}

/* ---- its memory ---------------------------------------------------------- */

/* 7.17 */
static void add_array(struct writer *w, const struct smbios_machine *m)
{
	enum {
		ON_BOARD = 3,
		SYSTEM_MEMORY = 3,
		NO_ECC = 3,
	};
	const uint32_t beyond = 0x80000000; /* KiB: the long field has it */
	uint64_t bytes = 0;
	bool fits;

	for (unsigned i = 0; i < m->n_devices; i++)
		bytes += m->device[i];
	fits = bytes >> 10 < beyond;
	open_type(w, TYPE_ARRAY, 0);
	put(w, ON_BOARD, 1);
	put(w, SYSTEM_MEMORY, 1);
	put(w, NO_ECC, 1);
	put(w, fits ? bytes >> 10 : beyond, 4);
	put(w, 0xfffe, 2); /* errors: not told */
	put(w, m->n_devices, 2);
	put(w, fits ? 0 : bytes, 8); /* bytes */
	close_type(w);
}

/* 7.18: MiB, in 15 bits or else in 31. */
static void add_memory_sizes(struct writer *w, uint64_t bytes,
                             uint64_t *ret_extended)
{
	enum {
		EXTENDED = 0x7fff
	};
	uint64_t mib = bytes >> 20;

	*ret_extended = mib >= EXTENDED ? mib : 0;
	put(w, MIN(mib, (uint64_t)EXTENDED), 2);
}

static void add_memory(struct writer *w, const struct smbios_machine *m,
                       unsigned i)
{
	static const char *const locator[] = { "Node 0", "Node 1", "Node 2",
		                               "Node 3", "Node 4", "Node 5",
		                               "Node 6", "Node 7" };
	enum {
		DIMM = 9,
		RAM = 7,
		DETAIL_OTHER = 1 << 1,
		VOLATILE = 1 << 3, /* operating mode */
	};
	uint64_t extended;

	_Static_assert(ARRAY_SIZE(locator) == SMBIOS_NODES_MAX, "a name each");
	open_type(w, TYPE_MEMORY, i);
	put(w, HANDLE(TYPE_ARRAY, 0), 2);
	put(w, 0xfffe, 2); /* errors: not told */
	put(w, 0xffff, 2); /* widths: unknown */
	put(w, 0xffff, 2);
	add_memory_sizes(w, m->device[i], &extended);
	put(w, DIMM, 1);
	put(w, 0, 1); /* of no set */
	text(w, locator[i]);
	text(w, ""); /* bank */
	put(w, RAM, 1);
	put(w, DETAIL_OTHER, 2);
	put(w, 0, 2); /* speed */
	text(w, or_else(m->id->manufacturer, VENDOR));
	text(w, ""); /* serial number, asset tag, part number */
	text(w, "");
	text(w, "");
	put(w, 0, 1); /* rank */
	put(w, extended, 4);
	put(w, 0, 2); /* speed, voltages */
	put(w, 0, 2);
	put(w, 0, 2);
	put(w, 0, 2);
	put(w, UNKNOWN, 1); /* technology */
	put(w, VOLATILE, 2);
	text(w, ""); /* firmware; vendors and products */
	for (unsigned k = 0; k < 4; k++)
		put(w, 0, 2);
	put(w, 0, 8);            /* bytes that are not volatile; */
	put(w, m->device[i], 8); /* volatile; */
	put(w, 0, 8);            /* cache; */
	put(w, 0, 8);            /* logical */
	put(w, 0, 4);            /* speeds beyond 65535 MT/s */
	put(w, 0, 4);
	close_type(w);
}

/* 7.20: KiB, of which the last one is told; beyond 4 TiB, bytes. */
static void add_range(struct writer *w, const struct smbios_machine *m,
                      unsigned i)
{
	uint64_t first = m->range[i].start, last = first + m->range[i].size - 1;
	bool far = last >> 10 >= UINT32_MAX;

	open_type(w, TYPE_RANGE, i);
	put(w, far ? UINT32_MAX : first >> 10, 4);
	put(w, far ? UINT32_MAX : last >> 10, 4);
	put(w, HANDLE(TYPE_ARRAY, 0), 2);
	put(w, MAX(m->n_devices, 1u), 1); /* interleaved over so many */
	put(w, far ? first : 0, 8);
	put(w, far ? last : 0, 8);
	close_type(w);
}

/* ---- the end ------------------------------------------------------------- */

/* 7.33 */
static void add_boot(struct writer *w)
{
	open_type(w, TYPE_BOOT, 0);
	aml_bytes(&w->a, NULL, 6);
	put(w, 0, 1); /* no errors */
	close_type(w);
}

static void put_entry(uint8_t *p, uint64_t table, size_t len)
{
	uint8_t sum = 0;

	memset(p, 0, ENTRY_PLACE);
	memcpy(p, "_SM3_", 5);
	p[6] = ENTRY_SIZE;
	p[7] = VERSION_MAJOR;
	p[8] = VERSION_MINOR;
	p[10] = 1; /* revision of the entry point */
	store_le(p + 12, 4, len);
	store_le(p + 16, 8, table);
	for (unsigned i = 0; i < ENTRY_SIZE; i++)
		sum = (uint8_t)(sum + p[i]);
	p[5] = (uint8_t)-sum;
}

int smbios_write(const struct smbios_machine *m, uint64_t address, uint8_t *buf,
                 size_t size)
{
	struct writer w = { .a = { .buf = buf, .size = size } };

	aml_bytes(&w.a, NULL, ENTRY_PLACE);
	add_firmware(&w);
	add_system(&w, m);
	add_chassis(&w, m);
	for (unsigned i = 0; i < m->sockets; i++)
		add_processor(&w, m, i);
	add_array(&w, m);
	for (unsigned i = 0; i < m->n_devices; i++)
		add_memory(&w, m, i);
	for (unsigned i = 0; i < m->n_ranges; i++)
		add_range(&w, m, i);
	add_boot(&w);
	open_type(&w, TYPE_END, 0);
	close_type(&w);
	if (w.a.full)
		return -ENOSPC;
	put_entry(buf, address + ENTRY_PLACE, w.a.len - ENTRY_PLACE);
	return (int)w.a.len;
}

int smbios_build(struct vm *vm)
{
	const struct gpa at = { .v = MAP_SMBIOS };
	struct smbios_machine m = {
		.id = &vm->cfg.smbios,
		.name = vm->cfg.name,
		.sockets = vm->shape.sockets,
		.cores = vm->shape.cores,
		.threads = vm->shape.cores * vm->shape.threads,
	};
	uint8_t *buf = memory_at(vm, at, MAP_SMBIOS_SIZE);
	int r = -EFAULT;

	for (unsigned i = 0; i < vm->cfg.n_nodes; i++)
		m.device[m.n_devices++] = vm->cfg.node[i].size;
	if (!m.n_devices)
		m.device[m.n_devices++] = vm->cfg.memory;
	for (unsigned i = 0; i < MIN(vm->mem.n, SMBIOS_RANGES_MAX); i++) {
		m.range[m.n_ranges].start = vm->mem.region[i].gpa.v;
		m.range[m.n_ranges++].size = vm->mem.region[i].size;
	}
	if (buf)
		r = smbios_write(&m, MAP_SMBIOS, buf, MAP_SMBIOS_SIZE);
	return r < 0 ? r : 0;
}
