/* pair.c - see pair.h. */
#include "tests/fault/pair.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/base/bytes.h"
#include "swarm/io/addr.h"
#include "swarm/io/engine_native.h"
#include "tests/fault/claimed.h"

#define HOST "127.0.0.1:0"

/* ---- content ----------------------------------------------------------------------------- */

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void remove_all(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* `out` has 512 bytes. */
static void path_of(const struct pair_content *c, const char *folder, uint32_t file, char *out)
{
	char path[256];
	int n = shoal_metainfo_path(c->content.mi, file, (struct shoal_space){ (uint8_t *)path, sizeof path });
	must(n > 0, "path");
	must(snprintf(out, 512, "%s/%s", folder, path) < 500, "path");
}

static bool real_file(const struct pair_content *c, uint32_t f)
{
	return !(shoal_metainfo_file_flags(c->content.mi, f) & SHOAL_FILE_PAD);
}

static void write_source(const struct pair_content *c)
{
	for (uint32_t f = 0; f < shoal_metainfo_file_count(c->content.mi); f++) {
		char path[512];
		uint64_t size = shoal_metainfo_file_size(c->content.mi, f);
		if (!real_file(c, f))
			continue;
		path_of(c, c->source, f, path);
		for (char *slash = path + strlen(c->root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
			*slash = '\0';
			mkdir(path, 0777);
			*slash = '/';
		}
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		must(fd >= 0, path);
		must(write(fd, c->stream + shoal_metainfo_file_offset(c->content.mi, f), size) == (ssize_t)size, path);
		close(fd);
	}
}

void pair_content_make(struct pair_content *c, enum shoal_format format)
{
	static const struct sim_file_spec some[] = {
		{ "a/b", 70000 }, { "a/c", 0 }, { "d", 150001 }, { "e/f/g", 20000 }
	};
	static const struct sim_file_spec one[] = { { "content", 250000 } };
	bool single = format == SHOAL_FORMAT_V2;
	struct sim_content_spec spec = { .seed = 7 + (uint64_t)format,
					 .format = format,
					 .piece_size = 32768,
					 .file = single ? one : some,
					 .file_count = single ? 1 : 4,
					 .single = single };
	const char *shm = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	sim_content_init(&c->content, &spec);
	const struct shoal_metainfo *mi = c->content.mi;
	c->stream = calloc(shoal_metainfo_stream_size(mi) + 1, 1);
	must(c->stream != NULL, "memory");
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++)
		if (real_file(c, f))
			sim_content_bytes(spec.seed, shoal_metainfo_file_offset(mi, f),
					  c->stream + shoal_metainfo_file_offset(mi, f),
					  shoal_metainfo_file_size(mi, f));
	snprintf(c->root, sizeof c->root, "%s/shoal-pair-XXXXXX", shm);
	must(mkdtemp(c->root) != NULL, c->root);
	snprintf(c->source, sizeof c->source, "%s/source", c->root);
	snprintf(c->copy, sizeof c->copy, "%s/copy", c->root);
	snprintf(c->state[0], sizeof c->state[0], "%s/state-0", c->root);
	snprintf(c->state[1], sizeof c->state[1], "%s/state-1", c->root);
	write_source(c);
}

void pair_content_free(struct pair_content *c)
{
	remove_all(c->root);
	sim_content_fini(&c->content);
	free(c->stream);
}

void pair_content_wipe(struct pair_content *c)
{
	remove_all(c->copy);
	remove_all(c->state[0]);
	remove_all(c->state[1]);
}

static bool holds(const struct pair_content *c, const char *path, uint32_t f, uint64_t from, uint64_t len, bool whole)
{
	uint8_t *got = malloc(len + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && got != NULL && pread(fd, got, len + whole, (off_t)from) == (ssize_t)len &&
		    memcmp(got, c->stream + shoal_metainfo_file_offset(c->content.mi, f) + from, len) == 0;
	if (fd >= 0)
		close(fd);
	free(got);
	return good;
}

bool pair_copy_right(const struct pair_content *c)
{
	for (uint32_t f = 0; f < shoal_metainfo_file_count(c->content.mi); f++) {
		char path[512];
		path_of(c, c->copy, f, path);
		if (real_file(c, f) && !holds(c, path, f, 0, shoal_metainfo_file_size(c->content.mi, f), true))
			return false;
	}
	return true;
}

bool pair_claims_true(const struct pair_content *c, char why[200])
{
	const struct shoal_metainfo *mi = c->content.mi;
	struct claimed claimed;
	char what[160] = "";
	struct stat st;
	why[0] = '\0';
	if (stat(c->state[1], &st) < 0)
		return true;
	if (claimed_read(&claimed, mi, c->copy, c->state[1], what) < 0)
		snprintf(why, 200, "the state cannot be read: %s", what);
	for (uint32_t p = shoal_bits_next(&claimed.piece, 0); why[0] == '\0' && p < claimed.piece.count;
	     p = shoal_bits_next(&claimed.piece, p + 1)) {
		uint64_t from = (uint64_t)p * shoal_metainfo_piece_size(mi),
			 end = from + shoal_metainfo_piece_bytes(mi, p);
		for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++) {
			uint64_t start = shoal_metainfo_file_offset(mi, f),
				 stop = start + shoal_metainfo_file_size(mi, f);
			uint64_t a = from > start ? from : start, b = end < stop ? end : stop;
			char path[512];
			path_of(c, c->copy, f, path);
			if (claimed.seen[f].state == SHOAL_SEEN_PART)
				memcpy(path + strlen(path), ".part", sizeof ".part");
			if (real_file(c, f) && a < b && !holds(c, path, f, a - start, b - a, false))
				snprintf(why, 200, "piece %u is claimed and false", p);
		}
	}
	claimed_fini(&claimed);
	return why[0] == '\0';
}

/* ---- running ------------------------------------------------------------------------------- */

struct side {
	struct shoal_engine *engine;
	unsigned number;
	uint32_t torrent;
	struct shoal_addr at;
	bool listening, checked, complete;
};

static void end(struct pair_result *r, const struct side *s, enum pair_end how, int err, struct shoal_bytes text)
{
	r->end = how;
	r->who = s->number;
	r->err = err;
	snprintf(r->what, sizeof r->what, "%.*s", (int)(text.len < 250 ? text.len : 250),
		 text.len ? (const char *)text.at : "");
}

static bool open_side(struct side *s, const struct pair_content *c, const struct shoal_os_ops *os, bool magnet,
		      struct pair_result *r)
{
	struct shoal_config config = { .size = sizeof config,
				       .memory = 16u << 20,
				       .threads = 1,
				       .state_dir = c->state[s->number],
				       .listen_count = s->number == 0 };
	char what[160] = "";
	const char *folder = s->number == 0 ? c->source : c->copy;
	if (shoal_addr_host("127.0.0.1", 0, &config.listen[0]) < 0)
		abort();
	int rc = shoal_engine_native_open(&s->engine, &config, os, what);
	if (rc < 0) {
		end(r, s, PAIR_REFUSED, rc, shoal_bytes(what, strlen(what)));
		s->engine = NULL;
		return false;
	}
	struct shoal_op add = { .kind = SHOAL_OP_ADD,
				.flags = s->number == 0 ? SHOAL_ADD_SEED_ONLY : 0,
				.folder = shoal_bytes(folder, strlen(folder)) };
	if (magnet && s->number == 1)
		add.text = shoal_bytes(c->content.magnet, strlen(c->content.magnet));
	else
		add.data = shoal_bytes(c->content.torrent, c->content.torrent_len);
	rc = s->engine->ops->do_op(s->engine, &add);
	if (rc < 0)
		end(r, s, PAIR_REFUSED, rc, SHOAL_LIT("not taken"));
	return rc == 0;
}

/* false: the run is over. */
static bool hear(struct side *s, struct pair_result *r)
{
	struct shoal_event ev;
	while (s->engine->ops->poll(s->engine, &ev, 1) > 0) {
		switch (ev.kind) {
		case SHOAL_EV_LISTENING:
			s->at = ev.addr;
			s->listening = true;
			break;
		case SHOAL_EV_ADDED:
			s->torrent = ev.torrent;
			if (ev.err < 0) {
				end(r, s, PAIR_REFUSED, ev.err, ev.text);
				return false;
			}
			break;
		case SHOAL_EV_CHECKED: s->checked = true; break;
		case SHOAL_EV_COMPLETE: s->complete = true; break;
		case SHOAL_EV_PAUSED: end(r, s, PAIR_PAUSED, ev.err, ev.text); return false;
		case SHOAL_EV_ERROR: end(r, s, PAIR_ENDED, ev.err, ev.text); return false;
		default: break;
		}
	}
	return true;
}

void pair_run(struct pair_content *c, const struct shoal_os_ops *const os[2], bool magnet, unsigned patience_ms,
	      struct pair_result *r)
{
	struct side side[2] = { { .number = 0 }, { .number = 1 } };
	bool introduced = false;
	shoal_us give_up = shoal_os_real.now() + SHOAL_MS(patience_ms);
	*r = (struct pair_result){ .end = PAIR_NOTHING };
	bool going = open_side(&side[0], c, os[0], magnet, r) && open_side(&side[1], c, os[1], magnet, r);
	while (going && !side[1].complete && shoal_os_real.now() < give_up) {
		going = hear(&side[0], r) && hear(&side[1], r);
		if (going && !introduced && side[0].checked && side[1].torrent != 0) {
			struct shoal_op peer = { .kind = SHOAL_OP_PEER,
						 .torrent = side[1].torrent,
						 .addr = side[0].at };
			introduced = side[1].engine->ops->do_op(side[1].engine, &peer) == 0;
		}
	}
	if (going && side[1].complete)
		r->end = PAIR_COMPLETE;
	for (unsigned i = 0; i < 2; i++)
		if (side[i].engine != NULL)
			side[i].engine->ops->close(side[i].engine);
}
