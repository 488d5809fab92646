// lt_ops.cc - what is asked of the engine becomes calls of libtorrent's; see lt.h.
#include "swarm/libtorrent/lt_inner.hpp"

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/announce_entry.hpp>
#include <libtorrent/magnet_uri.hpp>
#include <libtorrent/peer_info.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/version.hpp>

#include <cstdlib>
#include <cstring>
#include <netdb.h>

namespace shoal_lt
{

constexpr std::size_t torrents_max = 100000, peers_kept_max = 20000, files_max = 4000000;
constexpr int answers_max = 4; // of a name
constexpr auto stop_patience = std::chrono::milliseconds(1500);

static lt::tcp::endpoint endpoint_of(const shoal_addr &a)
{
	if (a.is_v4) {
		lt::address_v4::bytes_type b;
		std::memcpy(b.data(), a.ip, 4);
		return { lt::address_v4(b), a.port };
	}
	lt::address_v6::bytes_type b;
	std::memcpy(b.data(), a.ip, 16);
	return { lt::address_v6(b), a.port };
}

// Whether strangers have a say in it: not private, and a tracker that is no machine of ours.
static bool near_host(std::string url)
{
	auto at = url.find("://");
	if (at == std::string::npos)
		return false;
	url = url.substr(at + 3);
	url = url.substr(0, url.find_first_of("/?"));
	std::string host = url[0] == '[' ? url.substr(1, url.find(']') - 1) : url.substr(0, url.find(':'));
	lt::error_code ec;
	lt::address ip = lt::make_address(host, ec);
	if (ec)
		return host == "localhost";
	if (ip.is_loopback())
		return true;
	if (ip.is_v6())
		return (ip.to_v6().to_bytes()[0] & 0xfe) == 0xfc || ip.to_v6().is_link_local();
	auto b = ip.to_v4().to_bytes();
	return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
	       (b[0] == 169 && b[1] == 254);
}

// Of the library that runs, which need not be the one we were built with.
static bool too_old()
{
	char *at = const_cast<char *>(lt::version());
	for (long least : { 2, 0, 14 }) {
		long v = std::strtol(at, &at, 10);
		if (v != least)
			return v < least;
		at += *at == '.';
	}
	return false;
}

// A symlink of a torrent is never made, as with our own engine; the sandbox forbids it, and the torrent would end over it.
static bool is_link(const lt::file_storage &fs, lt::file_index_t f)
{
	return static_cast<bool>(fs.file_flags(f) & lt::file_storage::flag_symlink);
}

// Files that are links are not wanted; where `prio` is shorter than the list, the others up to them get `rest`.
static void leave_links_out(std::vector<lt::download_priority_t> &prio, const lt::file_storage &fs,
			    lt::download_priority_t rest)
{
	for (auto f : fs.file_range()) {
		std::size_t at = static_cast<std::size_t>(static_cast<int>(f));
		if (!is_link(fs, f))
			continue;
		if (prio.size() <= at)
			prio.resize(at + 1, rest);
		prio[at] = lt::dont_download;
	}
}

void choose(torrent &t, std::vector<lt::download_priority_t> prio, const lt::file_storage &fs)
{
	leave_links_out(prio, fs, lt::default_priority);
	t.handle.prioritize_files(prio);
	t.wanted = std::move(prio);
	t.chosen = true;
}

bool chose(const torrent &t)
{
	if (!t.chosen || t.wanted.empty())
		return t.chosen;
	auto ti = t.handle.torrent_file();
	std::vector<lt::download_priority_t> now = t.handle.get_file_priorities();
	for (std::size_t i = 0; i < t.wanted.size(); i++) {
		lt::download_priority_t is = i < now.size() ? now[i] : lt::default_priority;
		if (is != t.wanted[i] && !(ti && ti->files().pad_file_at(lt::file_index_t(static_cast<int>(i)))))
			return false;
	}
	return true;
}

static int fail_add(engine &e, const shoal_op &op, int err, const std::string &text)
{
	queued &q = e.say(SHOAL_EV_ADDED);
	q.ev.ticket = op.ticket;
	q.ev.err = err;
	q.text = text;
	return 0;
}

static int op_add(engine &e, const shoal_op &op)
{
	lt::add_torrent_params p;
	lt::error_code ec;
	torrent t;
	t.flags = op.flags;
	t.chosen = !(op.flags & SHOAL_ADD_CHOOSE);
	t.folder = text_of(op.folder);
	if (e.torrents.size() >= torrents_max || e.stopping)
		return SHOAL_ERR_BUSY;
	if (op.data.len > 0) {
		auto ti = std::make_shared<lt::torrent_info>(
			lt::span<const char>(reinterpret_cast<const char *>(op.data.at),
					     static_cast<std::ptrdiff_t>(op.data.len)),
			ec, lt::from_span);
		if (ec)
			return fail_add(e, op, SHOAL_ERR_MALFORMED, "libtorrent does not take it: " + ec.message());
		for (const auto &tier : ti->trackers())
			p.trackers.push_back(tier.url);
		p.ti = std::move(ti);
	} else {
		std::string link = text_of(op.text);
		if (link.rfind("magnet:", 0) != 0)
			link = (link.size() > 40 ? "magnet:?xt=urn:btmh:1220" : "magnet:?xt=urn:btih:") + link;
		p = lt::parse_magnet_uri(link, ec);
		if (ec)
			return fail_add(e, op, SHOAL_ERR_MALFORMED, "libtorrent does not take it: " + ec.message());
	}
	bool open = !(p.ti && p.ti->priv());
	if (op.flags & SHOAL_ADD_NO_TRACKERS)
		p.trackers.clear();
	bool strangers = e.dht;
	for (const auto &url : p.trackers)
		strangers = strangers || !near_host(url);
	if (open && strangers && too_old() && !e.accept_old)
		return fail_add(
			e, op, SHOAL_ERR_REFUSED,
			std::string("libtorrent ") + lt::version() +
				" is older than " SHOAL_LT_SAFE
				" and has known holes; --accept-old-libtorrent lets strangers at it all the same");
	if ((op.flags & SHOAL_ADD_NO_TRACKERS) && p.ti) { // they are part of it, and would be asked
		auto bare = std::make_shared<lt::torrent_info>(*p.ti);
		bare->clear_trackers();
		p.ti = bare;
	}
	p.save_path = t.folder;
	p.flags &= ~(lt::torrent_flags::auto_managed | lt::torrent_flags::paused | lt::torrent_flags::apply_ip_filter);
	p.flags |= lt::torrent_flags::duplicate_is_error;
	if (op.flags & SHOAL_ADD_SEQUENTIAL)
		p.flags |= lt::torrent_flags::sequential_download;
	if (op.flags & (SHOAL_ADD_SEED_ONLY | SHOAL_ADD_CHECK_ONLY))
		p.flags |= lt::torrent_flags::upload_mode;
	if (op.flags & SHOAL_ADD_CHECK_ONLY)
		p.flags |= lt::torrent_flags::stop_when_ready;
	if ((op.flags & SHOAL_ADD_CHOOSE) || !p.ti)
		p.flags |= lt::torrent_flags::default_dont_download;
	if (op.files.len > 0)
		for (size_t i = 0; i < op.files.len; i++)
			p.file_priorities.push_back(lt::download_priority_t(op.files.at[i]));
	if (p.ti)
		leave_links_out(p.file_priorities, p.ti->files(), t.chosen ? lt::default_priority : lt::dont_download);
	else // which of its files are links, the metadata will tell
		t.chosen = false;
	t.handle = e.session->add_torrent(std::move(p), ec);
	if (ec)
		return fail_add(e, op, ec == lt::errors::duplicate_torrent ? SHOAL_ERR_EXISTS : err_of(ec),
				ec.message());
	t.id = ++e.last;
	queued &q = e.say(SHOAL_EV_ADDED, &t);
	q.ev.ticket = op.ticket;
	put_what(q, t);
	e.torrents.emplace(t.id, std::move(t));
	return 0;
}

static void tell_peer(engine &e, const torrent &t, const peer_seen &p, uint64_t ticket)
{
	queued &q = e.say(SHOAL_EV_PEER, &t);
	q.ev.ticket = ticket;
	q.ev.addr = p.info.addr;
	q.ev.info = p.info;
	q.text = p.client;
}

std::string key_of(const lt::tcp::endpoint &at)
{
	return at.address().to_string() + " " + std::to_string(at.port());
}

void look_at_peers(engine &e, torrent &t)
{
	std::vector<lt::peer_info> now;
	t.handle.get_peer_info(now);
	for (auto &p : t.peers)
		p.second.info.connected = false;
	for (const auto &p : now) {
		std::string key = key_of(p.ip);
		bool fresh = t.peers.find(key) == t.peers.end();
		if (p.flags & (lt::peer_info::connecting | lt::peer_info::handshake) ||
		    (fresh && t.peers.size() >= peers_kept_max))
			continue;
		if (fresh) {
			queued &q = e.say(SHOAL_EV_PEER_JOINED, &t);
			q.ev.addr = addr_of(p.ip.address(), p.ip.port());
			q.text = p.client;
		}
		peer_seen &s = t.peers[key];
		s.client = p.client;
		s.info = {};
		s.info.addr = addr_of(p.ip.address(), p.ip.port());
		s.info.got = static_cast<uint64_t>(p.total_download);
		s.info.gave = static_cast<uint64_t>(p.total_upload);
		s.info.down_rate = static_cast<uint64_t>(p.payload_down_speed);
		s.info.up_rate = static_cast<uint64_t>(p.payload_up_speed);
		s.info.asked = static_cast<uint32_t>(p.download_queue_length);
		s.info.pieces = static_cast<uint32_t>(p.num_pieces);
		s.info.connected = true;
		s.info.seed = static_cast<bool>(p.flags & lt::peer_info::seed);
		s.info.incoming = !(p.flags & lt::peer_info::local_connection);
		s.info.choking_us = static_cast<bool>(p.flags & lt::peer_info::remote_choked);
		s.info.choked = static_cast<bool>(p.flags & lt::peer_info::choked);
		s.info.interested = static_cast<bool>(p.flags & lt::peer_info::remote_interested);
		s.info.interesting = static_cast<bool>(p.flags & lt::peer_info::interesting);
	}
}

static void op_pieces(engine &e, const shoal_op &op, torrent &t)
{
	lt::torrent_status st = t.handle.status(lt::torrent_handle::query_pieces);
	queued &q = e.say(SHOAL_EV_PIECES, &t);
	q.ev.ticket = op.ticket;
	q.data.assign((static_cast<std::size_t>(st.pieces.size()) + 7) / 8, '\0');
	for (int i = 0; i < st.pieces.size(); i++)
		if (st.pieces.get_bit(lt::piece_index_t(i)))
			q.data[static_cast<std::size_t>(i) / 8] |= static_cast<char>(0x80 >> (i % 8));
	std::vector<int> copies;
	t.handle.piece_availability(copies);
	for (int c : copies)
		q.copies.push_back(static_cast<uint32_t>(c));
}

static int op_files(engine &e, const shoal_op &op, torrent &t)
{
	auto ti = t.handle.torrent_file();
	if (!ti)
		return SHOAL_ERR_GONE;
	const lt::file_storage &fs = ti->files();
	uint64_t count = static_cast<uint64_t>(fs.num_files());
	if (count > files_max || op.offset > count || op.files.len > count - op.offset)
		return SHOAL_ERR_RANGE;
	std::vector<lt::download_priority_t> prio = t.wanted.empty() ? t.handle.get_file_priorities() : t.wanted;
	prio.resize(static_cast<std::size_t>(count), lt::default_priority);
	if (op.files.len > 0) {
		for (size_t i = 0; i < op.files.len; i++) {
			if (op.files.at[i] > 7)
				return SHOAL_ERR_RANGE;
			prio[static_cast<std::size_t>(op.offset) + i] = lt::download_priority_t(op.files.at[i]);
		}
		choose(t, std::move(prio), fs);
		t.told = false; // what is wanted has changed: COMPLETE is about that
		e.done(op, 0);
		return 0;
	}
	uint64_t n = count - op.offset;
	if (op.length > 0 && op.length < n)
		n = op.length;
	if (n > SHOAL_FILES_PER_ANSWER)
		n = SHOAL_FILES_PER_ANSWER;
	std::vector<std::int64_t> done;
	t.handle.file_progress(done, lt::torrent_handle::piece_granularity);
	queued &q = e.say(SHOAL_EV_FILES, &t);
	q.ev.ticket = op.ticket;
	q.ev.index = static_cast<uint32_t>(op.offset);
	q.ev.total = count;
	for (uint64_t i = op.offset; i < op.offset + n; i++) {
		lt::file_index_t f(static_cast<int>(i));
		shoal_file_info info{};
		std::string path = fs.file_path(f);
		info.size = static_cast<uint64_t>(fs.file_size(f));
		info.done = i < done.size() ? static_cast<uint64_t>(done[static_cast<std::size_t>(i)]) : 0;
		info.path_at = static_cast<uint32_t>(q.data.size());
		info.path_count = static_cast<uint32_t>(path.size());
		info.priority = static_cast<uint8_t>(prio[static_cast<std::size_t>(i)]);
		info.pad = fs.pad_file_at(f) || is_link(fs, f);
		q.data += path;
		q.files.push_back(info);
	}
	return 0;
}

// Deadlines are given by bytes of the stream, kept by pieces.
static int op_deadline(engine &e, const shoal_op &op, torrent &t)
{
	auto ti = t.handle.torrent_file();
	if (!ti)
		return SHOAL_ERR_GONE;
	uint64_t size = static_cast<uint64_t>(ti->total_size()), piece = static_cast<uint64_t>(ti->piece_length());
	if (op.length == 0 || op.offset >= size || op.length > size - op.offset || op.length / piece > 4096)
		return SHOAL_ERR_RANGE;
	for (uint64_t i = op.offset / piece; i <= (op.offset + op.length - 1) / piece; i++) {
		lt::piece_index_t at(static_cast<int>(i));
		if (op.within == SHOAL_NEVER)
			t.handle.reset_piece_deadline(at);
		else
			t.handle.set_piece_deadline(
				at, static_cast<int>(op.within / 1000 < 86400000 ? op.within / 1000 : 86400000));
	}
	e.done(op, 0);
	return 0;
}

int limit_of(uint64_t bytes)
{
	return bytes == 0 ? 0 : bytes > 0x7fffffff ? 0x7fffffff : static_cast<int>(bytes);
}

static int op_limits(engine &e, const shoal_op &op, torrent *t)
{
	if (op.torrent == 0) {
		lt::settings_pack s;
		s.set_int(lt::settings_pack::upload_rate_limit, limit_of(op.up));
		s.set_int(lt::settings_pack::download_rate_limit, limit_of(op.down));
		e.session->apply_settings(s);
	} else if (t == nullptr) {
		return SHOAL_ERR_GONE;
	} else {
		t->handle.set_upload_limit(limit_of(op.up));
		t->handle.set_download_limit(limit_of(op.down));
	}
	e.done(op, 0);
	return 0;
}

// libtorrent takes addresses alone; a name is looked up here, and this process has nothing better to do meanwhile.
static int op_peer(const shoal_op &op, torrent &t)
{
	if (op.text.len == 0) {
		t.handle.connect_peer(endpoint_of(op.addr));
		return 0;
	}
	std::string text = text_of(op.text);
	auto colon = text.rfind(':');
	if (colon == std::string::npos)
		return SHOAL_ERR_USAGE;
	addrinfo want{}, *all = nullptr;
	want.ai_socktype = SOCK_STREAM;
	want.ai_flags = AI_NUMERICSERV;
	if (getaddrinfo(text.substr(0, colon).c_str(), text.c_str() + colon + 1, &want, &all) != 0)
		return SHOAL_ERR_NET;
	int n = 0;
	for (addrinfo *i = all; i != nullptr && n < answers_max; i = i->ai_next, n++) {
		lt::tcp::endpoint at;
		if (i->ai_addrlen > at.capacity())
			continue;
		std::memcpy(at.data(), i->ai_addr, i->ai_addrlen);
		at.resize(i->ai_addrlen);
		t.handle.connect_peer(at);
	}
	freeaddrinfo(all);
	return 0;
}

static int op_boot(engine &e, const shoal_op &op)
{
	std::string text = op.text.len > 0 ? text_of(op.text) : at_text(op.addr);
	auto colon = text.rfind(':');
	if (!e.dht)
		return SHOAL_ERR_REFUSED;
	if (colon == std::string::npos)
		return SHOAL_ERR_USAGE;
	std::string host = text.substr(0, colon);
	if (host.size() > 2 && host.front() == '[')
		host = host.substr(1, host.size() - 2);
	e.session->add_dht_node({ host, static_cast<int>(std::strtol(text.c_str() + colon + 1, nullptr, 10)) });
	e.done(op, 0);
	return 0;
}

static int op_stop(engine &e)
{
	e.stopping = true;
	e.stop_at = std::chrono::steady_clock::now() + stop_patience;
	e.session->pause();
	for (auto &t : e.torrents)
		if (!t.second.over)
			t.second.handle.flush_cache();
	return 0;
}

int do_op_unsafe(engine &e, const shoal_op &op)
{
	if (op.kind == SHOAL_OP_ADD)
		return op_add(e, op);
	if (op.kind == SHOAL_OP_STOP)
		return op_stop(e);
	if (op.kind == SHOAL_OP_DHT_BOOT)
		return op_boot(e, op);
	torrent *t = e.find(op.torrent);
	if (op.kind == SHOAL_OP_LIMITS)
		return op_limits(e, op, t);
	if (t == nullptr)
		return SHOAL_ERR_GONE;
	switch (op.kind) {
	case SHOAL_OP_REMOVE:
		e.session->remove_torrent(t->handle);
		t->over = true;
		e.done(op, 0);
		return 0;
	case SHOAL_OP_PEER: return op_peer(op, *t);
	case SHOAL_OP_STATS: {
		queued &q = e.say(SHOAL_EV_STATS, t);
		q.ev.ticket = op.ticket;
		put_stats(q.ev.stats, *t);
		look_at_peers(e, *t);
		return 0;
	}
	case SHOAL_OP_PEERS:
		look_at_peers(e, *t);
		for (const auto &p : t->peers)
			tell_peer(e, *t, p.second, op.ticket);
		e.done(op, 0);
		return 0;
	case SHOAL_OP_PIECES: op_pieces(e, op, *t); return 0;
	case SHOAL_OP_VERIFY:
		t->checked = t->told = false;
		t->handle.force_recheck();
		return 0;
	case SHOAL_OP_WEBSEED: t->handle.add_url_seed(text_of(op.text)); return 0;
	case SHOAL_OP_TRACKER: t->handle.add_tracker(lt::announce_entry(text_of(op.text))); return 0;
	case SHOAL_OP_FILES: return op_files(e, op, *t);
	case SHOAL_OP_DEADLINE: return op_deadline(e, op, *t);
	default: return SHOAL_ERR_UNSUPPORTED;
	}
}

} // namespace shoal_lt
