/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function from open to close. Order: attach (which opens it, and resets
 * it where the kernel can)
 * -> what the kernel says of it -> its layout, once, from its configuration
 * space -> the guest's view -> BARs mapped -> vectors prepared -> the host's
 * events. Closing: interrupts off, windows away, mappings, device; then
 * the kernel clears bus master and resets the function.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vfio/priv.h"

#define NS_PER_S 1000000000ull
#define LOCK_SOON_NS 10000000ull

struct diag *vfio_fault(struct vfio_dev *v)
{
	v->stats.faults++;
	v->has_fault = true;
	return &v->fault;
}

void vfio_mend(const struct vfio_dev *v, struct diag *d)
{
	diag_mend_else(d, "dmesg on the host, lines of vfio-pci %s", v->bdf);
}

int vfio_fail_info(const struct vfio_dev *v, int err, const char *what,
                   const char *call, struct diag *d)
{
	diag_fail(d, err, FL_VFIO_INFO, "%s %s", what, v->bdf);
	diag_why(d, "%s: %s", call, strerror(-err));
	vfio_mend(v, d);
	return err;
}

/* A guest that loops over resets has the lock nearly always, and each takes
 * hundreds of milliseconds: a thread with other duties does not queue. */
bool vfio_lock_soon(struct vfio_dev *v)
{
	uint64_t at = now_ns() + LOCK_SOON_NS;
	const struct timespec until = {
		.tv_sec = (time_t)(at / NS_PER_S),
		.tv_nsec = (long)(at % NS_PER_S),
	};

	return pthread_mutex_clocklock(&v->lock, CLOCK_MONOTONIC, &until) == 0;
}

bool vfio_dev_has_fault(const struct vfio_dev *v)
{
	return vfio_has_fault(v);
}

bool vfio_dev_take_fault(struct vfio_dev *v, struct diag *ret)
{
	bool has;

	if (!vfio_dev_has_fault(v) || !vfio_lock_soon(v))
		return false;
	has = v->has_fault;
	if (has)
		*ret = v->fault;
	v->has_fault = false;
	pthread_mutex_unlock(&v->lock);
	return has;
}

/* ---- open ---- */

static int read_device_info(struct vfio_dev *v, struct diag *d)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int r = v->kern->ioctl(v->fd, VFIO_DEVICE_GET_INFO, &info);

	if (r >= 0 && !(info.flags & VFIO_DEVICE_FLAGS_PCI))
		r = -ENODEV;
	if (r < 0)
		return vfio_fail_info(v, r, "open", "VFIO_DEVICE_GET_INFO", d);
	v->resets_alone = info.flags & VFIO_DEVICE_FLAGS_RESET;
	v->stats.resets = v->resets_alone; /* by the kernel, as it opened */
	return 0;
}

static int read_layout(struct vfio_dev *v, struct diag *d)
{
	uint64_t bar_size[CFG_BARS];
	uint8_t raw[CFG_SIZE];
	int r;

	if (v->config_size < CFG_SIZE)
		v->config_size = CFG_SIZE_PCI;
	r = v->kern->read(v->fd, raw, v->config_size, v->config_off);
	if (r < 0 && v->config_size == CFG_SIZE) {
		v->config_size = CFG_SIZE_PCI;
		r = v->kern->read(v->fd, raw, v->config_size, v->config_off);
	}
	if (r < 0) {
		diag_fail(d, r, FL_VFIO_CONFIG,
		          "read the configuration space of %s", v->bdf);
		diag_why(d, "%s", strerror(-r));
		diag_mend(d, "fairlead doctor %s", v->bdf);
		return r;
	}
	for (unsigned i = 0; i < CFG_BARS; i++)
		bar_size[i] = v->bar[i].size;
	r = cfg_layout_parse(raw, v->config_size, bar_size, &v->layout, d);
	if (r >= 0 && cfg_quirk_find(&v->layout, CFG_QUIRK_NO_OWN_RESET)) {
		v->resets_alone = false;
		v->stats.resets = 0;
	}
	return r;
}

static int bring_up(struct vfio_dev *v, const struct vfio_open *o,
                    struct diag *d)
{
	struct cfg_place place = o->place;
	int r = read_device_info(v, d);

	if (r >= 0)
		r = vfio_regions_read(v, d);
	if (r >= 0)
		r = read_layout(v, d);
	if (r >= 0)
		vfio_quirks_init(v);
	if (r >= 0)
		r = vfio_rom_init(v, o, d);
	if (r >= 0)
		r = vfio_intx_init(v, o->intx_gsi, &place.intx_pin, d);
	if (r < 0)
		return r;
	cfg_compose_endpoint(&v->cfg, &v->layout, &place);
	r = vfio_regions_map(v, d);
	if (r < 0)
		return r;
	r = vfio_msix_init(v);
	if (r < 0)
		return diag_fail(d, -ENOMEM, FL_VFIO_INFO, "MSI-X table of %s",
		                 v->bdf);
	r = vfio_irqs_init(v, d);
	if (r < 0)
		return r;
	return vfio_events_arm(v, d);
}

static void release(struct vfio_dev *v)
{
	vfio_intx_fini(v);
	vfio_irqs_fini(v);
	vfio_windows_withdraw_all(v);
	vfio_regions_unmap(v);
	vfio_msix_fini(v);
	vfio_events_fini(v);
	pthread_mutex_destroy(&v->lock);
}

int vfio_dev_setup(const struct vfio_open *o, const struct vfio_kern *kern,
                   int fd, struct vfio_dev **ret, struct diag *d)
{
	struct vfio_dev *v = calloc(1, sizeof(*v));
	int r;

	if (!v || pthread_mutex_init(&v->lock, NULL)) {
		free(v);
		return diag_fail(d, -ENOMEM, FL_VFIO_INFO, "open %s", o->bdf);
	}
	snprintf(v->bdf, sizeof(v->bdf), "%s", o->bdf);
	v->kern = kern;
	v->fd = fd;
	v->guest_devid = o->guest_devid;
	v->host = o->host;
	v->host_ctx = o->host_ctx;
	v->table = o->irqs;
	v->late_routes = o->late_routes;
	v->request_fd = -1;
	v->error_fd = -1;
	v->irq.late_fd = -1;
	v->irq.index = IRQ_OFF;
	r = bring_up(v, o, d);
	if (r < 0) {
		release(v);
		free(v);
		return r;
	}
	*ret = v;
	return 0;
}

int vfio_dev_open(const struct vfio_open *o, struct vfio_dev **ret,
                  struct diag *d)
{
	_cleanup_close_ int fd = -1;
	int r;

	r = iommu_attach(o->space, o->bdf, o->fd, &fd, d);
	if (r < 0)
		return r;
	r = vfio_dev_setup(o, &vfio_kern_linux, fd, ret, d);
	if (r < 0)
		return r;
	TAKE_FD(fd);
	return 0;
}

void vfio_dev_close(struct vfio_dev *v)
{
	if (!v)
		return;
	release(v);
	close_fd(&v->fd);
	free(v);
}

/* ---- facts ---- */

const struct cfg_bar *vfio_dev_bars(const struct vfio_dev *v)
{
	return v->cfg.bar;
}

const struct cfg_layout *vfio_dev_layout(const struct vfio_dev *v)
{
	return &v->layout;
}

bool vfio_dev_resets_alone(const struct vfio_dev *v)
{
	return v->resets_alone;
}

static struct vfio_stats stats_locked(const struct vfio_dev *v)
{
	struct vfio_stats s = v->stats;

	for (unsigned i = 0; i < v->irq.max; i++)
		s.vectors += v->irq.armed[i];
	s.vectors += v->intx.armed;
	return s;
}

struct vfio_stats vfio_dev_stats(struct vfio_dev *v)
{
	struct vfio_stats s;

	pthread_mutex_lock(&v->lock);
	s = stats_locked(v);
	pthread_mutex_unlock(&v->lock);
	return s;
}

bool vfio_dev_stats_soon(struct vfio_dev *v, struct vfio_stats *ret)
{
	if (!vfio_lock_soon(v))
		return false;
	*ret = stats_locked(v);
	pthread_mutex_unlock(&v->lock);
	return true;
}
