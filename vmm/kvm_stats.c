/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's counters: a file whose begin describes the values that follow
 * (Documentation/virt/kvm/api.rst, 4.133). stats.h has the rest.
 *
 * Order: all descriptors before the sandbox; the description when first asked;
 * values each time. They are closed before the VM: kernels before 6.5 let a
 * file outlive what it counts.
 */

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/priv.h"
#include "vmm/stats.h"

#define VALUE sizeof(uint64_t)

/* ---- the description; no system call ------------------------------------- */

size_t kvm_stats_block(const void *header, size_t len)
{
	struct kvm_stats_header h;
	uint64_t end;

	if (len < sizeof(h))
		return 0;
	memcpy(&h, header, sizeof(h));
	if (!h.name_size || h.name_size > KVM_STATS_NAME_MAX || !h.num_desc ||
	    h.num_desc > KVM_STATS_MAX || h.desc_offset < sizeof(h) ||
	    h.desc_offset > KVM_STATS_BLOCK_MAX)
		return 0;
	end = h.desc_offset +
	      (uint64_t)h.num_desc *
	              (sizeof(struct kvm_stats_desc) + h.name_size);
	return end <= KVM_STATS_BLOCK_MAX ? end : 0;
}

/* With an end inside of its field, and fit for a JSON text. */
static bool is_name(const char *s, uint32_t size)
{
	size_t n = strnlen(s, size);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return n && n < size;
}

static uint8_t part(uint32_t flags, unsigned shift)
{
	return flags >> shift & 0xf;
}

/* False: it is none that can be read. */
static bool take(const char *at, uint32_t name_size, struct kvm_stat *ret)
{
	const char *name = at + sizeof(struct kvm_stats_desc);
	struct kvm_stats_desc d;

	memcpy(&d, at, sizeof(d));
	if (!is_name(name, name_size) || !d.size ||
	    d.size > KVM_STATS_BUCKETS || d.offset % VALUE ||
	    d.offset > KVM_STATS_DATA_MAX - d.size * VALUE)
		return false;
	*ret = (struct kvm_stat){
		.name = name,
		.off = d.offset,
		.values = d.size,
		.kind = part(d.flags, KVM_STATS_TYPE_SHIFT),
		.unit = part(d.flags, KVM_STATS_UNIT_SHIFT),
		.base = part(d.flags, KVM_STATS_BASE_SHIFT),
		.exponent = d.exponent,
		.bucket = d.bucket_size,
	};
	return true;
}

static int take_all(const struct kvm_stats_header *h, struct kvm_stats *s)
{
	size_t step = sizeof(struct kvm_stats_desc) + h->name_size;

	for (uint32_t i = 0; i < h->num_desc; i++) {
		struct kvm_stat *v = &s->stat[s->n];
		uint32_t end;

		if (!take(s->block + h->desc_offset + i * step, h->name_size,
		          v))
			return -EBADMSG;
		end = v->off + v->values * (uint32_t)VALUE;
		s->data_len = MAX(s->data_len, end);
		s->n++;
	}
	s->data_off = h->data_offset;
	return 0;
}

int kvm_stats_parse(const void *block, size_t len, struct kvm_stats **ret)
{
	struct kvm_stats_header h;
	struct kvm_stats *s;
	size_t want = kvm_stats_block(block, len);
	int r = -ENOMEM;

	if (!want || want > len)
		return -EBADMSG;
	memcpy(&h, block, sizeof(h));
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->block = malloc(want);
	s->stat = calloc(h.num_desc, sizeof(*s->stat));
	if (s->block && s->stat) {
		memcpy(s->block, block, want);
		r = take_all(&h, s);
	}
	if (r < 0)
		kvm_stats_free(s);
	else
		*ret = s;
	return r;
}

void kvm_stats_free(struct kvm_stats *s)
{
	if (!s)
		return;
	free(s->block);
	free(s->stat);
	free(s);
}

/* ---- its descriptors ----------------------------------------------------- */

struct kvm_counters {
	struct kvm_stats *vm, *vcpu; /* read when first asked for */
	const char *why;             /* there are none */
	int vm_fd;
	unsigned cpus;
	int cpu_fd[];
};

static void close_all(struct kvm_counters *k)
{
	close_fd(&k->vm_fd);
	for (unsigned i = 0; i < k->cpus; i++)
		close_fd(&k->cpu_fd[i]);
}

static int get_fds(const struct vm *vm, struct kvm_counters *k)
{
	k->vm_fd = ioctl(vm->fd, KVM_GET_STATS_FD, NULL);
	if (k->vm_fd < 0)
		return -errno;
	for (unsigned i = 0; i < k->cpus; i++) {
		k->cpu_fd[i] = ioctl(vm->cpu[i].fd, KVM_GET_STATS_FD, NULL);
		if (k->cpu_fd[i] < 0)
			return -errno;
	}
	return 0;
}

int kvm_counters_open(struct vm *vm, struct kvm_counters **ret, struct diag *d)
{
	struct kvm_counters *k =
		calloc(1, sizeof(*k) + vm->cfg.cpus * sizeof(k->cpu_fd[0]));

	if (!k) {
		diag_fail(d, -ENOMEM, FL_VMM_MEMORY, "KVM's counters");
		diag_why(d, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	k->cpus = vm->cfg.cpus;
	k->vm_fd = -1;
	for (unsigned i = 0; i < k->cpus; i++)
		k->cpu_fd[i] = -1;
	if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_BINARY_STATS_FD) <= 0)
		k->why = "this kernel's KVM has none (Linux 5.14)";
	else if (get_fds(vm, k) < 0)
		k->why = "KVM gave no descriptor for them: a limit of open "
			 "files?";
	/* A guest runs without. */
	if (k->why)
		close_all(k);
	*ret = k;
	return 0;
}

void kvm_counters_free(struct kvm_counters *k)
{
	if (!k)
		return;
	close_all(k);
	kvm_stats_free(k->vm);
	kvm_stats_free(k->vcpu);
	free(k);
}

/* ---- reading ------------------------------------------------------------- */

static int read_all(int fd, void *to, size_t len, uint64_t off)
{
	ssize_t n = pread(fd, to, len, (off_t)off);

	return n == (ssize_t)len ? 0 : -EIO;
}

static int describe(int fd, struct kvm_stats **s)
{
	struct kvm_stats_header h;
	_cleanup_free_ char *block = NULL;
	size_t len;

	if (*s)
		return 0;
	if (read_all(fd, &h, sizeof(h), 0) < 0)
		return -EIO;
	len = kvm_stats_block(&h, sizeof(h));
	block = len ? malloc(len) : NULL;
	if (!block || read_all(fd, block, len, 0) < 0)
		return -EIO;
	return kvm_stats_parse(block, len, s);
}

static bool is_described(struct kvm_counters *k)
{
	if (!k->why && (describe(k->vm_fd, &k->vm) < 0 ||
	                describe(k->cpu_fd[0], &k->vcpu) < 0))
		k->why = "what KVM says of them is not understood";
	return !k->why;
}

static json_t *value_of(const struct kvm_stat *v, const uint8_t *data)
{
	json_t *list;

	if (v->values == 1)
		return json_integer((json_int_t)load_le(data + v->off, 8));
	list = json_array();
	for (unsigned i = 0; i < v->values; i++)
		json_array_append_new(list,
		                      json_integer((json_int_t)load_le(
					      data + v->off + VALUE * i, 8)));
	return list;
}

static json_t *values_of(int fd, const struct kvm_stats *s)
{
	_cleanup_free_ uint8_t *data = malloc(s->data_len);
	json_t *o = json_object();

	if (!data || read_all(fd, data, s->data_len, s->data_off) < 0)
		return o;
	for (unsigned i = 0; i < s->n; i++)
		json_object_set_new(o, s->stat[i].name,
		                    value_of(&s->stat[i], data));
	return o;
}

json_t *kvm_counters_of(struct kvm_counters *k, const char **ret_why)
{
	json_t *list;

	if (!is_described(k)) {
		*ret_why = k->why;
		return NULL;
	}
	list = json_array();
	for (unsigned i = 0; i < k->cpus; i++)
		json_array_append_new(list, values_of(k->cpu_fd[i], k->vcpu));
	return json_pack("{s:o, s:o}", "vm", values_of(k->vm_fd, k->vm),
	                 "vcpus", list);
}

/* ---- what they mean ------------------------------------------------------ */

static const char *word(const char *const *words, size_t n, unsigned i)
{
	return i < n ? words[i] : "unknown";
}

static json_t *meaning_of(const struct kvm_stat *v)
{
	static const char *const kind[] = { "cumulative", "instant", "peak",
		                            "linear-histogram",
		                            "log-histogram" };
	static const char *const unit[] = { "count", "bytes", "seconds",
		                            "cycles", "boolean" };
	json_t *o = json_pack("{s:s, s:s, s:s}", "name", v->name, "kind",
	                      word(kind, ARRAY_SIZE(kind), v->kind), "unit",
	                      word(unit, ARRAY_SIZE(unit), v->unit));

	/* "seconds" by nanoseconds: 10 to the -9th. */
	if (v->exponent)
		json_object_set_new(
			o, "scale",
			json_pack("[ii]", v->base ? 2 : 10, (int)v->exponent));
	if (v->kind == KVM_STATS_TYPE_LINEAR_HIST >> KVM_STATS_TYPE_SHIFT)
		json_object_set_new(o, "bucket", json_integer(v->bucket));
	return o;
}

static json_t *meanings_of(const struct kvm_stats *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->n; i++)
		json_array_append_new(list, meaning_of(&s->stat[i]));
	return list;
}

json_t *kvm_counters_describe(struct kvm_counters *k)
{
	if (!is_described(k))
		return NULL;
	return json_pack("{s:o, s:o}", "vm", meanings_of(k->vm), "vcpu",
	                 meanings_of(k->vcpu));
}
