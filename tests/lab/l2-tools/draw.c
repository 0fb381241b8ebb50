/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A picture on the display of a DRM driver, in its preferred mode, by a dumb
 * buffer; and the same picture as a PPM file, for whoever compares.
 */

#include "tool.h"

#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CARDS 4
#define MODES 64
#define BLOCK 16u

/* Blocks of a colour each, with a gradient inside: a wrong pitch, a shifted
 * line and swapped colours all show. */
static uint32_t pixel(uint64_t seed, unsigned x, unsigned y)
{
	uint64_t c = pattern(seed, (uint64_t)(y / BLOCK) << 32 | x / BLOCK);

	return ((uint32_t)c ^ (x * 3u << 16 | y * 5u << 8 | (x + y))) &
	       0xffffffu;
}

int tool_picture(int argc, char **argv)
{
	unsigned w = (unsigned)number(argv[0]), h = (unsigned)number(argv[1]);
	uint64_t seed = number(argv[2]);

	(void)argc;
	printf("P6\n%u %u\n255\n", w, h);
	for (unsigned y = 0; y < h; y++)
		for (unsigned x = 0; x < w; x++) {
			uint32_t p = pixel(seed, x, y);

			putchar((int)(p >> 16 & 255));
			putchar((int)(p >> 8 & 255));
			putchar((int)(p & 255));
		}
	return 0;
}

static void call(int fd, unsigned long request, void *arg, const char *what)
{
	if (ioctl(fd, request, arg))
		die("draw: %s", what);
}

static int open_card(const char *driver, unsigned nth)
{
	for (int i = 0; i < CARDS; i++) {
		char path[32], name[64] = "";
		struct drm_version v = { .name = name,
			                 .name_len = sizeof(name) - 1 };
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &v) &&
		    !strcmp(name, driver) && nth-- == 0)
			return fd;
		close(fd);
	}
	errno = ENODEV;
	die("draw: no card with driver %s", driver);
}

/* These displays have one connector and one CRTC; the first mode is the
 * preferred one. */
static struct drm_mode_modeinfo first_mode(int fd, uint32_t *connector,
                                           uint32_t *crtc)
{
	uint32_t ids[4] = { 0 }, crtcs[4] = { 0 };
	static struct drm_mode_modeinfo modes[MODES];
	struct drm_mode_card_res res = {
		.connector_id_ptr = (uintptr_t)ids,
		.crtc_id_ptr = (uintptr_t)crtcs,
		.count_connectors = 4,
		.count_crtcs = 4,
	};
	struct drm_mode_get_connector con = { 0 };

	call(fd, DRM_IOCTL_MODE_GETRESOURCES, &res, "resources");
	con.connector_id = ids[0];
	call(fd, DRM_IOCTL_MODE_GETCONNECTOR, &con, "connector");
	con.modes_ptr = (uintptr_t)modes;
	con.count_props = con.count_encoders = 0;
	if (con.count_modes > MODES)
		con.count_modes = MODES;
	call(fd, DRM_IOCTL_MODE_GETCONNECTOR, &con, "modes");
	if (!con.count_modes) {
		errno = ENOENT;
		die("draw: no modes");
	}
	*connector = ids[0];
	*crtc = crtcs[0];
	return modes[0];
}

static void paint(int fd, const struct drm_mode_create_dumb *buf, uint64_t seed)
{
	struct drm_mode_map_dumb map = { .handle = buf->handle };
	uint8_t *at;

	call(fd, DRM_IOCTL_MODE_MAP_DUMB, &map, "map");
	at = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	          (off_t)map.offset);
	if (at == MAP_FAILED)
		die("draw: mmap");
	for (unsigned y = 0; y < buf->height; y++)
		for (unsigned x = 0; x < buf->width; x++)
			((uint32_t *)(at + (size_t)y * buf->pitch))[x] =
				pixel(seed, x, y);
	munmap(at, buf->size);
}

int tool_draw(int argc, char **argv)
{
	unsigned nth = argc > 3 ? (unsigned)number(argv[3]) : 0;
	int fd = open_card(argv[0], nth);
	uint32_t connector, crtc;
	struct drm_mode_modeinfo mode = first_mode(fd, &connector, &crtc);
	struct drm_mode_create_dumb buf = { .width = mode.hdisplay,
		                            .height = mode.vdisplay,
		                            .bpp = 32 };
	struct drm_mode_fb_cmd fb = { .depth = 24, .bpp = 32 };
	struct drm_mode_crtc set = { .mode_valid = 1 };
	struct drm_mode_fb_dirty_cmd dirty = { 0 };

	call(fd, DRM_IOCTL_MODE_CREATE_DUMB, &buf, "buffer");
	fb.width = buf.width;
	fb.height = buf.height;
	fb.pitch = buf.pitch;
	fb.handle = buf.handle;
	call(fd, DRM_IOCTL_MODE_ADDFB, &fb, "frame buffer");
	set.crtc_id = crtc;
	set.fb_id = dirty.fb_id = fb.fb_id;
	set.set_connectors_ptr = (uintptr_t)&connector;
	set.count_connectors = 1;
	set.mode = mode;
	call(fd, DRM_IOCTL_MODE_SETCRTC, &set, "mode");
	/* Not before: a VGA clears its memory as a mode is set. */
	paint(fd, &buf, number(argv[1]));
	/* Drivers that show the buffer itself have nothing to be told. */
	ioctl(fd, DRM_IOCTL_MODE_DIRTYFB, &dirty);
	say("drawn %s#%u %ux%u", argv[0], nth, buf.width, buf.height);
	/* With the file goes the picture. */
	sleep((unsigned)number(argv[2]));
	return 0;
}
