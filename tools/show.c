/* tools/show.c - shoal show: what a torrent or magnet link says, and what others would make of it. */
#include "proto/base/bytes.h"
#include "tools/commands.h"
#include "tools/human.h"
#include "tools/lint.h"
#include "tools/options.h"
#include "tools/say.h"
#include "tools/scrape.h"
#include "tools/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct shoal_opt_page page = {
	"TORRENT|MAGNET [--files] [--scrape]",
	"Prints name, size, hashes, pieces, trackers and peers of a torrent or a magnet link,\n"
	"and what other engines would refuse about it. Touches nothing and asks nobody, but with\n"
	"--scrape its trackers: how many seeds, leeches and finished downloads each of them counts.",
	"  shoal show holiday.torrent --files\n"
	"  shoal show 'magnet:?xt=urn:btih:...' --scrape",
};

static void row(const char *label, const char *text)
{
	printf("%-9s %s\n", label, text);
}

static void row_bytes(const char *label, struct shoal_bytes raw)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (raw.len)
		row(label, shoal_say_text(raw, shown));
}

static void row_cstr(const char *label, const char *raw)
{
	row_bytes(label, shoal_bytes(raw, strlen(raw)));
}

static void row_hash(const char *label, const uint8_t *at, size_t len)
{
	char hex[65];
	row(label, shoal_say_hex(at, len, hex));
}

static const char *format_of(const struct shoal_metainfo *mi)
{
	if (!shoal_metainfo_v2(mi))
		return "v1";
	return shoal_metainfo_v1(mi) ? "hybrid" : "v2";
}

/* Files people care about: pads are none. */
static uint32_t real_files(const struct shoal_metainfo *mi)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++)
		n += !(shoal_metainfo_file_flags(mi, i) & SHOAL_FILE_PAD);
	return n;
}

/* ---- text --------------------------------------------------------------------------- */
static void print_lint(void *to, enum shoal_lint lint, const char *what)
{
	(void)to;
	printf("%-9s %s [%s]\n", "warning", what, shoal_lint_name(lint));
}

static void print_made(const struct shoal_metainfo *mi)
{
	char when[64], by[SHOAL_SAY_TEXT_MAX];
	time_t at = (time_t)shoal_metainfo_created_at(mi);
	struct tm tm;
	struct shoal_bytes maker = shoal_metainfo_created_by(mi);
	if (at == 0 || gmtime_r(&at, &tm) == NULL || strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		when[0] = '\0';
	if (when[0] && maker.len)
		printf("%-9s %s by %s\n", "created", when, shoal_say_text(maker, by));
	else if (when[0])
		row("created", when);
	else
		row_bytes("made by", maker);
}

static void print_places(const struct shoal_metainfo *mi)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	for (size_t i = 0; i < shoal_metainfo_tracker_count(mi); i++) {
		unsigned tier;
		shoal_say_text(shoal_metainfo_tracker(mi, i, &tier), shown);
		printf("%-9s %u: %s\n", "tracker", tier, shown);
	}
	for (size_t i = 0; i < shoal_metainfo_webseed_count(mi); i++)
		row_bytes("webseed", shoal_metainfo_webseed(mi, i));
	for (size_t i = 0; i < shoal_metainfo_peer_count(mi); i++)
		row_bytes("peer", shoal_metainfo_peer(mi, i));
	for (size_t i = 0; i < shoal_metainfo_node_count(mi); i++)
		row_bytes("node", shoal_metainfo_node(mi, i));
	for (size_t i = 0; i < shoal_metainfo_similar_count(mi); i++)
		row_hash("similar", shoal_metainfo_similar(mi, i).at, shoal_metainfo_similar(mi, i).len);
	for (size_t i = 0; i < shoal_metainfo_collection_count(mi); i++)
		row_bytes("in", shoal_metainfo_collection(mi, i));
}

static void print_files(const struct shoal_metainfo *mi)
{
	char path[SHOAL_PATH_BYTES_MAX + 1], shown[SHOAL_SAY_TEXT_MAX], disk[SHOAL_SAY_TEXT_MAX];
	struct shoal_space room = { (uint8_t *)path, sizeof path };
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++) {
		unsigned flags = shoal_metainfo_file_flags(mi, i);
		if (flags & SHOAL_FILE_PAD)
			continue;
		int n = shoal_metainfo_path_raw(mi, i, room);
		shoal_say_text(shoal_bytes(path, n > 0 ? (size_t)n : 0), shown);
		printf("%7" PRIu32 " %15" PRIu64 "  %s%s", i + 1, shoal_metainfo_file_size(mi, i), shown,
		       flags & SHOAL_FILE_SYMLINK ? " (symlink)" : "");
		if ((flags & SHOAL_FILE_RENAMED) && (n = shoal_metainfo_path(mi, i, room)) > 0)
			printf("  (on disk: %s)", shoal_say_text(shoal_bytes(path, (size_t)n), disk));
		putchar('\n');
	}
}

static void print_torrent(const struct shoal_metainfo *mi, const struct shoal_lint_facts *facts, bool files)
{
	char size[SHOAL_HUMAN_MAX], count[SHOAL_HUMAN_MAX * 2];
	uint64_t bytes = shoal_metainfo_size(mi);
	row_bytes("name", shoal_metainfo_name_raw(mi));
	printf("%-9s %s (%" PRIu64 " bytes) in %s\n", "size", shoal_human_size(bytes, size), bytes,
	       shoal_human_count(real_files(mi), "file", "files", count));
	row("format", format_of(mi));
	if (shoal_metainfo_v1(mi))
		row_hash("v1", shoal_metainfo_hash_v1(mi)->b, 20);
	if (shoal_metainfo_v2(mi))
		row_hash("v2", shoal_metainfo_hash_v2(mi)->b, 32);
	printf("%-9s %" PRIu32 " of %s\n", "pieces", shoal_metainfo_piece_count(mi),
	       shoal_human_size(shoal_metainfo_piece_size(mi), size));
	printf("%-9s %s of info dictionary\n", "metadata", shoal_human_size(shoal_metainfo_info(mi).len, size));
	row("private", shoal_metainfo_private(mi) ? "yes" : "no");
	print_made(mi);
	row_bytes("comment", shoal_metainfo_comment(mi));
	row_bytes("source", shoal_metainfo_source(mi));
	print_places(mi);
	shoal_lint(facts, print_lint, NULL);
	if (files)
		print_files(mi);
}

/* A name may stand for any kind (BEP 46). */
static const char *magnet_format(const struct shoal_magnet *m)
{
	if (!m->has_v1 && !m->has_v2)
		return "a name in the DHT";
	return m->has_v1 && m->has_v2 ? "hybrid" : m->has_v2 ? "v2" : "v1";
}

static void print_magnet(const struct shoal_magnet *m)
{
	if (m->name)
		row_cstr("name", m->name);
	row("format", magnet_format(m));
	if (m->has_v1)
		row_hash("v1", m->v1.b, 20);
	if (m->has_v2)
		row_hash("v2", m->v2.b, 32);
	if (m->has_key)
		row_hash("key", m->key, 32);
	if (m->salt_len > 0)
		row_bytes("salt", shoal_bytes(m->salt, m->salt_len));
	for (size_t i = 0; i < m->tracker_count; i++)
		row_cstr("tracker", m->tracker[i]);
	for (size_t i = 0; i < m->webseed_count; i++)
		row_cstr("webseed", m->webseed[i]);
	for (size_t i = 0; i < m->peer_count; i++)
		row_cstr("peer", m->peer[i]);
	if (m->select)
		row_cstr("files", m->select);
}

/* ---- JSON --------------------------------------------------------------------------- */
static void json_warning(void *to, enum shoal_lint lint, const char *what)
{
	(void)lint;
	shoal_json_text(to, NULL, what);
}

static void json_lint(void *to, enum shoal_lint lint, const char *what)
{
	(void)what;
	shoal_json_text(to, NULL, shoal_lint_name(lint));
}

static void json_files(struct shoal_json *j, const struct shoal_metainfo *mi)
{
	char path[SHOAL_PATH_BYTES_MAX + 1];
	struct shoal_space room = { (uint8_t *)path, sizeof path };
	shoal_json_array(j, "files");
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++) {
		unsigned flags = shoal_metainfo_file_flags(mi, i);
		const uint8_t *root = shoal_metainfo_file_root(mi, i);
		if (flags & SHOAL_FILE_PAD)
			continue;
		shoal_json_object(j, NULL);
		shoal_json_u64(j, "number", i + 1u); /* for get --only @N */
		int n = shoal_metainfo_path_raw(mi, i, room);
		shoal_json_str(j, "path", shoal_bytes(path, n > 0 ? (size_t)n : 0));
		if ((flags & SHOAL_FILE_RENAMED) && (n = shoal_metainfo_path(mi, i, room)) > 0)
			shoal_json_str(j, "disk_path", shoal_bytes(path, (size_t)n));
		shoal_json_u64(j, "size", shoal_metainfo_file_size(mi, i));
		if (root)
			shoal_json_hex(j, "root", root, 32);
		if (flags & SHOAL_FILE_SYMLINK)
			shoal_json_bool(j, "symlink", true);
		shoal_json_end(j);
	}
	shoal_json_end(j);
}

/* One array of texts, from a getter that takes an index. */
static void json_list(struct shoal_json *j, const char *key, const struct shoal_metainfo *mi, size_t count,
		      struct shoal_bytes (*get)(const struct shoal_metainfo *mi, size_t i))
{
	shoal_json_array(j, key);
	for (size_t i = 0; i < count; i++)
		shoal_json_str(j, NULL, get(mi, i));
	shoal_json_end(j);
}

static void json_optional(struct shoal_json *j, const char *key, struct shoal_bytes text)
{
	if (text.len)
		shoal_json_str(j, key, text);
}

static void json_torrent(struct shoal_tool *tool, const struct shoal_metainfo *mi, const struct shoal_lint_facts *facts,
			 bool files)
{
	struct shoal_json *j = &tool->out;
	shoal_json_begin(j);
	shoal_json_str(j, "name", shoal_metainfo_name_raw(mi));
	shoal_json_u64(j, "size", shoal_metainfo_size(mi));
	shoal_json_u64(j, "file_count", real_files(mi));
	shoal_json_text(j, "format", format_of(mi));
	if (shoal_metainfo_v1(mi))
		shoal_json_hex(j, "infohash_v1", shoal_metainfo_hash_v1(mi)->b, 20);
	if (shoal_metainfo_v2(mi))
		shoal_json_hex(j, "infohash_v2", shoal_metainfo_hash_v2(mi)->b, 32);
	shoal_json_u64(j, "pieces", shoal_metainfo_piece_count(mi));
	shoal_json_u64(j, "piece_size", shoal_metainfo_piece_size(mi));
	shoal_json_u64(j, "metadata_size", shoal_metainfo_info(mi).len);
	shoal_json_bool(j, "private", shoal_metainfo_private(mi));
	if (shoal_metainfo_created_at(mi))
		shoal_json_int(j, "created", shoal_metainfo_created_at(mi));
	json_optional(j, "created_by", shoal_metainfo_created_by(mi));
	json_optional(j, "comment", shoal_metainfo_comment(mi));
	json_optional(j, "source", shoal_metainfo_source(mi));
	shoal_json_array(j, "trackers");
	for (size_t i = 0; i < shoal_metainfo_tracker_count(mi); i++) {
		unsigned tier;
		struct shoal_bytes url = shoal_metainfo_tracker(mi, i, &tier);
		shoal_json_object(j, NULL);
		shoal_json_u64(j, "tier", tier);
		shoal_json_str(j, "url", url);
		shoal_json_end(j);
	}
	shoal_json_end(j);
	json_list(j, "webseeds", mi, shoal_metainfo_webseed_count(mi), shoal_metainfo_webseed);
	json_list(j, "peers", mi, shoal_metainfo_peer_count(mi), shoal_metainfo_peer);
	json_list(j, "nodes", mi, shoal_metainfo_node_count(mi), shoal_metainfo_node);
	shoal_json_array(j, "similar");
	for (size_t i = 0; i < shoal_metainfo_similar_count(mi); i++)
		shoal_json_hex(j, NULL, shoal_metainfo_similar(mi, i).at, shoal_metainfo_similar(mi, i).len);
	shoal_json_end(j);
	json_list(j, "collections", mi, shoal_metainfo_collection_count(mi), shoal_metainfo_collection);
	shoal_json_array(j, "warnings");
	shoal_lint(facts, json_warning, j);
	shoal_json_end(j);
	shoal_json_array(j, "lints"); /* their names, one for each warning */
	shoal_lint(facts, json_lint, j);
	shoal_json_end(j);
	if (files)
		json_files(j, mi);
	shoal_say_event_end(tool);
}

static void json_texts(struct shoal_json *j, const char *key, char *const at[], size_t count)
{
	shoal_json_array(j, key);
	for (size_t i = 0; i < count; i++)
		shoal_json_text(j, NULL, at[i]);
	shoal_json_end(j);
}

static void json_magnet(struct shoal_tool *tool, const struct shoal_magnet *m)
{
	struct shoal_json *j = &tool->out;
	shoal_json_begin(j);
	shoal_json_text(j, "name", m->name);
	shoal_json_text(j, "format", magnet_format(m));
	if (m->has_v1)
		shoal_json_hex(j, "infohash_v1", m->v1.b, 20);
	if (m->has_v2)
		shoal_json_hex(j, "infohash_v2", m->v2.b, 32);
	if (m->has_key)
		shoal_json_hex(j, "key", m->key, 32);
	if (m->salt_len > 0)
		shoal_json_hex(j, "salt", m->salt, m->salt_len);
	json_texts(j, "trackers", m->tracker, m->tracker_count);
	json_texts(j, "webseeds", m->webseed, m->webseed_count);
	json_texts(j, "peers", m->peer, m->peer_count);
	if (m->select)
		shoal_json_text(j, "select", m->select);
	shoal_say_event_end(tool);
}

int shoal_show_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	struct shoal_source s = { 0 };
	bool files = false, scrape = false;
	struct shoal_scrape how = { .timeout = SHOAL_SCRAPE_TIMEOUT };
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_FLAG, "files", 0, &files, NULL, NULL, "list every file with its number and its size in bytes" },
		{ SHOAL_OPT_FLAG, "scrape", 0, &scrape, NULL, NULL, "ask each tracker once how many have it (BEP 48)" },
		{ SHOAL_OPT_LIST, "tracker", 't', &how.tracker, "URL", NULL, "--scrape: this one too, wherever it lies; more than once" },
		{ SHOAL_OPT_SECONDS, "timeout", 0, &how.timeout, "SECONDS", NULL, "--scrape: give up then; default: 20" },
		{ SHOAL_OPT_TEXT, "proxy", 0, &how.proxy, "URL", NULL, "--scrape: through socks5://[USER:PASS@]HOST:PORT or http://" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, NULL };
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else if (args.count != 1)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "one TORRENT or MAGNET is needed; see shoal show --help");
	else if (!scrape && (how.tracker.count > 0 || how.proxy))
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "--tracker and --proxy go with --scrape");
	else if ((code = shoal_source_open(tool, &s, args.at[0], true)) == 0) {
		struct shoal_lint_facts facts = { 0 };
		if (!s.is_magnet)
			shoal_lint_facts_of(&facts, s.mi, s.torrent.len);
		if (s.is_magnet && tool->json)
			json_magnet(tool, s.magnet);
		else if (s.is_magnet)
			print_magnet(s.magnet);
		else if (tool->json)
			json_torrent(tool, s.mi, &facts, files);
		else
			print_torrent(s.mi, &facts, files);
		if (scrape)
			code = shoal_scrape(tool, &s, &how);
	}
	shoal_source_fini(&s);
	shoal_opt_list_fini(&how.tracker);
	shoal_opt_list_fini(&args);
	return code;
}
