/* tools/lab_options.c - the options that several subcommands of `shoal lab` take, and what they come to. */
#include "tools/lab_inner.h"

#define SHARED_MAX 16 /* rows below, and the end */

int lab_parse(struct lab *lab, const struct shoal_opt_page *page, const struct shoal_opt *own, unsigned shared,
	      int argc, char **argv, struct shoal_opt_list *args)
{
	/* clang-format off */
	const struct {
		unsigned of; /* enum lab_options: who takes any of these has it */
		struct shoal_opt opt;
	} rows[] = {
		{ LAB_OPTIONS_FILE, { SHOAL_OPT_LIST, "set", 0, &lab->set, "FIELD=VALUE", NULL, "a field of the file that is otherwise (leeches.count=40); more than once" } },
		{ LAB_OPTIONS_FILE, { SHOAL_OPT_FLAG, "quick", 0, &lab->quick, NULL, NULL, "the small form of a file that has one, with its slack" } },
		{ LAB_OPTIONS_WORLD, { SHOAL_OPT_TEXT, "policy", 'p', &lab->policy, "off|lt|full", NULL, "how nodes choose, instead of what the file says" } },
		{ LAB_OPTIONS_WORLD, { SHOAL_OPT_FLAG, "real-bytes", 0, &lab->real_bytes, NULL, NULL, "move and hash every byte: the same run, slower" } },
		{ LAB_OPTIONS_REAL | LAB_OPTIONS_PLACE, { SHOAL_OPT_HEADING, .help = "real processes:" } },
		{ LAB_OPTIONS_REAL, { SHOAL_OPT_FLAG, "real", 0, &lab->real, NULL, NULL, "run by them, in namespaces, in real time" } },
		{ LAB_OPTIONS_PLACE, { SHOAL_OPT_TEXT, "scratch", 0, &lab->scratch, "DIR", NULL, "where the copies go meanwhile; default: $TMPDIR or /tmp" } },
		{ LAB_OPTIONS_PLACE, { SHOAL_OPT_FLAG, "keep", 0, &lab->keep, NULL, NULL, "leave the nodes' folders and logs there" } },
	};
	/* clang-format on */
	struct shoal_opt these[SHARED_MAX] = { 0 };
	const struct shoal_opt *const tables[] = { own, these, NULL };
	size_t n = 0;
	_Static_assert(sizeof rows / sizeof *rows < SHARED_MAX, "the last one is the end");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if ((rows[i].of & shared) != 0)
			these[n++] = rows[i].opt;
	return shoal_say_parse(lab->tool, page, tables, argc, argv, args);
}

/* What is of one world alone, and was asked of the other. */
static int one_world(struct lab *lab)
{
	const struct {
		const char *name;
		bool given;
	} virtual_only[] = { { "--trace", lab->trace != NULL },
			     { "--record", lab->record != NULL },
			     { "--real-bytes", lab->real_bytes },
			     { "--policy", lab->policy != NULL } };
	for (size_t i = 0; lab->real && i < sizeof virtual_only / sizeof *virtual_only; i++)
		if (virtual_only[i].given)
			return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE,
					      "%s is of runs in virtual time: not with --real", virtual_only[i].name);
	if (!lab->real && lab->beside)
		return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "--beside is of --real");
	if (!lab->real && (lab->scratch != NULL || lab->keep))
		return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "--scratch and --keep are of --real");
	return 0;
}

int lab_read_options(struct lab *lab, struct lab_suite_options *o)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	const char *seeds = lab->seeds != NULL ? lab->seeds : lab->seed;
	*o = (struct lab_suite_options){ .quick = lab->quick, .policy = lab->policy, .real_bytes = lab->real_bytes };
	o->set = lab->set.at;
	o->set_count = lab->set.count;
	if (o->set_count > LAB_SETS_MAX)
		return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "more than %u times --set", LAB_SETS_MAX);
	lab_show_progress(lab, o);
	if (seeds != NULL) {
		if (lab_seeds_parse(seeds, &o->first, &o->last) < 0 || (lab->seed != NULL && o->first != o->last))
			return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "'%s' is no %s", shoal_say_cstr(seeds, shown),
					      lab->seed != NULL ? "seed" : "range of seeds (1..20)");
		o->has_seeds = true;
	}
	if (lab->policy != NULL && lab_policy_of(lab->policy) < 0)
		return shoal_say_fail(lab->tool, SHOAL_ERR_USAGE, "'%s' is none of off, lt, full",
				      shoal_say_cstr(lab->policy, shown));
	if (lab->real)
		lab_real_options(o);
	return one_world(lab);
}

void lab_default_seeds(struct lab_suite_options *o, uint64_t first, uint64_t last)
{
	if (o->has_seeds)
		return;
	o->has_seeds = true;
	o->first = first;
	o->last = last;
}

int lab_read_files(struct lab *lab, struct lab_files *files, const char *const *at, size_t count)
{
	int rc = 0;
	for (size_t i = 0; i < count; i++)
		if ((rc = lab_files_add(files, at[i])) < 0)
			return lab_bad_arg(lab->tool, at[i], rc);
	if (count == 0 && (rc = lab_files_shipped(files)) < 0)
		return lab_bad_arg(lab->tool, "the shipped scenarios", rc);
	return 0;
}
