/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Modules loaded while there is the privilege: modules.h. */

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/modules.h"

static bool modprobe(const char *module)
{
	const char *const argv[] = { "modprobe", "-q", "--", module, NULL };
	static const char *const envp[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL
	};
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execve("/sbin/modprobe", (char *const *)(uintptr_t)argv,
		       (char *const *)(uintptr_t)envp);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return !status;
}

/* Where it fails, an apply says which driver is missing. */
static void load_vfio(const struct env *e)
{
	if (!sysfs_exists(e->root_fd, "sys/bus/pci/drivers/vfio-pci") &&
	    !modprobe("vfio-pci"))
		log_line(e->log, LOG_LVL_WARN,
		         "vfio-pci is not loaded, and modprobe could not; "
		         "policies that want it will be refused");
}

struct loading {
	const struct env *e;
	const struct sriov_variants *all;
};

static int load_variant(struct bdf b, void *arg)
{
	const struct loading *l = arg;
	int root_fd = l->e->root_fd;
	char name[SRIOV_NAME], text[BDF_STRLEN];
	const char *module = NULL;
	struct sriov_fn f;

	if (!sriov_fn_look(root_fd, b, &f))
		module = sriov_variant_of_vfs(l->all, root_fd, &f);
	if (module && sriov_variant_driver(root_fd, module, name) &&
	    !modprobe(module))
		log_line(l->e->log, LOG_LVL_WARN,
		         "%s is for VFs of %s, but modprobe could not load it; "
		         "pools of `driver: vfio` get vfio-pci",
		         module, bdf_format(b, text));
	return 0;
}

struct sriov_variants *modules_load(const struct env *e)
{
	struct sriov_variants *all = NULL;
	struct loading l = { .e = e };

	load_vfio(e);
	if (sriov_variants_read(e->root_fd, &all))
		return NULL;
	l.all = all;
	/* No PCI at all is a machine without PFs. */
	(void)!sriov_each_pf(e->root_fd, load_variant, &l);
	return all;
}

void modules_variant(const struct env *e, const struct sriov_fn *pf,
                     char ret[static POL_NAME])
{
	const char *module = sriov_variant_of_vfs(e->variants, e->root_fd, pf);
	char name[SRIOV_NAME];

	ret[0] = '\0';
	if (module && !sriov_variant_driver(e->root_fd, module, name))
		snprintf(ret, POL_NAME, "%s", name);
}
