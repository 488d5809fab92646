/* swarm/io/http_answer.c - whether an HTTP answer is what was asked for, from its headers to its last byte. */
#include <string.h>
#include <strings.h>
#include "proto/base/bytes.h"
#include "swarm/io/http_room.h"

#define ERROR_BODY_MAX (64u * 1024) /* of an error nobody reads: to its end, so that the connection lives on */

size_t shoal_http_on_header(char *at, size_t size, size_t n, void *to)
{
	static const char name[] = "content-range:";
	struct shoal_http_job *f = to;
	size_t len = size * n;
	f->headers += len;
	if (f->headers > SHOAL_HTTP_HEADERS_MAX) {
		shoal_http_fail(f, SHOAL_ERR_TOO_LONG, "more headers than anybody needs");
		return 0;
	}
	if (len >= 5 && memcmp(at, "HTTP/", 5) == 0)
		f->range_told = false; /* another answer begins; the one before was a 100 */
	if (len >= sizeof name - 1 && strncasecmp(at, name, sizeof name - 1) == 0) {
		struct shoal_bytes value = shoal_bytes(at + sizeof name - 1, len - (sizeof name - 1));
		if (f->range_told || shoal_content_range_parse(value, &f->range) < 0) { /* twice: which is true? */
			f->range = (struct shoal_content_range){ 0 };
		}
		f->range_told = true;
	}
	return len;
}

bool shoal_http_redirects(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void judge_range(struct shoal_http_job *f)
{
	if (f->how.status == 200)
		return shoal_http_fail(f, SHOAL_ERR_MALFORMED, "the server does not serve ranges");
	f->how.total = f->range.total;
	if (!f->range_told || f->range.from != f->from || f->range.to != f->to)
		return shoal_http_fail(f, SHOAL_ERR_MALFORMED, "another range than was asked for");
	if (f->size != 0 && f->range.total != 0 && f->range.total != f->size)
		return shoal_http_fail(f, SHOAL_ERR_MALFORMED, "the file there is of another size");
}

void shoal_http_judge(struct shoal_http_job *f)
{
	long status = 0;
	curl_off_t length = -1;
	if (f->judged)
		return;
	f->judged = true;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	f->how.status = (int)status;
	if (shoal_http_redirects(f->how.status))
		return;
	bool whole = f->to == 0;
	if (!whole && (status == 200 || status == 206))
		judge_range(f);
	if (whole && f->size != 0 && status == 200) {
		curl_easy_getinfo(f->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
		if (length >= 0 && (uint64_t)length != f->size)
			shoal_http_fail(f, SHOAL_ERR_MALFORMED, "the file there is of another size");
	}
	f->deliver = !f->failed && (whole ? f->size == 0 || status == 200 : status == 206);
}

size_t shoal_http_on_body(char *at, size_t size, size_t n, void *to)
{
	struct shoal_http_job *f = to;
	size_t len = size * n;
	size_t no = len == 0 ? 1 : 0; /* whatever is not len ends it */
	if (f->stopped)
		return no;
	shoal_http_judge(f);
	if (f->failed)
		return no;
	f->got += len;
	if (!f->deliver)
		return f->got <= ERROR_BODY_MAX ? len : no;
	uint64_t most = f->to != 0 ? f->to - f->from : f->size != 0 ? f->size : f->most;
	if (f->got > most) {
		shoal_http_fail(f, SHOAL_ERR_TOO_LONG, "more bytes than were asked for");
		return no;
	}
	if (len > 0)
		f->h->user.data(f->h->user.to, f->cookie, f->from + f->got - len, shoal_bytes(at, len));
	return f->stopped ? no : len;
}
