/* pair.c - see pair.h. */
#include "tools/lab/compare/pair.h"

#include "swarm/libtorrent/engine_libtorrent.h"
#include "tools/lab/compare/child.h"
#include "tools/lab/compare/netns.h"
#include "tools/signals.h"

#include <errno.h>
#include <string.h>

#define SEED_PORT 6881u
#define LEECH_PORT 6882u

struct run {
	struct lab_cmp_pair *pair;
	struct lab_cmp_place *place;
	const struct lab_cmp_job *job;
	char *what;
};

static const struct shoal_engine_ops *engine_of(bool theirs)
{
	return theirs ? &shoal_engine_libtorrent : &shoal_engine_native;
}

static struct lab_cmp_side *side_of(struct run *r, bool theirs)
{
	return theirs ? &r->pair->theirs : &r->pair->ours;
}

static struct shoal_addr loopback(uint16_t port)
{
	return (struct shoal_addr){ .ip = { 127, 0, 0, 1 }, .port = port, .is_v4 = 1 };
}

static int cannot(struct run *r, int rc, const char *what)
{
	if (r->what[0] == '\0')
		snprintf(r->what, LAB_CMP_TEXT_MAX, "%s: %s", what,
			 rc == SHOAL_ERR_IO ? strerror(errno) : shoal_err_name(rc));
	return rc;
}

static shoal_us until(const struct run *r)
{
	return shoal_signals_now() + r->job->patience;
}

/* With the copy in `folder`, or (NULL) with nothing there. */
static int look(struct run *r, bool theirs, const char *folder)
{
	struct lab_cmp_side *s = side_of(r, theirs);
	char empty[4096];
	struct lab_cmp_look l;
	struct lab_cmp_task t = { .engine = engine_of(theirs), .torrent = r->job->torrent, .folder = folder };
	int rc = folder == NULL ? lab_cmp_place_fresh(r->place, "empty", empty) : 0;
	if (folder == NULL)
		t.folder = empty;
	if (rc >= 0)
		rc = lab_cmp_child_look(&t, folder != NULL, !theirs, until(r), &l);
	if (rc < 0)
		return cannot(r, rc, "an engine cannot be asked");
	if (l.end == LAB_CMP_UNABLE) {
		snprintf(r->what, LAB_CMP_TEXT_MAX, "%s: %.160s", t.engine->name, l.text);
		rc = l.err;
		lab_cmp_look_fini(&l);
		return rc < 0 ? rc : SHOAL_ERR_IO;
	}
	lab_cmp_look_fini(&s->look);
	s->look = l;
	return 0;
}

/* A copy of the content, named as that engine names it. */
static int lay(struct run *r, bool theirs, const char *name, char folder[4096])
{
	const struct lab_cmp_look *as = &r->pair->ours.look, *be = &side_of(r, theirs)->look;
	int rc = lab_cmp_place_fresh(r->place, name, folder);
	if (rc == 0)
		rc = lab_cmp_place_lay(r->job->folder, as, folder, be);
	return rc < 0 ? cannot(r, rc, "the content cannot be copied") : 0;
}

static int look_at_content(struct run *r)
{
	char folder[4096];
	int rc = 0;
	for (int theirs = 0; rc == 0 && theirs < 2; theirs++) {
		rc = lay(r, theirs, "content", folder);
		if (rc == 0)
			rc = look(r, theirs, folder);
	}
	return rc;
}

/* The engine that `theirs` says fetches it from a seed, in a network of their own. */
static int fetch(struct run *r, bool theirs)
{
	struct lab_cmp_side *s = side_of(r, theirs);
	char from[4096], to[4096], why[LAB_CMP_TEXT_MAX];
	struct lab_cmp_child seed;
	int rc = lay(r, r->job->seed_theirs, "seed", from);
	if (rc < 0)
		return rc;
	if ((rc = lab_cmp_place_fresh(r->place, "copy", to)) < 0)
		return cannot(r, rc, "the scratch folder");
	if ((rc = lab_netns_enter(r->what)) < 0)
		return rc;
	struct lab_cmp_task give = { .engine = engine_of(r->job->seed_theirs),
				     .torrent = r->job->torrent,
				     .folder = from,
				     .listen = loopback(SEED_PORT) };
	struct lab_cmp_task take = { .engine = engine_of(theirs),
				     .torrent = r->job->torrent,
				     .folder = to,
				     .listen = loopback(LEECH_PORT),
				     .peer = loopback(SEED_PORT) };
	rc = lab_cmp_child_seed(&seed, &give, until(r), why);
	if (rc == SHOAL_ERR_CLOSED || rc == SHOAL_ERR_IO)
		return cannot(r, rc, "the seed");
	if (rc < 0) { /* what it could check it cannot serve: that is the seed's fault, and a difference */
		s->get.end = LAB_CMP_FAILED;
		s->get.err = rc;
		snprintf(s->get.text, LAB_CMP_TEXT_MAX, "the seed (%s) does not serve it%s%.120s", give.engine->name,
			 why[0] ? ": " : "", why);
		return 0;
	}
	rc = lab_cmp_child_get(&take, until(r), &s->get);
	lab_cmp_child_end(&seed, NULL);
	if (rc < 0)
		return cannot(r, rc, "the transfer");
	s->get.wire = lab_netns_bytes();
	if (s->get.end != LAB_CMP_GOOD)
		return 0;
	if ((rc = lab_cmp_place_list(to, &s->disk)) < 0)
		return cannot(r, rc, "what was fetched cannot be looked at");
	lab_cmp_mark(s);
	return 0;
}

int lab_cmp_pair_run(struct lab_cmp_pair *out, struct lab_cmp_place *place, const struct lab_cmp_job *job,
		     char what[LAB_CMP_TEXT_MAX])
{
	struct run r = { out, place, job, what };
	*out = (struct lab_cmp_pair){ .torrent = job->torrent.len };
	what[0] = '\0';
	int rc = look(&r, false, NULL);
	if (rc == 0)
		rc = look(&r, true, NULL);
	if (rc < 0 || job->depth == LAB_CMP_NAMES || out->ours.look.end != LAB_CMP_GOOD ||
	    out->theirs.look.end != LAB_CMP_GOOD || !lab_cmp_place_any(job->folder, &out->ours.look))
		return rc;
	rc = look_at_content(&r);
	/* What one holds for whole and the other does not is told as that; there is no use in a transfer then. */
	if (rc < 0 || job->depth == LAB_CMP_CONTENT || !lab_cmp_whole(&out->ours.look) ||
	    !lab_cmp_whole(&out->theirs.look))
		return rc;
	for (int theirs = 0; rc == 0 && theirs < 2; theirs++)
		rc = fetch(&r, theirs);
	return rc;
}
