/* tools/alone.c - see alone.h. */
#include "tools/alone.h"

#include <stdio.h>

/* Who was asked, none of whom answers; NULL: nobody was. */
static const char *silent(const struct shoal_alone *a)
{
	if (a->dht && a->trackers > 0)
		return "no node of the DHT and no tracker answers";
	return a->dht ? "no node of the DHT answers" : a->trackers > 0 ? "no tracker answers" : NULL;
}

const char *shoal_alone_text(const struct shoal_alone *a, char out[SHOAL_ALONE_TEXT_MAX])
{
	bool dht = a->dht && a->dht_nodes > 0, any = dht || a->answering > 0;
	const char *who = silent(a);
	if (a->mute > 0)
		snprintf(out, SHOAL_ALONE_TEXT_MAX,
			 "who was named is there, and ends the connection without a word: it may not have this "
			 "torrent");
	else if (!a->route && !a->proxy && !any && a->peers > 0) /* they may live next door */
		snprintf(out, SHOAL_ALONE_TEXT_MAX,
			 "no peer that was named answers, and this host has no way to other networks");
	else if (!a->route && !a->proxy && !any)
		snprintf(out, SHOAL_ALONE_TEXT_MAX, "this host has no way to other networks; is it connected?");
	else if (any && a->peers > 0)
		snprintf(out, SHOAL_ALONE_TEXT_MAX,
			 "others are known, and none of them can be reached: they may be gone, or behind routers that "
			 "let "
			 "nobody in");
	else if (any)
		snprintf(out, SHOAL_ALONE_TEXT_MAX, "%s%s%s answer%s, and nobody was found who can be reached",
			 dht ? "the DHT" : "", dht && a->answering > 0 ? " and " : "",
			 a->answering > 1   ? "trackers"
			 : a->answering > 0 ? "a tracker"
					    : "",
			 dht && a->answering > 0 ? ""
			 : a->answering > 1	 ? ""
						 : "s");
	else if (who != NULL)
		snprintf(out, SHOAL_ALONE_TEXT_MAX, "%s%s; %s", who,
			 a->peers > 0 ? ", nor does any peer that was named" : "",
			 a->proxy ? "does the proxy let us out?" : "does a firewall let nothing out?");
	else if (a->peers > 0)
		snprintf(out, SHOAL_ALONE_TEXT_MAX, "no peer that was named answers");
	else
		snprintf(out, SHOAL_ALONE_TEXT_MAX, "nobody is known who could be asked");
	return out;
}

const char *shoal_alone_seed_text(const struct shoal_alone *a, char out[SHOAL_ALONE_TEXT_MAX])
{
	bool any = (a->dht && a->dht_nodes > 0) || a->answering > 0;
	if (!any && silent(a) != NULL)
		return shoal_alone_text(a, out);
	if (!a->unmapped)
		return NULL;
	snprintf(out, SHOAL_ALONE_TEXT_MAX,
		 "no router maps our port (NAT-PMP, UPnP); where there is one, forward port %u, TCP and UDP, to this "
		 "host",
		 a->port);
	return out;
}
