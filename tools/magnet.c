/* tools/magnet.c - shoal magnet: the link that stands for a torrent. */
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/say.h"
#include "tools/source.h"

#include <stdio.h>
#include <stdlib.h>

static const struct shoal_opt_page page = {
	"TORRENT [--peer HOST:PORT]...",
	"Prints the magnet link of a torrent, with its trackers and web seeds, and with the\n"
	"addresses given by --peer, so that it can be fetched without a tracker or DHT.",
	"  shoal magnet holiday.torrent\n"
	"  shoal magnet holiday.torrent --peer 192.0.2.7:6881",
};

static int print(struct shoal_tool *tool, const struct shoal_metainfo *mi, const struct shoal_opt_list *peers)
{
	char *link = shoal_source_magnet(mi, peers->at, peers->count);
	if (link == NULL)
		return shoal_say_fail(tool, SHOAL_ERR_TOO_LONG, "the link would be longer than %u KiB",
				      SHOAL_MAGNET_BYTES_MAX >> 10);
	if (shoal_metainfo_private(mi))
		shoal_say_warn(tool, NULL,
			       "the torrent is private: peers will not hand out its metadata by magnet link");
	if (tool->json) {
		shoal_json_begin(&tool->out);
		shoal_json_text(&tool->out, "magnet", link);
		shoal_say_event_end(tool);
	} else {
		puts(link);
	}
	free(link);
	return 0;
}

int shoal_magnet_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 }, peers = { 0 };
	struct shoal_source s = { 0 };
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_PEER, "peer", 'p', &peers, "HOST:PORT", NULL, "somebody who has it (x.pe); more than once" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, NULL };
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else if (args.count != 1)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "one TORRENT is needed; see shoal magnet --help");
	else if ((code = shoal_source_open(tool, &s, args.at[0], false)) == 0)
		code = print(tool, s.mi, &peers);
	shoal_source_fini(&s);
	shoal_opt_list_fini(&args);
	shoal_opt_list_fini(&peers);
	return code;
}
