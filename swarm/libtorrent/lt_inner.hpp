// lt_inner.hpp - what lt.cc and lt_ops.cc share: the engine, its torrents, and conversions; C++, of this folder alone.
#ifndef SHOAL_LT_INNER_HPP
#define SHOAL_LT_INNER_HPP

#include "swarm/libtorrent/lt.h"

#include <libtorrent/error_code.hpp>
#include <libtorrent/info_hash.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/socket.hpp>
#include <libtorrent/torrent_handle.hpp>
#include <libtorrent/torrent_status.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace shoal_lt
{

shoal_us now_us();
std::string text_of(shoal_bytes b);
shoal_bytes span_of(const std::string &s);
std::string at_text(const shoal_addr &a);
shoal_addr addr_of(const lt::address &ip, int port);
// What a libtorrent error means to us. Errors of the system keep their own numbers.
int err_of(const lt::error_code &ec);

// An event, and what its spans show.
struct queued {
	shoal_event ev{};
	std::string text, name, data;
	std::vector<uint32_t> copies;
	std::vector<shoal_file_info> files;
};

struct peer_seen {
	shoal_peer_info info{};
	std::string client;
};

struct torrent {
	uint32_t id = 0;
	lt::torrent_handle handle;
	std::string folder;
	unsigned flags = 0;
	bool chosen = false;			     // it has been said which files are wanted
	std::vector<lt::download_priority_t> wanted; // how much, by file; empty: as it was added
	bool checked = false, told = false, first = false, flushing = false, over = false;
	uint64_t hash_failures = 0;
	std::map<std::string, peer_seen> peers;
};

struct engine {
	shoal_engine base;
	std::unique_ptr<lt::session> session;
	std::map<uint32_t, torrent> torrents;
	std::deque<queued> out;
	queued current;
	uint32_t last = 0;
	int bell = -1; // an eventfd that libtorrent's threads ring
	bool accept_old = false, dht = false, stopping = false, stopped = false;
	std::chrono::steady_clock::time_point stop_at;

	~engine()
	{
		session.reset(); // its threads ring the bell no more
		if (bell >= 0)
			close(bell);
	}
	void ring() const
	{
		uint64_t one = 1;
		(void)!write(bell, &one, sizeof one);
	}
	queued &say(shoal_event_kind kind, const torrent *t = nullptr)
	{
		out.emplace_back();
		out.back().ev.kind = kind;
		out.back().ev.t = now_us();
		if (t != nullptr)
			out.back().ev.torrent = t->id;
		return out.back();
	}
	void done(const shoal_op &op, int err)
	{
		queued &q = say(SHOAL_EV_DONE);
		q.ev.torrent = op.torrent;
		q.ev.ticket = op.ticket;
		q.ev.err = err;
	}
	torrent *find(uint32_t id)
	{
		auto it = torrents.find(id);
		return it == torrents.end() || it->second.over ? nullptr : &it->second;
	}
	torrent *find(const lt::torrent_handle &h)
	{
		for (auto &t : torrents)
			if (t.second.handle == h)
				return t.second.over ? nullptr : &t.second;
		return nullptr;
	}
};

void put_what(queued &q, const torrent &t);
void put_stats(shoal_stats &s, const torrent &t);

std::string key_of(const lt::tcp::endpoint &at);
// libtorrent tells of dials, not of greetings: who has said hello is seen here, when somebody asks, and at the end.
void look_at_peers(engine &e, torrent &t);
int limit_of(uint64_t bytes);
// From now on these files are wanted, but for links. libtorrent takes its time: chose() says when it has.
void choose(torrent &t, std::vector<lt::download_priority_t> prio, const lt::file_storage &fs);
bool chose(const torrent &t);
// What an operation does; throws what libtorrent throws.
int do_op_unsafe(engine &e, const shoal_op &op);

} // namespace shoal_lt

#endif
