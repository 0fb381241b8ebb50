/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk: requests of all kinds, ranges, the configuration, and backings that
 * are not as they should be. */
#include "blk_rig.h"

#include <liburing.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static void reads_and_writes(void **state)
{
	struct rig *r = *state;
	struct chain *k;

	begin(r);
	fill(r->mem, MIB, 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 8, r->mem, MIB), 0);
	file_is(r, 4096, r->mem, MIB);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
	k = offer(r, VIRTIO_BLK_T_IN, 8, r->mem + MIB, MIB);
	kick(r);
	wait_for(r, k);
	assert_int_equal(k->status, 0);
	assert_int_equal(k->len, MIB + 1);
	assert_memory_equal(r->mem, r->mem + MIB, MIB);
	assert_true(r->v->interrupts >= 3);
}

/* 2.7.4.1: the driver may cut where it likes. */
static void any_framing(void **state)
{
	struct rig *r = *state;
	struct chain *k;
	uint8_t *m = r->mem;

	begin(r);
	fill(m, 2048, 5);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, m, 2048), 0);
	k = &r->v->chain[r->v->n++];
	store_le(k->header, 4, VIRTIO_BLK_T_IN);
	store_le(k->header + 8, 8, 1);
	k->c.iov[0] = (struct iovec){ k->header, 5 };
	k->c.iov[1] = (struct iovec){ k->header + 5, 0 };
	k->c.iov[2] = (struct iovec){ k->header + 5, 11 };
	k->c.iov[3] = (struct iovec){ m + 4096, 1 };
	k->c.iov[4] = (struct iovec){ m + 4097, 0 };
	/* The status is the last byte, with data before it. */
	k->c.iov[5] = (struct iovec){ m + 4097, 1024 };
	k->c.iov[6] = (struct iovec){ m + 9000, 0 };
	k->c.n_out = 3;
	k->c.n_in = 4;
	k->c.out_len = 16;
	k->c.in_len = 1025;
	m[4096 + 1024] = 0xff;
	kick(r);
	wait_for(r, k);
	assert_int_equal(m[4096 + 1024], 0);
	assert_memory_equal(m + 4096, m + 512, 1024);
}

static void no_header_or_status_breaks(void **state)
{
	struct rig *r = *state;
	struct chain *k;

	begin(r);
	k = offer(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	k->c.n_in = 0;
	k->c.in_len = 0;
	kick(r);
	assert_true(r->v->broken);
	/* Nothing is taken any more. */
	k = offer(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	kick(r);
	turn(&r->io);
	assert_false(k->pushed);
	/* Until it is reset. */
	stop(r);
	start(r, 0);
	kick(r);
	wait_for(r, k);
	k = offer(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	k->c.iov[0].iov_len = 15;
	k->c.out_len = 15;
	r->v->broken = false;
	kick(r);
	assert_true(r->v->broken);
}

static void outside_is_an_error(void **state)
{
	static const struct {
		uint64_t sector;
		size_t len;
		int status;
	} row[] = {
		{ DISK / 512, 0, 0 },   { DISK / 512 - 1, 512, 0 },
		{ DISK / 512, 512, 1 }, { DISK / 512 - 1, 1024, 1 },
		{ UINT64_MAX, 512, 1 }, { UINT64_MAX / 512, 1024, 1 },
		{ 1ull << 55, 512, 1 }, { 0, 511, 1 },
		{ 0, 513, 1 },
	};
	struct rig *r = *state;

	begin(r);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, row[i].sector, r->mem,
		                     row[i].len),
		                 row[i].status);
		assert_int_equal(ask(r, VIRTIO_BLK_T_IN, row[i].sector, r->mem,
		                     row[i].len),
		                 row[i].status);
	}
}

static void unknown_types(void **state)
{
	static const uint32_t type[] = {
		2, 3, 5, 7, 9, 10, 12, 14, 16, 1u << 31
	};
	struct rig *r = *state;

	begin(r);
	for (size_t i = 0; i < ARRAY_SIZE(type); i++)
		assert_int_equal(ask(r, type[i], 0, r->mem, 512),
		                 VIRTIO_BLK_S_UNSUPP);
}

static void has_a_serial(void **state)
{
	struct rig *r = *state;

	strcpy(disk(r)->serial, "12345678901234567890");
	begin(r);
	memset(r->mem, 0xee, 64);
	assert_int_equal(ask(r, VIRTIO_BLK_T_GET_ID, 0, r->mem, 20), 0);
	assert_memory_equal(r->mem, "12345678901234567890\xee", 21);
	memset(r->mem, 0xee, 64);
	assert_int_equal(ask(r, VIRTIO_BLK_T_GET_ID, 0, r->mem, 3), 0);
	assert_memory_equal(r->mem, "123\xee", 4);
}

static void name_is_the_serial(void **state)
{
	struct rig *r = *state;

	begin(r);
	memset(r->mem, 0xee, 64);
	assert_int_equal(ask(r, VIRTIO_BLK_T_GET_ID, 0, r->mem, 30), 0);
	assert_memory_equal(r->mem, "root\0\0", 6);
	assert_int_equal(r->mem[19], 0);
	assert_int_equal(r->mem[20], 0xee);
}

static void read_only(void **state)
{
	struct rig *r = *state;

	disk(r)->read_only = true;
	begin(r);
	assert_true(offers(r, VIRTIO_BLK_F_RO));
	assert_false(offers(r, VIRTIO_BLK_F_DISCARD));
	assert_false(offers(r, VIRTIO_BLK_F_WRITE_ZEROES));
	assert_false(offers(r, VIRTIO_BLK_F_CONFIG_WCE));
	memset(r->mem, 1, 512);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_DISCARD, 0, r->mem, 16), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, r->mem, 16), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, r->mem, 512), 0);
	assert_true(all_zero(r->mem, 512));
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
}

static void descriptor_is_read_only(void **state)
{
	struct rig *r = *state;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->fd);
	disk(r)->fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(disk(r)->fd >= 0);
	begin(r);
	assert_true(offers(r, VIRTIO_BLK_F_RO));
	close(disk(r)->fd);
}

static void range_of(uint8_t *p, uint64_t sector, uint32_t n, uint32_t flags)
{
	store_le(p, 8, sector);
	store_le(p + 8, 4, n);
	store_le(p + 12, 4, flags);
}

static void discards(void **state)
{
	struct rig *r = *state;
	uint8_t ranges[48], *back = r->mem + MIB;

	begin(r);
	assert_true(offers(r, VIRTIO_BLK_F_DISCARD));
	fill(r->mem, MIB, 3);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, MIB), 0);
	range_of(ranges, 8, 8, 0);
	range_of(ranges + 16, 100, 0, 0);
	range_of(ranges + 32, 32, 16, 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_DISCARD, 0, ranges, 48), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, back, MIB), 0);
	assert_memory_equal(back, r->mem, 4096);
	assert_true(all_zero(back + 4096, 4096));
	assert_memory_equal(back + 8192, r->mem + 8192, 8192);
	assert_true(all_zero(back + 16384, 8192));
	assert_int_equal(lseek(r->fd, 0, SEEK_HOLE), 4096);
}

/* tmpfs has no FALLOC_FL_ZERO_RANGE: the other way is taken. */
static void writes_zeroes(void **state)
{
	struct rig *r = *state;
	uint8_t range[16], *back = r->mem + MIB;

	begin(r);
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		fill(r->mem, MIB, 3);
		assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, MIB), 0);
		range_of(range, 3, 5, unmap);
		assert_int_equal(
			ask(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, range, 16), 0);
		assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, back, MIB), 0);
		memset(r->mem + 1536, 0, 2560);
		assert_memory_equal(back, r->mem, MIB);
	}
}

static void ranges_are_checked(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t n, flags;
		size_t len;
		int discard, zeroes;
	} row[] = {
		{ 0, 8, 1, 16, 2, 0 },
		{ 0, 8, 2, 16, 2, 2 },
		{ DISK / 512, 1, 0, 16, 1, 1 },
		{ UINT64_MAX, 1, 0, 16, 1, 1 },
		{ 0, UINT32_MAX, 0, 16, 1, 1 },
		{ 0, 8, 0, 15, 1, 1 },
		{ 0, 8, 0, 16 * (BLK_RANGES_MAX + 1), 1, 1 },
		{ 0, 8, 0, 0, 0, 0 },
	};
	struct rig *r = *state;

	begin(r);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		memset(r->mem, 0, 4096);
		range_of(r->mem, row[i].sector, row[i].n, row[i].flags);
		assert_int_equal(
			ask(r, VIRTIO_BLK_T_DISCARD, 0, r->mem, row[i].len),
			row[i].discard);
		assert_int_equal(ask(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, r->mem,
		                     row[i].len),
		                 row[i].zeroes);
	}
}

static void configuration(void **state)
{
	struct rig *r = *state;
	uint32_t physical;

	begin(r);
	assert_int_equal(config(r, 0, 4), DISK / 512);
	assert_int_equal(config(r, 4, 4), 0);
	assert_int_equal(CONFIG(r, seg_max), VQ_SEGS - 2);
	assert_int_equal(CONFIG(r, blk_size), 512);
	physical = 512u << CONFIG(r, physical_block_exp);
	assert_int_equal(physical, 4096);
	assert_int_equal(CONFIG(r, min_io_size), 8);
	assert_int_equal(CONFIG(r, discard_sector_alignment), 8);
	assert_int_equal(CONFIG(r, write_zeroes_may_unmap), 1);
	assert_int_equal(CONFIG(r, wce), 1);
	assert_int_equal(r->v->desc.config_len, 60);
	assert_int_equal(config(r, 58, 4), UINT32_MAX);
}

/* What seccomp cannot see in the ring, the ring refuses by itself. */
static void ring_is_sealed(void **state)
{
	struct rig *r = *state;
	unsigned fd;
	int event;

	begin(r);
	fd = (unsigned)r->io.watch[0]->fd;
	event = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(
		io_uring_register(fd, IORING_REGISTER_EVENTFD, &event, 1),
		-EACCES);
	assert_int_equal(
		io_uring_register(fd, IORING_UNREGISTER_FILES, NULL, 0),
		-EACCES);
	close(event);
}

static void image_that_shrank(void **state)
{
	struct rig *r = *state;
	struct chain *k;

	begin(r);
	fill(r->mem, 8192, 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 8192), 0);
	assert_int_equal(ftruncate(r->fd, 4096), 0);
	k = offer(r, VIRTIO_BLK_T_IN, 0, r->mem + 16384, 8192);
	kick(r);
	wait_for(r, k);
	assert_int_equal(k->status, VIRTIO_BLK_S_IOERR);
	assert_int_equal(k->len, 4096);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, r->mem, 4096), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 64, r->mem, 4096), 1);
}

/* RLIMIT_FSIZE plays the full file system: the write is cut short, then
 * refused. */
static void image_that_cannot_grow(void **state)
{
	struct rig *r = *state;
	struct rlimit was, now;

	begin(r);
	assert_int_equal(ftruncate(r->fd, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	now = was;
	now.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	fill(r->mem, 8192, 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 8192), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 4096), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	file_is(r, 0, r->mem, 4096);
}

static void whole_sectors_only(void **state)
{
	struct rig *r = *state;

	assert_int_equal(ftruncate(r->fd, 8192 + 700), 0);
	begin(r);
	assert_int_equal(config(r, 0, 4), 17);
}

static void no_disk_at_all(void **state)
{
	struct rig *r = *state;
	struct diag d;

	assert_int_equal(ftruncate(r->fd, 511), 0);
	assert_int_equal(blk_add(&r->vm, disk(r), &d), -ENODATA);
	assert_int_equal(d.code, FL_VMM_DISK);
	assert_non_null(strstr(d.mend, "truncate"));
	disk(r)->fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(blk_add(&r->vm, disk(r), &d), -ENOTBLK);
	assert_true(d.mend[0]);
	close(disk(r)->fd);
	assert_null(r->vm.uring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_and_writes),
		TEST(any_framing),
		TEST(no_header_or_status_breaks),
		TEST(outside_is_an_error),
		TEST(unknown_types),
		TEST(has_a_serial),
		TEST(name_is_the_serial),
		TEST(read_only),
		TEST(descriptor_is_read_only),
		TEST(discards),
		TEST(writes_zeroes),
		TEST(ranges_are_checked),
		TEST(configuration),
		TEST(ring_is_sealed),
		TEST(image_that_shrank),
		TEST(image_that_cannot_grow),
		TEST(whole_sectors_only),
		TEST(no_disk_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
