/* test_record.c - a flight record in a file: its head, what it replaces and what not, and the end at its most. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tools/explain_book.h"
#include "tools/record.h"
#include "tools/say.h"

static struct shoal_tool tool = { .command = "get", .quiet = true };
static char path[] = "/tmp/shoal-record-XXXXXX";

static size_t slurp(uint8_t *out, size_t room)
{
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t n = read(fd, out, room);
	assert_true(n >= 0 && (size_t)n < room);
	close(fd);
	return (size_t)n;
}

static struct shoal_bytes some(uint8_t out[SHOAL_FLIGHT_RECORD_MAX], uint64_t at)
{
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_PART, .at = at, .torrent = 1, .peer = 2, .piece = 3 };
	ptrdiff_t n = shoal_flight_encode(&f, (struct shoal_space){ out, SHOAL_FLIGHT_RECORD_MAX });
	assert_true(n > 0);
	return shoal_bytes(out, (size_t)n);
}

static void it_ends_at_its_most_and_says_so(void **state)
{
	static uint8_t file[8192];
	uint8_t raw[SHOAL_FLIGHT_RECORD_MAX];
	struct shoal_record r;
	struct shoal_explain_book b;
	struct shoal_flight_head head = { .unix_s = 1, .began = 5 };
	(void)state;
	assert_int_equal(shoal_record_open(&tool, &r, path, &head), 0);
	assert_int_equal(r.most, SHOAL_RECORD_FILE_MAX);
	r.most = 2000;
	for (uint64_t i = 0; i < 1000; i++)
		shoal_record_add(&tool, &r, some(raw, 100 + i), 100 + i);
	assert_true(r.over);
	shoal_record_close(&r, 5000);
	size_t len = slurp(file, sizeof file);
	assert_true(len <= 2000 && len > 1500);
	assert_int_equal(shoal_explain_book_read(&b, shoal_bytes(file, len)), 0);
	assert_true(b.full && b.closed && !b.cut && b.bad_at == 0);
	assert_true(b.count > 100 && b.ended < 1000);
	assert_int_equal(b.head.began, 5);
	shoal_explain_book_fini(&b);
	/* An old record is begun anew, and ends in order. */
	assert_int_equal(shoal_record_open(&tool, &r, path, &head), 0);
	shoal_record_add(&tool, &r, some(raw, 7), 7);
	shoal_record_close(&r, 9);
	len = slurp(file, sizeof file);
	assert_int_equal(shoal_explain_book_read(&b, shoal_bytes(file, len)), 0);
	assert_true(b.closed && !b.full);
	assert_int_equal(b.count, 2);
	assert_int_equal(b.ended, 9);
	shoal_explain_book_fini(&b);
}

static void what_is_no_record_stays(void **state)
{
	static uint8_t file[64];
	struct shoal_record r;
	struct shoal_flight_head head = { .unix_s = 1 };
	(void)state;
	int fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0 && write(fd, "SHFLIGH and more", 16) == 16);
	close(fd);
	assert_int_equal(shoal_record_open(&tool, &r, path, &head), SHOAL_EXIT_STORAGE);
	assert_int_equal(slurp(file, sizeof file), 16);
	assert_memory_equal(file, "SHFLIGH and more", 16);
	assert_int_equal(shoal_record_open(&tool, &r, "/nowhere/at/all", &head), SHOAL_EXIT_STORAGE);
	shoal_record_close(&r, 1); /* none: nothing to do */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_ends_at_its_most_and_says_so),
		cmocka_unit_test(what_is_no_record_stays),
	};
	int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
