/* own_torrent.c - see own_torrent.h. Bencode is written by hand here, so that storage tests lean on the parser alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/own_torrent.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/base/digest.h"
#include "proto/merkle.h"

#define BLOCK 16384u

struct text {
	uint8_t *at;
	size_t len, room;
};

static void put(struct text *t, const void *at, size_t len)
{
	if (t->len + len > t->room) {
		t->room = 2 * t->room + len + 256;
		t->at = realloc(t->at, t->room);
		assert_non_null(t->at);
	}
	if (len)
		memcpy(t->at + t->len, at, len);
	t->len += len;
}
static void raw(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}
static void str(struct text *t, const void *at, size_t len)
{
	char n[32];
	put(t, n, (size_t)snprintf(n, sizeof n, "%zu:", len));
	put(t, at, len);
}
static void num(struct text *t, uint64_t v)
{
	char n[32];
	put(t, n, (size_t)snprintf(n, sizeof n, "i%llue", (unsigned long long)v));
}

void own_bytes(uint32_t i, uint64_t offset, uint8_t *to, size_t len)
{
	for (size_t k = 0; k < len; k++) {
		uint64_t pos = offset + k, word = (pos >> 3) + ((uint64_t)i << 40) + 1;
		word = (word ^ word >> 31) * UINT64_C(0x9e3779b97f4a7c15);
		word ^= word >> 29;
		to[k] = (uint8_t)(word >> (8 * (pos & 7)));
	}
}

/* The number of a file of the metainfo among the real ones; UINT32_MAX for a pad. */
static uint32_t real_index(const struct shoal_metainfo *mi, uint32_t file)
{
	uint32_t n = 0;
	if (shoal_metainfo_file_flags(mi, file) & SHOAL_FILE_PAD)
		return UINT32_MAX;
	for (uint32_t f = 0; f < file; f++)
		n += !(shoal_metainfo_file_flags(mi, f) & SHOAL_FILE_PAD);
	return n;
}

void own_piece(const struct own_torrent *t, uint32_t piece, uint32_t begin, uint8_t *to, size_t len)
{
	uint64_t from = (uint64_t)piece * t->piece_size + begin;
	memset(to, 0, len);
	for (uint32_t f = 0; f < shoal_metainfo_file_count(t->mi); f++) {
		uint64_t start = shoal_metainfo_file_offset(t->mi, f), end = start + shoal_metainfo_file_size(t->mi, f);
		uint32_t real = real_index(t->mi, f);
		uint64_t a = from > start ? from : start, b = from + len < end ? from + len : end;
		if (real != UINT32_MAX && a < b)
			own_bytes(real, a - start, to + (a - from), (size_t)(b - a));
	}
}

void own_hash(const struct own_torrent *t, uint32_t piece, struct shoal_piece_hash *hash, uint8_t (*leaf)[32])
{
	memset(hash, 0, sizeof *hash);
	shoal_sha1_init(&hash->sha1);
	hash->bytes = shoal_metainfo_piece_bytes(t->mi, piece);
	hash->pad = shoal_metainfo_piece_pad(t->mi, piece);
	hash->has_v1 = shoal_metainfo_v1(t->mi);
	hash->has_v2 = shoal_metainfo_v2(t->mi);
	if (hash->has_v1)
		memcpy(hash->want_sha1, shoal_metainfo_piece_sha1(t->mi, piece), 20);
	if (hash->has_v2) {
		const uint8_t *root = shoal_metainfo_piece_root(t->mi, piece, &hash->width);
		assert_non_null(root);
		memcpy(hash->want_root, root, 32);
	}
	hash->leaf = leaf;
	hash->good = -1;
}

/* The root of a file's tree, and its layer of piece hashes when it is longer than one. */
static void tree_of(uint32_t i, uint64_t size, uint32_t piece_size, uint8_t root[32], struct text *layer)
{
	uint32_t blocks = (uint32_t)((size + BLOCK - 1) / BLOCK), per = piece_size / BLOCK;
	uint8_t(*leaf)[32] = calloc(blocks, 32), *buf = malloc(BLOCK);
	assert_true(leaf && buf);
	for (uint32_t b = 0; b < blocks; b++) {
		size_t len = size - (uint64_t)b * BLOCK < BLOCK ? (size_t)(size - (uint64_t)b * BLOCK) : BLOCK;
		own_bytes(i, (uint64_t)b * BLOCK, buf, len);
		shoal_sha256((struct shoal_bytes){ buf, len }, leaf[b]);
	}
	if (size <= piece_size) {
		shoal_merkle_root(leaf, blocks, shoal_merkle_width(blocks), 0, root);
	} else {
		uint32_t n = (blocks + per - 1) / per;
		for (uint32_t p = 0; p < n; p++) {
			uint32_t here = blocks - p * per < per ? blocks - p * per : per;
			uint8_t h[32];
			shoal_merkle_root(leaf + p * per, here, per, 0, h);
			put(layer, h, 32);
		}
		uint8_t *copy = malloc(layer->len);
		assert_non_null(copy);
		memcpy(copy, layer->at, layer->len);
		shoal_merkle_root((shoal_hash32 *)copy, n, shoal_merkle_width(n), shoal_merkle_height(per), root);
		free(copy);
	}
	free(leaf);
	free(buf);
}

/* One file's leaf of the file tree, folders opened and closed as the path changes. */
static void tree_text(struct text *out, const struct own_file *file, size_t count, uint8_t (*root)[32])
{
	const char *before = "";
	size_t depth = 0;
	for (size_t i = 0; i < count; i++) {
		const char *path = file[i].path;
		size_t same = 0, at = 0;
		for (;;) { /* components shared with the file before */
			const char *a = strchr(path + at, '/'), *b = strchr(before + at, '/');
			if (!a || !b || a - path != b - before ||
			    memcmp(path + at, before + at, (size_t)(a - (path + at))) != 0)
				break;
			at = (size_t)(a - path) + 1;
			same++;
		}
		for (; depth > same; depth--)
			raw(out, "e");
		for (const char *slash; (slash = strchr(path + at, '/')); at = (size_t)(slash - path) + 1, depth++) {
			str(out, path + at, (size_t)(slash - (path + at)));
			raw(out, "d");
		}
		str(out, path + at, strlen(path + at));
		raw(out, "d0:d6:length");
		num(out, file[i].size);
		if (file[i].size) {
			raw(out, "11:pieces root");
			str(out, root[i], 32);
		}
		raw(out, "ee");
		before = path;
	}
	for (; depth > 0; depth--)
		raw(out, "e");
}

struct sha {
	struct shoal_sha1 ctx;
	uint64_t in_piece;
	uint32_t piece_size;
	struct text *out;
};
static void sha_end(struct sha *s)
{
	uint8_t h[20];
	shoal_sha1_final(&s->ctx, h);
	put(s->out, h, 20);
	shoal_sha1_init(&s->ctx);
	s->in_piece = 0;
}
static void sha_put(struct sha *s, uint32_t real, bool zero, uint64_t size)
{
	uint8_t buf[4096];
	for (uint64_t pos = 0; pos < size;) {
		uint64_t n = sizeof buf;
		if (n > size - pos)
			n = size - pos;
		if (n > s->piece_size - s->in_piece)
			n = s->piece_size - s->in_piece;
		memset(buf, 0, sizeof buf);
		if (!zero)
			own_bytes(real, pos, buf, (size_t)n);
		struct shoal_sha1 *ctx = &s->ctx;
		const uint8_t *at = buf;
		shoal_sha1_advance(&ctx, &at, 1, (size_t)n);
		pos += n;
		s->in_piece += n;
		if (s->in_piece == s->piece_size)
			sha_end(s);
	}
}

static void files_text(struct text *out, const struct own_file *file, size_t count, uint32_t piece_size, bool hybrid)
{
	uint64_t pos = 0;
	raw(out, "5:filesl");
	for (size_t i = 0; i < count; i++) {
		raw(out, file[i].pad ? "d4:attr1:p6:length" : "d6:length");
		num(out, file[i].size);
		raw(out, "4:pathl");
		for (const char *p = file[i].path; *p;) {
			size_t n = strcspn(p, "/");
			str(out, p, n);
			p += n + (p[n] == '/');
		}
		raw(out, "ee");
		pos += file[i].size;
		if (hybrid && i + 1 < count && pos % piece_size) {
			char name[32];
			uint64_t pad = piece_size - pos % piece_size;
			int n = snprintf(name, sizeof name, "%llu", (unsigned long long)pad);
			raw(out, "d4:attr1:p6:length");
			num(out, pad);
			raw(out, "4:pathl4:.pad");
			str(out, name, (size_t)n);
			raw(out, "ee");
			pos += pad;
		}
	}
	raw(out, "e");
}

void own_torrent_make(struct own_torrent *t, enum own_format format, uint32_t piece_size, const char *name,
		      const struct own_file *file, size_t count, bool single)
{
	struct text out = { 0 }, layers = { 0 }, sha1 = { 0 };
	uint8_t root[OWN_FILES_MAX][32];
	struct {
		uint8_t root[32];
		struct text hashes;
	} layer[OWN_FILES_MAX];
	size_t layer_count = 0;
	assert_true(count <= OWN_FILES_MAX);

	if (format != OWN_V1) {
		for (size_t i = 0; i < count; i++) {
			struct text hashes = { 0 };
			if (file[i].size)
				tree_of((uint32_t)i, file[i].size, piece_size, root[i], &hashes);
			if (hashes.len) { /* keys of a dictionary stand in order */
				size_t at = layer_count++;
				for (; at > 0 && memcmp(layer[at - 1].root, root[i], 32) > 0; at--)
					layer[at] = layer[at - 1];
				memcpy(layer[at].root, root[i], 32);
				layer[at].hashes = hashes;
			}
		}
	}
	if (format != OWN_V2) {
		struct sha s = { .piece_size = piece_size, .out = &sha1 };
		uint32_t real = 0;
		shoal_sha1_init(&s.ctx);
		for (size_t i = 0; i < count; i++) {
			sha_put(&s, real, file[i].pad, file[i].size);
			real += !file[i].pad;
			if (format == OWN_HYBRID && i + 1 < count && s.in_piece)
				sha_put(&s, 0, true, piece_size - s.in_piece);
		}
		if (s.in_piece)
			sha_end(&s);
	}

	raw(&out, "d4:infod");
	if (format != OWN_V1) {
		raw(&out, "9:file treed");
		tree_text(&out, file, count, root);
		raw(&out, "e");
	}
	if (format != OWN_V2 && !single)
		files_text(&out, file, count, piece_size, format == OWN_HYBRID);
	if (format != OWN_V2 && single) {
		raw(&out, "6:length");
		num(&out, file[0].size);
	}
	if (format != OWN_V1)
		raw(&out, "12:meta versioni2e");
	raw(&out, "4:name");
	str(&out, name, strlen(name));
	raw(&out, "12:piece length");
	num(&out, piece_size);
	if (format != OWN_V2) {
		raw(&out, "6:pieces");
		str(&out, sha1.at, sha1.len);
	}
	raw(&out, "e");
	if (format != OWN_V1) {
		raw(&out, "12:piece layersd");
		for (size_t i = 0; i < layer_count; i++) {
			str(&out, layer[i].root, 32);
			str(&out, layer[i].hashes.at, layer[i].hashes.len);
			free(layer[i].hashes.at);
		}
		raw(&out, "e");
	}
	raw(&out, "e");

	struct shoal_metainfo_fault why = { 0 };
	int rc = shoal_metainfo_parse(&t->mi, (struct shoal_bytes){ out.at, out.len }, &why);
	if (rc < 0)
		fail_msg("own torrent refused: %s at %zu", why.what, why.at);
	t->pieces = shoal_metainfo_piece_count(t->mi);
	t->piece_size = piece_size;
	free(out.at);
	free(layers.at);
	free(sha1.at);
}

void own_torrent_free(struct own_torrent *t)
{
	shoal_metainfo_free(t->mi);
	t->mi = NULL;
}

/* ---- folders ------------------------------------------------------------------------------ */

void own_folder(char *out, size_t room)
{
	/* Memory by default: tests sync a lot. TMPDIR puts them on the file system of your choice. */
	const char *base = getenv("TMPDIR");
	if (base == NULL)
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	int n = snprintf(out, room, "%s/shoal-test-XXXXXX", base);
	assert_true(n > 0 && (size_t)n < room);
	assert_non_null(mkdtemp(out));
}

static int end_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}
void own_folder_end(const char *folder)
{
	assert_int_equal(nftw(folder, end_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

long own_read(const char *folder, const char *path, uint8_t *to, size_t room)
{
	char full[4600];
	struct stat st;
	snprintf(full, sizeof full, "%s/%s", folder, path);
	int fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	assert_int_equal(fstat(fd, &st), 0);
	if (to) {
		assert_true((size_t)st.st_size <= room);
		assert_int_equal(read(fd, to, (size_t)st.st_size), st.st_size);
	}
	close(fd);
	return (long)st.st_size;
}

void own_write(const char *folder, const char *path, const void *at, size_t len)
{
	char full[4600];
	snprintf(full, sizeof full, "%s/%s", folder, path);
	for (char *p = full + strlen(folder) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0777);
		*p = '/';
	}
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, at, len), len);
	close(fd);
}

bool own_exists(const char *folder, const char *path)
{
	char full[4600];
	struct stat st;
	snprintf(full, sizeof full, "%s/%s", folder, path);
	return lstat(full, &st) == 0;
}
