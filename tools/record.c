/* tools/record.c - a head, records as they come, an end. */
#include "tools/record.h"

#include "proto/base/bytes.h"
#include "tools/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const uint8_t *at, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* What lies there already is a flight record, or nothing. */
static bool may_replace(int fd)
{
	struct shoal_flight_head head;
	uint8_t start[SHOAL_FLIGHT_HEAD];
	struct stat st;
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)))
		return false;
	if (S_ISFIFO(st.st_mode) || st.st_size == 0)
		return true;
	ssize_t n = pread(fd, start, sizeof start, 0);
	return n > 0 && shoal_flight_head_decode(shoal_bytes(start, (size_t)n), &head) != SHOAL_ERR_MALFORMED;
}

int shoal_record_open(struct shoal_tool *tool, struct shoal_record *r, const char *path,
		      const struct shoal_flight_head *head)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	uint8_t bytes[SHOAL_FLIGHT_HEAD];
	*r = (struct shoal_record){ .fd = -1, .most = SHOAL_RECORD_FILE_MAX };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && !may_replace(fd)) {
		close(fd);
		return shoal_say_fail(tool, SHOAL_ERR_EXISTS,
				      "--record %s: it is there already, and no flight record; name another file",
				      shoal_say_cstr(path, shown));
	}
	shoal_flight_head_encode(head, bytes);
	/* A pipe has no length to cut. */
	if (fd < 0 || (ftruncate(fd, 0) < 0 && errno != EINVAL) || !write_all(fd, bytes, sizeof bytes)) {
		int os = errno;
		if (fd >= 0)
			close(fd);
		return shoal_say_fail_as(tool, SHOAL_EXIT_STORAGE, SHOAL_ERR_IO, "--record %s: %s",
					 shoal_say_cstr(path, shown), strerror(os));
	}
	r->fd = fd;
	r->bytes = sizeof bytes;
	return 0;
}

static void put_end(struct shoal_record *r, enum shoal_flight_end why, shoal_us now)
{
	uint8_t bytes[SHOAL_FLIGHT_RECORD_MAX];
	struct shoal_flight end = { .kind = SHOAL_FLIGHT_END, .at = now, .piece = SHOAL_FLIGHT_NONE, .term = { why } };
	ptrdiff_t n = shoal_flight_encode(&end, (struct shoal_space){ bytes, sizeof bytes });
	if (n > 0)
		(void)write_all(r->fd, bytes, (size_t)n);
}

void shoal_record_add(struct shoal_tool *tool, struct shoal_record *r, struct shoal_bytes records, shoal_us now)
{
	if (r->fd < 0 || r->over)
		return;
	/* Room for the end is always left. */
	if (r->bytes + records.len + SHOAL_FLIGHT_RECORD_MAX > r->most) {
		r->over = true;
		put_end(r, SHOAL_FLIGHT_END_FULL, now);
		shoal_say_warn(tool, NULL, "the flight record has come to %u MiB, and ends here",
			       SHOAL_RECORD_FILE_MAX >> 20);
		return;
	}
	if (!write_all(r->fd, records.at, records.len)) {
		r->over = true;
		shoal_say_warn(tool, NULL, "the flight record cannot be written, and ends here: %s", strerror(errno));
		return;
	}
	r->bytes += records.len;
}

void shoal_record_close(struct shoal_record *r, shoal_us now)
{
	if (r->fd < 0)
		return;
	if (!r->over)
		put_end(r, SHOAL_FLIGHT_END_STOP, now);
	close(r->fd);
	r->fd = -1;
}
