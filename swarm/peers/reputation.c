/* swarm/peers/reputation.c - evidence in, bounds out. */
#include "swarm/peers/reputation.h"

#include <string.h>
#include "swarm/peers/maths.h"

#define DAY 86400.0
#define HALF_WRONG (7 * DAY)
#define HALF_RIGHT (30 * DAY)
#define HALF_RELIABLE DAY
#define HONEST 1e-4   /* false blocks of one whose memory is bad: generous */
#define POLLUTER 0.02 /* of one we want to be rid of */
#define PAROLE_ENDS 0.5
#define EXPECT_MIN 0.002
#define EXPECT_MAX 0.9
#define Z 1.645
#define PRIOR_KEPT 4.0f
#define PRIOR_MISSED 0.25f
#define CLAIM_TRUE 2.0f
#define CLAIM_FALSE 0.25f
#define ASKS_THAT_TELL 8.0f /* asks, the prior included, before silence is held against one */
#define HARDLY 0.25	    /* of them answered */
#define MOSTLY 0.5

double shoal_rep_memory(uint32_t blocks)
{
	double polluter = blocks > 1 && 1.0 / blocks < POLLUTER ? 1.0 / blocks : POLLUTER;
	return shoal_ln(polluter / HONEST) / -shoal_ln((1 - polluter) / (1 - HONEST));
}

const char *shoal_rep_state_name(enum shoal_rep_state state)
{
	static const char *const names[] = { "new", "good", "trusted", "on parole", "banned" };
	return state <= SHOAL_REP_BANNED ? names[state] : "?";
}

/* ---- conclusions --------------------------------------------------------------------------- */

double shoal_rep_mean(float good, float bad)
{
	double sum = (double)good + (double)bad;
	return sum > 0 ? (double)good / sum : 0.5;
}

double shoal_rep_bound(float good, float bad)
{
	double m = shoal_rep_mean(good, bad);
	double bound = m - Z * shoal_sqrt(m * (1 - m) / ((double)good + (double)bad + 1));
	return bound > 0 ? bound : 0;
}

enum shoal_regard shoal_rep_regard(const struct shoal_rep *r)
{
	if (r == NULL)
		return SHOAL_REGARD_NONE;
	bool asked = r->kept + r->missed >= ASKS_THAT_TELL;
	double answers = shoal_rep_mean(r->kept, r->missed);
	if (r->state >= SHOAL_REP_PAROLE || (asked && answers < HARDLY))
		return SHOAL_REGARD_BAD;
	bool tried = r->state != SHOAL_REP_NEW && r->blocks >= SHOAL_REP_TRUSTED_BLOCKS;
	return tried && answers >= MOSTLY ? SHOAL_REGARD_GOOD : SHOAL_REGARD_NONE;
}

uint32_t shoal_rep_window(const struct shoal_rep *r)
{
	if (r->state == SHOAL_REP_BANNED)
		return 1;
	double wrong = 1 - shoal_rep_mean(r->right, r->wrong);
	double blocks = wrong > SHOAL_REP_WASTE / UINT16_MAX ? SHOAL_REP_WASTE / wrong : UINT16_MAX;
	uint32_t window = blocks >= 1 ? (uint32_t)(blocks + 1e-9) : 1;
	if (r->state == SHOAL_REP_PAROLE && window > SHOAL_REP_PAROLE_WINDOW)
		return SHOAL_REP_PAROLE_WINDOW;
	return window;
}

void shoal_rep_share(const double expect[], const uint32_t blocks[], double share[], size_t n)
{
	double all_clean = 1;
	for (size_t i = 0; i < n; i++) {
		double clean = shoal_pow(1 - expect[i], blocks[i]);
		share[i] = 1 - clean;
		all_clean *= clean;
	}
	for (size_t i = 0; i < n; i++)
		share[i] = all_clean < 1 ? share[i] / (1 - all_clean) : 1.0 / (double)n;
}

double shoal_rep_draw(double a, double b, struct shoal_rng *rng)
{
	double sum = a + b, m = a / sum, normal = -6;
	for (int i = 0; i < 12; i++) /* of twelve even draws: mean 6, variance 1 */
		normal += (double)shoal_rng_next(rng) / 4294967296.0;
	double x = m + normal * shoal_sqrt(m * (1 - m) / (sum + 1));
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* ---- state ----------------------------------------------------------------------------------- */

void shoal_rep_note(struct shoal_rep *r, enum shoal_rep_why why, uint32_t piece, uint32_t block, double value,
		    uint32_t now_s)
{
	r->reason[r->reasons++ % SHOAL_REP_REASONS] = (struct shoal_rep_reason){ .at_s = now_s,
										 .piece = piece,
										 .value = (float)value,
										 .block = block < UINT16_MAX
												  ? (uint16_t)block
												  : UINT16_MAX,
										 .why = (uint8_t)why,
										 .state = r->state };
}

static bool become(struct shoal_rep *r, enum shoal_rep_state state, uint32_t now_s)
{
	uint8_t before = r->state;
	if (before == state)
		return false;
	r->state = (uint8_t)state;
	if (state >= SHOAL_REP_PAROLE || before >= SHOAL_REP_PAROLE)
		shoal_rep_note(r, SHOAL_REP_WHY_STATE, UINT32_MAX, 0, before, now_s);
	return true;
}

static void ban(struct shoal_rep *r, uint32_t now_s)
{
	uint64_t time = SHOAL_REP_BAN_S;
	if (r->bans > 0 && now_s - r->banned_at_s > SHOAL_REP_MONTH_S)
		r->bans = 0;
	for (unsigned i = 0; i < r->bans && time < SHOAL_REP_BAN_MAX_S; i++)
		time *= 4;
	r->bans += r->bans < UINT8_MAX;
	r->banned_at_s = now_s;
	r->banned_until_s = now_s + (uint32_t)(time < SHOAL_REP_BAN_MAX_S ? time : SHOAL_REP_BAN_MAX_S);
}

double shoal_rep_ban_from(uint64_t right)
{
	return SHOAL_REP_CUSUM_BAN + (right >= SHOAL_REP_PROVEN);
}

/* Where it stands by its evidence. */
static bool judge(struct shoal_rep *r, uint32_t now_s)
{
	if (r->state == SHOAL_REP_BANNED)
		return false;
	if ((double)r->cusum >= shoal_rep_ban_from(r->blocks)) {
		ban(r, now_s);
		return become(r, SHOAL_REP_BANNED, now_s);
	}
	/* One good block is no proof of betterment: parole ends half way down. */
	if ((double)r->cusum >= (r->state == SHOAL_REP_PAROLE ? PAROLE_ENDS : 1.0))
		return become(r, SHOAL_REP_PAROLE, now_s);
	double bound = shoal_rep_integrity(r);
	if (bound >= SHOAL_REP_TRUSTED && r->blocks >= SHOAL_REP_TRUSTED_BLOCKS)
		return become(r, SHOAL_REP_TRUST, now_s);
	return become(r, bound >= SHOAL_REP_OK ? SHOAL_REP_GOOD : SHOAL_REP_NEW, now_s);
}

static void cap(struct shoal_rep *r)
{
	double sum = (double)r->right + (double)r->wrong;
	if (sum <= SHOAL_REP_CAP)
		return;
	r->right = (float)((double)r->right * SHOAL_REP_CAP / sum);
	r->wrong = (float)((double)r->wrong * SHOAL_REP_CAP / sum);
}

static double expected(double wrong)
{
	return wrong < EXPECT_MIN ? EXPECT_MIN : wrong > EXPECT_MAX ? EXPECT_MAX : wrong;
}

/* The state of one of whom nothing is known but that. */
static uint8_t as_met(const struct shoal_rep *r)
{
	return shoal_rep_integrity(r) >= SHOAL_REP_OK ? SHOAL_REP_GOOD : SHOAL_REP_NEW;
}

void shoal_rep_init(struct shoal_rep *r, double expect_wrong, uint32_t now_s)
{
	double q = expected(expect_wrong);
	*r = (struct shoal_rep){ .right = (float)(SHOAL_REP_STRENGTH * (1 - q)),
				 .wrong = (float)(SHOAL_REP_STRENGTH * q),
				 .kept = PRIOR_KEPT,
				 .missed = PRIOR_MISSED,
				 .true_claim = CLAIM_TRUE,
				 .no_claim = CLAIM_FALSE,
				 .expect_wrong = (float)q,
				 .faded_s = now_s };
	r->state = as_met(r);
}

/* What is above the prior halves in `half` seconds. */
static float toward(float value, double prior, double passed, double half)
{
	return (float)(prior + ((double)value - prior) * shoal_exp2(-passed / half));
}

void shoal_rep_expect(struct shoal_rep *r, double expect_wrong)
{
	double q = expected(expect_wrong);
	double more = q - (double)r->expect_wrong;
	if (r->state > SHOAL_REP_GOOD)
		return;
	r->right = (float)((double)r->right - SHOAL_REP_STRENGTH * more);
	r->wrong = (float)((double)r->wrong + SHOAL_REP_STRENGTH * more);
	r->expect_wrong = (float)q;
	r->state = as_met(r);
}

void shoal_rep_fade(struct shoal_rep *r, uint32_t now_s)
{
	double passed = now_s > r->faded_s ? now_s - r->faded_s : 0;
	double q = (double)r->expect_wrong;
	if (r->state == SHOAL_REP_BANNED && r->banned_until_s <= now_s) {
		float next = (float)(shoal_rep_ban_from(r->blocks) - 0.9);
		r->cusum = r->cusum < next ? r->cusum : next; /* one more false block, and it is banned again */
		become(r, SHOAL_REP_PAROLE, now_s);
	}
	if (passed < 60) /* in a minute nothing fades that matters */
		return;
	r->faded_s = now_s;
	r->right = toward(r->right, SHOAL_REP_STRENGTH * (1 - q), passed, HALF_RIGHT);
	r->wrong = toward(r->wrong, SHOAL_REP_STRENGTH * q, passed, HALF_WRONG);
	r->kept = toward(r->kept, (double)PRIOR_KEPT, passed, HALF_RELIABLE);
	r->missed = toward(r->missed, (double)PRIOR_MISSED, passed, HALF_RELIABLE);
	r->true_claim = toward(r->true_claim, (double)CLAIM_TRUE, passed, HALF_RELIABLE);
	r->no_claim = toward(r->no_claim, (double)CLAIM_FALSE, passed, HALF_RELIABLE);
}

/* ---- evidence --------------------------------------------------------------------------------- */

bool shoal_rep_verified(struct shoal_rep *r, double memory, uint32_t blocks, uint32_t now_s)
{
	shoal_rep_fade(r, now_s);
	double left = (double)r->cusum - blocks / memory;
	r->right += (float)blocks;
	r->blocks = r->blocks + blocks < r->blocks ? UINT32_MAX : r->blocks + blocks;
	r->cusum = left > 0 ? (float)left : 0;
	cap(r);
	return judge(r, now_s);
}

static bool by_its_hash(enum shoal_rep_why why)
{
	return why == SHOAL_REP_WHY_FALSE_LEAF || why == SHOAL_REP_WHY_FALSE_DIFF;
}

bool shoal_rep_sent_false(const struct shoal_rep *r, uint32_t piece, uint32_t block)
{
	for (size_t i = 0; i < SHOAL_REP_REASONS; i++) {
		const struct shoal_rep_reason *past = &r->reason[i];
		if (by_its_hash(past->why) && past->piece == piece && past->block == block)
			return true;
	}
	return false;
}

bool shoal_rep_false(struct shoal_rep *r, enum shoal_rep_why why, uint32_t piece, uint32_t block, uint32_t now_s)
{
	shoal_rep_fade(r, now_s);
	double weight = by_its_hash(why) && shoal_rep_sent_false(r, piece, block) ? SHOAL_REP_AGAIN : 1;
	r->wrong += (float)(SHOAL_REP_FALSE * weight);
	r->cusum += (float)weight;
	r->false_blocks += r->false_blocks < UINT32_MAX;
	cap(r);
	shoal_rep_note(r, why, piece, block, 0, now_s);
	return judge(r, now_s);
}

bool shoal_rep_suspect(struct shoal_rep *r, double share, uint32_t piece, uint32_t now_s)
{
	shoal_rep_fade(r, now_s);
	r->wrong += (float)share;
	cap(r);
	shoal_rep_note(r, SHOAL_REP_WHY_SUSPECT, piece, 0, share, now_s);
	return judge(r, now_s);
}

bool shoal_rep_cleared(struct shoal_rep *r, double share, uint32_t piece, uint32_t now_s)
{
	double wrong = (double)r->wrong - share, least = SHOAL_REP_STRENGTH * (double)r->expect_wrong;
	r->wrong = (float)(wrong > least ? wrong : least < (double)r->wrong ? least : (double)r->wrong);
	shoal_rep_note(r, SHOAL_REP_WHY_CLEARED, piece, 0, share, now_s);
	return judge(r, now_s);
}

/* Counts that matter by their ratio: kept so small that what is new still shows. */
static void count(float *good, float *bad, double by_good, double by_bad, double most)
{
	*good += (float)by_good;
	*bad += (float)by_bad;
	double sum = (double)*good + (double)*bad;
	if (sum > most) {
		*good = (float)((double)*good * most / sum);
		*bad = (float)((double)*bad * most / sum);
	}
}

void shoal_rep_answered(struct shoal_rep *r, uint32_t blocks)
{
	count(&r->kept, &r->missed, blocks, 0, SHOAL_REP_CAP);
}

void shoal_rep_missed(struct shoal_rep *r, double weight)
{
	count(&r->kept, &r->missed, 0, weight, SHOAL_REP_CAP);
}

void shoal_rep_claimed(struct shoal_rep *r, bool gave)
{
	count(&r->true_claim, &r->no_claim, gave, !gave, SHOAL_REP_CAP / 4);
}

void shoal_rep_merge(struct shoal_rep *to, const struct shoal_rep *from, uint32_t now_s)
{
	struct shoal_rep blank;
	double q = (double)from->expect_wrong;
	shoal_rep_init(&blank, q, from->faded_s);
	shoal_rep_fade(to, now_s);
	to->right += from->right > blank.right ? from->right - blank.right : 0;
	to->wrong += from->wrong > blank.wrong ? from->wrong - blank.wrong : 0;
	cap(to);
	count(&to->kept, &to->missed, (double)(from->kept - blank.kept), (double)(from->missed - blank.missed),
	      SHOAL_REP_CAP);
	count(&to->true_claim, &to->no_claim, (double)(from->true_claim - blank.true_claim),
	      (double)(from->no_claim - blank.no_claim), SHOAL_REP_CAP / 4);
	to->cusum = to->cusum > from->cusum ? to->cusum : from->cusum;
	to->blocks += from->blocks;
	to->false_blocks += from->false_blocks;
	unsigned first = from->reasons > SHOAL_REP_REASONS ? from->reasons - SHOAL_REP_REASONS : 0;
	for (unsigned i = first; i < from->reasons; i++) {
		const struct shoal_rep_reason *why = &from->reason[i % SHOAL_REP_REASONS];
		if (why->why != SHOAL_REP_WHY_MET)
			to->reason[to->reasons++ % SHOAL_REP_REASONS] = *why;
	}
	if (from->state == SHOAL_REP_BANNED && to->state != SHOAL_REP_BANNED) {
		to->banned_at_s = from->banned_at_s;
		to->banned_until_s = from->banned_until_s;
		to->bans = to->bans > from->bans ? to->bans : from->bans;
		become(to, SHOAL_REP_BANNED, now_s);
	} else {
		judge(to, now_s);
	}
}

void shoal_rep_heed(struct shoal_rep *to, const struct shoal_rep *from, uint32_t now_s)
{
	struct shoal_rep f = *from;
	shoal_rep_fade(&f, now_s);
	shoal_rep_fade(to, now_s);
	to->right = to->right > f.right ? to->right : f.right;
	to->blocks = to->blocks > f.blocks ? to->blocks : f.blocks;
	if (f.false_blocks > to->false_blocks) {
		to->false_blocks = f.false_blocks;
		to->wrong = to->wrong > f.wrong ? to->wrong : f.wrong;
		to->cusum = to->cusum > f.cusum ? to->cusum : f.cusum;
		if (f.state == SHOAL_REP_BANNED && to->state != SHOAL_REP_BANNED) {
			to->bans = to->bans > f.bans ? to->bans : f.bans;
			to->banned_at_s = f.banned_at_s;
			to->banned_until_s = f.banned_until_s;
			become(to, SHOAL_REP_BANNED, now_s);
		}
	}
	cap(to);
	judge(to, now_s);
}

void shoal_rep_hearsay(struct shoal_rep *r, double good, double bad, uint32_t banned_until_s, uint32_t now_s)
{
	good /= SHOAL_REP_HEARSAY;
	bad /= SHOAL_REP_HEARSAY;
	r->right += (float)(good < SHOAL_REP_HEARSAY_GOOD ? good : SHOAL_REP_HEARSAY_GOOD);
	r->wrong += (float)(bad < SHOAL_REP_HEARSAY_BAD ? bad : SHOAL_REP_HEARSAY_BAD);
	shoal_rep_fade(r, now_s);
	shoal_rep_note(r, SHOAL_REP_WHY_TOLD, UINT32_MAX, 0, good, now_s);
	if (banned_until_s > now_s) {
		r->banned_at_s = now_s;
		r->banned_until_s = banned_until_s - now_s < SHOAL_REP_BAN_S ? banned_until_s : now_s + SHOAL_REP_BAN_S;
		become(r, SHOAL_REP_BANNED, now_s);
	} else {
		judge(r, now_s);
	}
}
