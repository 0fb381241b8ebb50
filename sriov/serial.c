/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serial numbers of a function: that of its Device Serial Number capability
 * (PCIe 6.0 7.9.3) and the SN of its Vital Product Data (PCI Local Bus 3.0,
 * appendix I). Firmware wrote the latter: nothing in it is believed but what
 * lies within what was read.
 *
 * Who may read: the capability is beyond the first 64 bytes of `config`, which
 * the kernel shows to CAP_SYS_ADMIN alone; `serial_number` (Linux 6.17) and
 * `vpd` are their owner's, root's. What cannot be read is not known.
 */

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sriov/priv.h"

#define EXT_FIRST 0x100u
#define CONFIG_SIZE 4096u
#define EXT_STEPS ((CONFIG_SIZE - EXT_FIRST) / 4) /* more is a loop */
#define EXT_CAP_DSN 3u
#define VPD_READ 1024u /* the SN is in the first of it; reading is slow */
#define VPD_R 0x90u
#define VPD_LARGE 0x80u

/* ---- DSN ----------------------------------------------------------------- */

static uint32_t le32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* The more significant half first, as lspci and the kernel write it. */
static void dsn_text(const uint8_t *cap, char ret[static SRIOV_DSN])
{
	uint32_t low = le32_at(cap + 4), high = le32_at(cap + 8);

	snprintf(ret, SRIOV_DSN, "%02x-%02x-%02x-%02x-%02x-%02x-%02x-%02x",
	         high >> 24, high >> 16 & 0xff, high >> 8 & 0xff, high & 0xff,
	         low >> 24, low >> 16 & 0xff, low >> 8 & 0xff, low & 0xff);
}

static void dsn_find(const uint8_t *config, size_t len,
                     char ret[static SRIOV_DSN])
{
	uint32_t at = EXT_FIRST;

	for (unsigned i = 0; i < EXT_STEPS && at >= EXT_FIRST && at + 12 <= len;
	     i++) {
		uint32_t head = le32_at(config + at);

		if (!head || head == UINT32_MAX)
			return;
		if ((head & 0xffff) == EXT_CAP_DSN) {
			dsn_text(config + at, ret);
			return;
		}
		at = head >> 20 & ~3u;
	}
}

static size_t read_some(int root_fd, struct bdf b, const char *attr,
                        uint8_t *buf, size_t size)
{
	char path[SRIOV_PATH];
	_cleanup_close_ int fd = openat(root_fd, fn_path(path, b, attr),
	                                O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : pread(fd, buf, size, 0);

	return n < 0 ? 0 : (size_t)n;
}

static bool dsn_good(const char *text)
{
	if (strlen(text) != SRIOV_DSN - 1)
		return false;
	for (size_t i = 0; text[i]; i++)
		if (i % 3 == 2 ? text[i] != '-'
		               : !strchr("0123456789abcdef", text[i]))
			return false;
	return strcmp(text, "00-00-00-00-00-00-00-00") != 0;
}

static void read_dsn(int root_fd, struct bdf b, char ret[static SRIOV_DSN])
{
	uint8_t config[CONFIG_SIZE];
	char path[SRIOV_PATH];

	if (sysfs_read(root_fd, fn_path(path, b, "serial_number"), ret,
	               SRIOV_DSN) < 0) {
		ret[0] = '\0';
		dsn_find(
			config,
			read_some(root_fd, b, "config", config, sizeof(config)),
			ret);
	}
	if (!dsn_good(ret))
		ret[0] = '\0';
}

/* ---- VPD ----------------------------------------------------------------- */

static void take_sn(const uint8_t *at, size_t len, char *ret)
{
	while (len && (at[len - 1] == ' ' || !at[len - 1]))
		len--;
	if (!len || len >= SRIOV_VPD)
		return;
	for (size_t i = 0; i < len; i++)
		if (at[i] <= ' ' || at[i] >= 0x7f)
			return;
	memcpy(ret, at, len);
	ret[len] = '\0';
}

/* Keywords: two letters, a length, as many bytes. */
static void find_sn(const uint8_t *at, size_t len, char *ret)
{
	while (len >= 3) {
		size_t n = at[2];

		if (n > len - 3)
			return;
		if (at[0] == 'S' && at[1] == 'N') {
			take_sn(at + 3, n, ret);
			return;
		}
		at += 3 + n;
		len -= 3 + n;
	}
}

/* Resources: a large one is a tag, two bytes of length, and that many; the
 * first small one (the end) has nothing for us behind it. */
static void vpd_find(const uint8_t *at, size_t len, char *ret)
{
	while (len >= 3 && at[0] & VPD_LARGE) {
		size_t n = (size_t)(at[1] | at[2] << 8);

		if (n > len - 3)
			n = len - 3; /* more than was read */
		if (at[0] == VPD_R) {
			find_sn(at + 3, n, ret);
			return;
		}
		at += 3 + n;
		len -= 3 + n;
	}
}

void sriov_serial_read(int root_fd, struct bdf b, bool vpd,
                       struct sriov_serial *ret)
{
	uint8_t data[VPD_READ];

	if (!vpd) {
		read_dsn(root_fd, b, ret->dsn);
		return;
	}
	ret->vpd[0] = '\0';
	vpd_find(data, read_some(root_fd, b, "vpd", data, sizeof(data)),
	         ret->vpd);
}
