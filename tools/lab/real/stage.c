/* stage.c - see stage.h. */
#include "tools/lab/real/stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "proto/metainfo.h"
#include "tools/human.h"
#include "tools/lab/real/closed.h"

#define CHUNK (256u << 10)
#define ROOM_SPARE (64u << 20) /* for state, logs and what a file system takes */
#define FILES_A_NODE 6	       /* descriptors of ours */

static int failed(char why[LAB_STAGE_WHY_MAX], const char *what)
{
	int os = errno;
	snprintf(why, LAB_STAGE_WHY_MAX, "%.300s: %s", what, strerror(os));
	return os == ENOSPC || os == EDQUOT ? SHOAL_ERR_NO_SPACE : os == ENOMEM ? SHOAL_ERR_NOMEM : SHOAL_ERR_IO;
}

const char *lab_stage_path(const struct lab_stage *stage, unsigned node, const char *below,
			   char out[LAB_STAGE_PATH_MAX])
{
	snprintf(out, LAB_STAGE_PATH_MAX, "%.1000s/%s%s%s", stage->root, stage->plan.node[node].name,
		 below != NULL ? "/" : "", below != NULL ? below : "");
	return out;
}

/* ---- content ----------------------------------------------------------------------------------- */

/* Where file `i` of the content lies below a folder: "set", or "set/000003". */
static void content_path(const struct lab_stage *stage, const char *folder, uint32_t i, char out[LAB_STAGE_PATH_MAX])
{
	if (shoal_metainfo_file_count(stage->content->mi) == 1)
		snprintf(out, LAB_STAGE_PATH_MAX, "%.1150s/set", folder);
	else
		snprintf(out, LAB_STAGE_PATH_MAX, "%.1150s/set/%06u", folder, i);
}

/* Files are numbered as they were made (build.c), pads left out; `at` goes through the torrent's. False: no more. */
static bool next_file(const struct lab_stage *stage, uint32_t *at, uint32_t *number, uint64_t *offset, uint64_t *size)
{
	const struct shoal_metainfo *mi = stage->content->mi;
	uint32_t count = shoal_metainfo_file_count(mi);
	while (*at < count && (shoal_metainfo_file_flags(mi, *at) & SHOAL_FILE_PAD))
		++*at;
	if (*at >= count)
		return false;
	*offset = shoal_metainfo_file_offset(mi, *at);
	*size = shoal_metainfo_file_size(mi, *at);
	++*at;
	++*number;
	return true;
}

static int write_file(const struct lab_stage *stage, const char *path, uint64_t offset, uint64_t size, const bool *has,
		      uint8_t *chunk)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	uint32_t piece = shoal_metainfo_piece_size(stage->content->mi);
	uint64_t done = 0;
	if (fd >= 0 && ftruncate(fd, (off_t)size) < 0)
		size = UINT64_MAX; /* and so it fails below */
	while (fd >= 0 && size != UINT64_MAX && done < size) {
		/* Not over the end of a piece. */
		uint64_t n = piece - (offset + done) % piece;
		n = n < CHUNK ? n : CHUNK;
		n = n < size - done ? n : size - done;
		if (has == NULL || has[(offset + done) / piece]) {
			sim_content_bytes(stage->content->seed, offset + done, chunk, (size_t)n);
			if (pwrite(fd, chunk, (size_t)n, (off_t)done) != (ssize_t)n)
				break;
		}
		done += n;
	}
	if (fd < 0 || close(fd) < 0 || done < size)
		return SHOAL_ERR_IO;
	return 0;
}

/* In `to`: written, but for holes where pieces are not had (`has`; NULL: all are); or (`whole`) as links to what was. */
static int lay_content(const struct lab_stage *stage, const char *to, const char *whole, const bool *has)
{
	char path[LAB_STAGE_PATH_MAX], old[LAB_STAGE_PATH_MAX];
	uint64_t offset, size;
	uint32_t at = 0, number = 0;
	int rc = 0;
	uint8_t *chunk = malloc(CHUNK);
	if (chunk == NULL)
		return SHOAL_ERR_NOMEM;
	snprintf(path, sizeof path, "%.1150s/set", to);
	if (shoal_metainfo_file_count(stage->content->mi) > 1 && mkdir(path, 0755) < 0)
		rc = SHOAL_ERR_IO;
	while (rc == 0 && next_file(stage, &at, &number, &offset, &size)) {
		content_path(stage, to, number - 1, path);
		if (whole != NULL) {
			content_path(stage, whole, number - 1, old);
			rc = link(old, path) < 0 ? SHOAL_ERR_IO : 0;
		} else {
			rc = write_file(stage, path, offset, size, has, chunk);
		}
	}
	free(chunk);
	return rc;
}

bool lab_stage_copy_is_true(const struct lab_stage *stage, unsigned node, char why[200])
{
	char path[LAB_STAGE_PATH_MAX], data[LAB_STAGE_PATH_MAX];
	uint64_t offset, size;
	uint32_t at = 0, number = 0;
	uint8_t *chunk = malloc(CHUNK);
	bool good = chunk != NULL;
	if (!good)
		snprintf(why, 200, "no memory to look at it");
	lab_stage_path(stage, node, "data", data);
	while (good && next_file(stage, &at, &number, &offset, &size)) {
		uint64_t done = 0;
		ssize_t n = 0;
		content_path(stage, data, number - 1, path);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		while (fd >= 0 && (n = read(fd, chunk, CHUNK)) > 0 && done + (uint64_t)n <= size &&
		       sim_content_is(stage->content->seed, offset + done, chunk, (size_t)n))
			done += (uint64_t)n;
		good = fd >= 0 && n == 0 && done == size;
		if (!good)
			snprintf(why, 200, "file %u of its copy %s", number - 1,
				 fd < 0 ? "is not there" : "is not the content's");
		if (fd >= 0)
			close(fd);
	}
	free(chunk);
	return good;
}

/* ---- the folders -------------------------------------------------------------------------------- */

static int put_file(const char *path, const void *at, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	ssize_t n = fd >= 0 ? write(fd, at, len) : -1;
	return fd < 0 || close(fd) < 0 || n != (ssize_t)len ? SHOAL_ERR_IO : 0;
}

/* "d4:info..." with the tracker before it. */
static int put_torrent(const struct lab_stage *stage, const char *path)
{
	char head[80];
	size_t len = stage->content->torrent_len;
	int n = snprintf(head, sizeof head, "d8:announce%zu:%s", strlen(stage->tracker), stage->tracker);
	uint8_t *all = malloc((size_t)n + len);
	if (all == NULL)
		return SHOAL_ERR_NOMEM;
	memcpy(all, head, (size_t)n);
	memcpy(all + n, stage->content->torrent + 1, len - 1);
	int rc = put_file(path, all, (size_t)n + len - 1, 0644);
	free(all);
	return rc;
}

static int put_command_file(const struct lab_stage *stage, unsigned i, const struct lab_command_file *f)
{
	char path[LAB_STAGE_PATH_MAX];
	lab_stage_path(stage, i, f->path, path);
	char *slash = strchr(f->path, '/') != NULL ? strrchr(path, '/') : NULL;
	if (slash != NULL) {
		*slash = 0;
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return SHOAL_ERR_IO;
		*slash = '/';
	}
	return f->text != NULL ? put_file(path, f->text, strlen(f->text), f->program ? 0755 : 0644)
			       : put_torrent(stage, path);
}

static int make_folder(struct lab_stage *stage, unsigned i, const char *whole)
{
	char path[LAB_STAGE_PATH_MAX];
	const struct lab_command *c = &stage->command[i];
	if (mkdir(lab_stage_path(stage, i, NULL, path), 0755) < 0 ||
	    mkdir(lab_stage_path(stage, i, "data", path), 0755) < 0 ||
	    mkfifo(lab_stage_path(stage, i, "said", path), 0644) < 0)
		return SHOAL_ERR_IO;
	int rc = 0;
	/* (A fake-haver's program has it as well: it gives none of it.) */
	if (stage->plan.node[i].seed || stage->plan.node[i].played)
		rc = lay_content(stage, lab_stage_path(stage, i, "data", path), whole, NULL);
	else if (stage->plan.node[i].has != NULL)
		rc = lay_content(stage, lab_stage_path(stage, i, "data", path), NULL, stage->plan.node[i].has);
	for (unsigned k = 0; rc == 0 && k < c->files; k++)
		rc = put_command_file(stage, i, &c->file[k]);
	return rc;
}

static int check_room(const struct lab_stage *stage, char why[LAB_STAGE_WHY_MAX])
{
	struct statvfs st;
	char needed[SHOAL_HUMAN_MAX], there[SHOAL_HUMAN_MAX];
	uint64_t copies = 1;
	for (unsigned i = 0; i < stage->plan.nodes; i++)
		copies += !stage->plan.node[i].seed && !stage->plan.node[i].played;
	uint64_t needs = copies * (uint64_t)stage->s->content.size.v + ROOM_SPARE;
	if (statvfs(stage->root, &st) < 0)
		return failed(why, stage->root);
	uint64_t has = (uint64_t)st.f_bavail * st.f_frsize;
	if (needs <= has)
		return 0;
	snprintf(why, LAB_STAGE_WHY_MAX, "%llu copies of the content need %s, and %.100s has %s: see --scratch",
		 (unsigned long long)copies, shoal_human_size(needs, needed), stage->root,
		 shoal_human_size(has, there));
	return SHOAL_ERR_NO_SPACE;
}

bool lab_stage_installed(const char *program)
{
	char path[LAB_STAGE_PATH_MAX];
	const char *at = getenv("PATH");
	while (at != NULL && *at != 0) {
		size_t n = strcspn(at, ":");
		snprintf(path, sizeof path, "%.*s/%s", n < 1000 ? (int)n : 1000, at, program);
		if (access(path, X_OK) == 0)
			return true;
		at += n + (at[n] == ':');
	}
	return false;
}

/* (Of other programs, real.c has said so before.) */
static int check_hostile(const struct lab_stage *stage, const struct lab_command_place *place,
			 char why[LAB_STAGE_WHY_MAX])
{
	for (unsigned i = 0; i < stage->plan.nodes; i++) {
		if (!stage->plan.node[i].played || access(place->hostile, X_OK) == 0)
			continue;
		snprintf(why, LAB_STAGE_WHY_MAX, "%.200s cannot be run: adversary %s needs it", place->hostile,
			 stage->plan.node[i].name);
		return SHOAL_ERR_UNSUPPORTED;
	}
	return 0;
}

static int make_folders(struct lab_stage *stage, struct lab_command_place place, char why[LAB_STAGE_WHY_MAX])
{
	char whole[LAB_STAGE_PATH_MAX], torrent[LAB_STAGE_PATH_MAX];
	snprintf(whole, sizeof whole, "%.1000s/set.whole", stage->root);
	snprintf(torrent, sizeof torrent, "%.1000s/set.torrent", stage->root);
	place.tracker = stage->tracker;
	if (mkdir(whole, 0755) < 0 || lay_content(stage, whole, NULL, NULL) < 0 || put_torrent(stage, torrent) < 0)
		return failed(why, whole);
	for (unsigned i = 0; i < stage->plan.nodes; i++) {
		char path[LAB_STAGE_PATH_MAX];
		if (lab_command_make(&stage->command[i], stage->s, &stage->plan, i, &place) < 0)
			return SHOAL_ERR_NOMEM;
		if (make_folder(stage, i, whole) < 0)
			return failed(why, lab_stage_path(stage, i, NULL, path));
	}
	return 0;
}

/* ---- namespaces and lines ------------------------------------------------------------------------- */

static void raise_limit(unsigned nodes)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < (rlim_t)nodes * FILES_A_NODE + 256) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* The tracker's socket lives in a namespace of its own, like a node. */
static int open_door(struct lab_stage *stage)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(LAB_PLAN_TRACKER_PORT),
				  .sin_addr.s_addr = htonl(lab_wires_address(stage->plan.nodes)) };
	int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd = -1;
	if (own >= 0 && lab_space_enter(stage->space[stage->plan.nodes].net) == 0) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd >= 0 && (bind(fd, (struct sockaddr *)&in, sizeof in) < 0 || listen(fd, 512) < 0)) {
			close(fd);
			fd = -1;
		}
		if (lab_space_enter(own) < 0) {
			if (fd >= 0)
				close(fd);
			fd = -1;
		}
	}
	if (own >= 0)
		close(own);
	stage->door = fd;
	return fd >= 0 ? 0 : SHOAL_ERR_IO;
}

static int make_lines(struct lab_stage *stage, uint64_t seed, char why[LAB_STAGE_WHY_MAX])
{
	unsigned count = stage->plan.nodes + 1;
	int *tun = calloc(count, sizeof *tun);
	if (tun == NULL)
		return SHOAL_ERR_NOMEM;
	int rc = lab_space_make(stage->space, count, stage->plan.wide, why);
	if (rc == 0) {
		stage->spaces = count;
		for (unsigned i = 0; i < count; i++)
			tun[i] = stage->space[i].tun;
		for (unsigned i = 0; i < stage->plan.nodes; i++)
			stage->line[i] = stage->plan.node[i].line;
		stage->line[stage->plan.nodes] = (struct lab_wire){ .everywhere = 1 };
		rc = lab_relay_start(&stage->relay, tun, stage->line, count, stage->plan.wide, seed);
		if (rc < 0)
			rc = failed(why, "the relay between the nodes");
	}
	free(tun);
	if (rc == 0 && open_door(stage) < 0)
		rc = failed(why, "the tracker's socket");
	return rc;
}

int lab_stage_line(struct lab_stage *stage, unsigned node)
{
	return lab_relay_line(&stage->relay, node, &stage->line[node]);
}

int lab_stage_open(struct lab_stage *stage, const struct lab_scenario *s, const struct sim_content *content,
		   uint64_t seed, const char *root, struct lab_command_place place, char why[LAB_STAGE_WHY_MAX])
{
	*stage = (struct lab_stage){ .s = s, .content = content, .door = -1, .relay.control = -1 };
	snprintf(why, LAB_STAGE_WHY_MAX, "no memory");
	if (snprintf(stage->root, sizeof stage->root, "%s", root) > 1000) {
		stage->root[0] = 0;
		snprintf(why, LAB_STAGE_WHY_MAX, "the path of the scratch folder is too long");
		return SHOAL_ERR_TOO_LONG;
	}
	int rc = lab_plan_make(&stage->plan, s, shoal_metainfo_piece_count(content->mi), seed);
	if (rc < 0)
		return rc;
	unsigned nodes = stage->plan.nodes;
	stage->space = calloc((size_t)nodes + 1, sizeof *stage->space);
	stage->line = calloc((size_t)nodes + 1, sizeof *stage->line);
	stage->command = calloc((size_t)nodes + 1, sizeof *stage->command);
	if (stage->space == NULL || stage->line == NULL || stage->command == NULL)
		return SHOAL_ERR_NOMEM;
	char address[16];
	snprintf(stage->tracker, sizeof stage->tracker, "http://%s:%u/announce", lab_wires_dotted(nodes, address),
		 LAB_PLAN_TRACKER_PORT);
	raise_limit(nodes + 1);
	if ((rc = check_hostile(stage, &place, why)) < 0)
		return rc;
	if (mkdir(stage->root, 0755) < 0)
		return failed(why, stage->root);
	if ((rc = check_room(stage, why)) < 0 || (rc = make_folders(stage, place, why)) < 0)
		return rc;
	return make_lines(stage, seed, why);
}

void lab_stage_close(struct lab_stage *stage, bool keep)
{
	if (stage->s == NULL)
		return;
	lab_relay_stop(&stage->relay);
	lab_space_end(stage->space, stage->spaces);
	if (stage->door >= 0)
		close(stage->door);
	for (unsigned i = 0; stage->command != NULL && i < stage->plan.nodes; i++)
		lab_command_free(&stage->command[i]);
	free(stage->command);
	free(stage->space);
	free(stage->line);
	lab_plan_fini(&stage->plan);
	if (!keep && stage->root[0] != 0)
		lab_closed_remove(stage->root);
	*stage = (struct lab_stage){ 0 };
}
