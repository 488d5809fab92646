// lt.cc - the engine over libtorrent's session: operations become calls, alerts become events; see lt.h.
#include "swarm/libtorrent/lt.h"

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/announce_entry.hpp>
#include <libtorrent/extensions/smart_ban.hpp>
#include <libtorrent/extensions/ut_metadata.hpp>
#include <libtorrent/extensions/ut_pex.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/magnet_uri.hpp>
#include <libtorrent/peer_info.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_handle.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>
#include <libtorrent/version.hpp>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fcntl.h>
#include <map>
#include <memory>
#include <netdb.h>
#include <new>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::size_t torrents_max = 100000, peers_kept_max = 20000, files_max = 4000000;
constexpr int answers_max = 4; // of a name
constexpr auto stop_patience = std::chrono::milliseconds(1500);

shoal_us now_us()
{
	timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return static_cast<shoal_us>(t.tv_sec) * 1000000 + static_cast<shoal_us>(t.tv_nsec) / 1000;
}

std::string text_of(shoal_bytes b)
{
	return b.len ? std::string(reinterpret_cast<const char *>(b.at), b.len) : std::string();
}

shoal_bytes span_of(const std::string &s)
{
	return { reinterpret_cast<const uint8_t *>(s.data()), s.size() };
}

std::string at_text(const shoal_addr &a)
{
	lt::address ip;
	if (a.is_v4) {
		lt::address_v4::bytes_type b;
		std::memcpy(b.data(), a.ip, 4);
		return lt::address_v4(b).to_string() + ":" + std::to_string(a.port);
	}
	lt::address_v6::bytes_type b;
	std::memcpy(b.data(), a.ip, 16);
	return "[" + lt::address_v6(b).to_string() + "]:" + std::to_string(a.port);
}

shoal_addr addr_of(const lt::address &ip, int port)
{
	shoal_addr a{};
	a.port = static_cast<uint16_t>(port);
	a.is_v4 = ip.is_v4();
	if (ip.is_v4())
		std::memcpy(a.ip, ip.to_v4().to_bytes().data(), 4);
	else
		std::memcpy(a.ip, ip.to_v6().to_bytes().data(), 16);
	return a;
}

lt::tcp::endpoint endpoint_of(const shoal_addr &a)
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

// What a libtorrent error means to us. Errors of the system keep their own numbers.
int err_of(const lt::error_code &ec)
{
	if (ec.category() == boost::system::system_category() || ec.category() == boost::system::generic_category()) {
		switch (ec.value()) {
		case ENOSPC:
		case EDQUOT: return SHOAL_ERR_NO_SPACE;
		case EACCES:
		case EPERM:
		case EROFS: return SHOAL_ERR_DENIED;
		case ENOENT: return SHOAL_ERR_GONE;
		case ENOMEM: return SHOAL_ERR_NOMEM;
		default: return SHOAL_ERR_IO;
		}
	}
	return ec.category() == lt::libtorrent_category() ? SHOAL_ERR_MALFORMED : SHOAL_ERR_IO;
}

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
	bool chosen = false; // it has been said which files are wanted
	bool checked = false, told = false, first = false, flushing = false, over = false;
	uint64_t hash_failures = 0;
	std::map<std::string, peer_seen> peers;
};

// Whether strangers have a say in it: not private, and a tracker that is no machine of ours.
bool near_host(std::string url)
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
bool too_old()
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

void put_hashes(queued &q, const lt::info_hash_t &h)
{
	q.ev.has_v1 = h.has_v1();
	q.ev.has_v2 = h.has_v2();
	if (h.has_v1())
		std::memcpy(q.ev.hash_v1.b, h.v1.data(), 20);
	if (h.has_v2())
		std::memcpy(q.ev.hash_v2.b, h.v2.data(), 32);
}

void put_what(queued &q, const torrent &t)
{
	auto ti = t.handle.torrent_file();
	put_hashes(q, t.handle.info_hashes());
	if (ti) {
		q.name = ti->name();
		int64_t pads = 0;
		for (auto i : ti->files().file_range())
			if (ti->files().pad_file_at(i))
				pads += ti->files().file_size(i);
		q.ev.total = static_cast<uint64_t>(ti->total_size() - pads);
	}
}

void put_stats(shoal_stats &s, const torrent &t, const lt::torrent_status &st)
{
	s.size = static_cast<uint64_t>(st.total_wanted);
	s.done = s.verified = static_cast<uint64_t>(st.total_wanted_done);
	s.downloaded = static_cast<uint64_t>(st.total_payload_download);
	s.uploaded = static_cast<uint64_t>(st.total_payload_upload);
	s.wasted = static_cast<uint64_t>(st.total_failed_bytes + st.total_redundant_bytes);
	s.hash_failures = t.hash_failures;
	s.down_rate = static_cast<uint64_t>(st.download_payload_rate);
	s.up_rate = static_cast<uint64_t>(st.upload_payload_rate);
	s.peers = static_cast<uint32_t>(st.num_peers);
	s.seeds = static_cast<uint32_t>(st.num_seeds);
	auto ti = t.handle.torrent_file();
	s.pieces = ti ? static_cast<uint32_t>(ti->num_pieces()) : 0;
	s.pieces_done = static_cast<uint32_t>(st.num_pieces);
	s.complete = st.is_finished;
	s.checking = st.state == lt::torrent_status::checking_files || st.state == lt::torrent_status::checking_resume_data;
	s.paused = static_cast<bool>(st.errc);
	s.metadata = st.has_metadata;
}

// A symlink of a torrent is never made, as with our own engine; the sandbox forbids it, and the torrent would end over it.
bool is_link(const lt::file_storage &fs, lt::file_index_t f)
{
	return static_cast<bool>(fs.file_flags(f) & lt::file_storage::flag_symlink);
}

void leave_links_out(std::vector<lt::download_priority_t> &prio, const lt::file_storage &fs, lt::download_priority_t rest)
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

// ---- operations ------------------------------------------------------------------------------

int fail_add(engine &e, const shoal_op &op, int err, const std::string &text)
{
	queued &q = e.say(SHOAL_EV_ADDED);
	q.ev.ticket = op.ticket;
	q.ev.err = err;
	q.text = text;
	return 0;
}

int op_add(engine &e, const shoal_op &op)
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
			lt::span<const char>(reinterpret_cast<const char *>(op.data.at), static_cast<std::ptrdiff_t>(op.data.len)),
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
		return fail_add(e, op, SHOAL_ERR_REFUSED,
				std::string("libtorrent ") + lt::version() + " is older than " SHOAL_LT_SAFE
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
		return fail_add(e, op, ec == lt::errors::duplicate_torrent ? SHOAL_ERR_EXISTS : err_of(ec), ec.message());
	t.id = ++e.last;
	queued &q = e.say(SHOAL_EV_ADDED, &t);
	q.ev.ticket = op.ticket;
	put_what(q, t);
	e.torrents.emplace(t.id, std::move(t));
	return 0;
}

void tell_peer(engine &e, const torrent &t, const peer_seen &p, uint64_t ticket)
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

// libtorrent tells of dials, not of greetings: who has said hello is seen here, when somebody asks, and at the end.
void look_at_peers(engine &e, torrent &t)
{
	std::vector<lt::peer_info> now;
	t.handle.get_peer_info(now);
	for (auto &p : t.peers)
		p.second.info.connected = false;
	for (const auto &p : now) {
		std::string key = key_of(p.ip);
		bool fresh = t.peers.find(key) == t.peers.end();
		if (p.flags & (lt::peer_info::connecting | lt::peer_info::handshake) || (fresh && t.peers.size() >= peers_kept_max))
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

void op_pieces(engine &e, const shoal_op &op, torrent &t)
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

int op_files(engine &e, const shoal_op &op, torrent &t)
{
	auto ti = t.handle.torrent_file();
	if (!ti)
		return SHOAL_ERR_GONE;
	const lt::file_storage &fs = ti->files();
	uint64_t count = static_cast<uint64_t>(fs.num_files());
	if (count > files_max || op.offset > count || op.files.len > count - op.offset)
		return SHOAL_ERR_RANGE;
	std::vector<lt::download_priority_t> prio = t.handle.get_file_priorities();
	prio.resize(static_cast<std::size_t>(count), lt::default_priority);
	if (op.files.len > 0) {
		for (size_t i = 0; i < op.files.len; i++) {
			if (op.files.at[i] > 7)
				return SHOAL_ERR_RANGE;
			prio[static_cast<std::size_t>(op.offset) + i] = lt::download_priority_t(op.files.at[i]);
		}
		leave_links_out(prio, fs, lt::default_priority);
		t.handle.prioritize_files(prio);
		t.told = false; // what is wanted has changed: COMPLETE is about that
		t.chosen = true;
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
int op_deadline(engine &e, const shoal_op &op, torrent &t)
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
			t.handle.set_piece_deadline(at, static_cast<int>(op.within / 1000 < 86400000 ? op.within / 1000 : 86400000));
	}
	e.done(op, 0);
	return 0;
}

int limit_of(uint64_t bytes)
{
	return bytes == 0 ? 0 : bytes > 0x7fffffff ? 0x7fffffff : static_cast<int>(bytes);
}

int op_limits(engine &e, const shoal_op &op, torrent *t)
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
int op_peer(const shoal_op &op, torrent &t)
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

int op_boot(engine &e, const shoal_op &op)
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

int op_stop(engine &e)
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
		put_stats(q.ev.stats, *t, t->handle.status());
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

// ---- alerts ------------------------------------------------------------------------------------

void fail(engine &e, torrent &t, int err, const std::string &text)
{
	queued &q = e.say(SHOAL_EV_ERROR, &t);
	q.ev.err = err;
	q.text = text;
	t.over = true;
	e.session->remove_torrent(t.handle);
}

// All that is wanted is written to the page cache: make it durable, then say so.
void sync_folder(const torrent &t)
{
	int fd = open(t.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)syncfs(fd);
	close(fd);
}

void complete(engine &e, torrent &t)
{
	if (t.told || t.over || !t.checked || !t.chosen || !t.handle.status().is_finished)
		return;
	look_at_peers(e, t); // while they are there: two full copies part now
	lt::settings_pack s;
	s.set_bool(lt::settings_pack::close_redundant_connections, true);
	e.session->apply_settings(s);
	sync_folder(t);
	t.told = true;
	queued &q = e.say(SHOAL_EV_COMPLETE, &t);
	put_stats(q.ev.stats, t, t.handle.status());
}

// Of a link: its files are known now.
void want_all(torrent &t)
{
	auto ti = t.handle.torrent_file();
	if (!ti)
		return;
	std::vector<lt::download_priority_t> prio(static_cast<std::size_t>(ti->num_files()), lt::default_priority);
	leave_links_out(prio, ti->files(), lt::default_priority);
	t.handle.prioritize_files(prio);
	t.chosen = true;
}

void on_checked(engine &e, torrent &t)
{
	lt::torrent_status st = t.handle.status();
	if (t.checked)
		return;
	t.checked = true;
	queued &q = e.say(SHOAL_EV_CHECKED, &t);
	put_what(q, t);
	q.ev.done = static_cast<uint64_t>(st.total_wanted_done);
	q.ev.total = static_cast<uint64_t>(st.total_wanted);
	if ((t.flags & SHOAL_ADD_SEED_ONLY) && !st.is_finished)
		return fail(e, t, SHOAL_ERR_HASH, "not all of it is there; shoal verify tells what is missing or damaged");
	if (st.is_finished && !t.flushing) // it was there already: nothing to write
		complete(e, t);
}

void on_alert(engine &e, lt::alert *a)
{
	if (auto *l = lt::alert_cast<lt::listen_succeeded_alert>(a)) {
		if (l->socket_type == lt::socket_type_t::tcp)
			e.say(SHOAL_EV_LISTENING).ev.addr = addr_of(l->address, l->port);
		return;
	}
	auto *ta = dynamic_cast<lt::torrent_alert *>(a);
	torrent *t = ta != nullptr ? e.find(ta->handle) : nullptr;
	if (t == nullptr)
		return;
	if (lt::alert_cast<lt::metadata_received_alert>(a)) {
		put_what(e.say(SHOAL_EV_METADATA, t), *t);
		if (!(t->flags & SHOAL_ADD_CHOOSE))
			want_all(*t);
	} else if (lt::alert_cast<lt::torrent_checked_alert>(a)) {
		on_checked(e, *t);
	} else if (auto *p = lt::alert_cast<lt::piece_finished_alert>(a)) {
		if (t->checked && !t->first) {
			t->first = true;
			e.say(SHOAL_EV_FIRST_PIECE, t).ev.index = static_cast<uint32_t>(static_cast<int>(p->piece_index));
		}
		e.say(SHOAL_EV_PIECE, t).ev.index = static_cast<uint32_t>(static_cast<int>(p->piece_index));
	} else if (lt::alert_cast<lt::torrent_finished_alert>(a)) {
		if (!t->checked)
			return; // on_checked() says it
		t->flushing = true;
		t->handle.flush_cache();
	} else if (lt::alert_cast<lt::file_prio_alert>(a)) {
		if (!t->flushing && t->handle.status().is_finished) // of what is wanted now nothing is missing
			complete(e, *t);
	} else if (lt::alert_cast<lt::cache_flushed_alert>(a)) {
		if (t->flushing)
			complete(e, *t);
		t->flushing = false;
	} else if (auto *h = lt::alert_cast<lt::hash_failed_alert>(a)) {
		t->hash_failures++;
		e.say(SHOAL_EV_HASH_FAILED, t).ev.index = static_cast<uint32_t>(static_cast<int>(h->piece_index));
	} else if (auto *b = lt::alert_cast<lt::peer_ban_alert>(a)) {
		queued &q = e.say(SHOAL_EV_PEER_BANNED, t);
		q.ev.addr = addr_of(b->endpoint.address(), b->endpoint.port());
		q.text = "libtorrent banned it and does not say why";
	} else if (auto *d = lt::alert_cast<lt::peer_disconnected_alert>(a)) {
		auto seen = t->peers.find(key_of(d->endpoint));
		if (seen == t->peers.end())
			return; // it never got through
		seen->second.info.connected = false;
		queued &q = e.say(SHOAL_EV_PEER_LEFT, t);
		q.ev.addr = addr_of(d->endpoint.address(), d->endpoint.port());
		q.ev.err = SHOAL_ERR_CLOSED;
	} else if (auto *r = lt::alert_cast<lt::tracker_reply_alert>(a)) {
		queued &q = e.say(SHOAL_EV_TRACKER, t);
		std::string url = r->tracker_url();
		q.text = url.substr(0, url.find('/', url.find("://") + 3)); // its secrets are in the rest
		q.ev.done = static_cast<uint64_t>(r->num_peers);
	} else if (auto *x = lt::alert_cast<lt::tracker_error_alert>(a)) {
		queued &q = e.say(SHOAL_EV_TRACKER, t);
		std::string url = x->tracker_url();
		q.text = url.substr(0, url.find('/', url.find("://") + 3));
		q.name = x->error_message();
		q.ev.err = SHOAL_ERR_NET;
	} else if (auto *f = lt::alert_cast<lt::file_error_alert>(a)) {
		fail(e, *t, err_of(f->error), std::string(f->filename()) + ": " + f->error.message());
	} else if (auto *w = lt::alert_cast<lt::torrent_error_alert>(a)) {
		fail(e, *t, err_of(w->error), w->error.message());
	} else if (auto *m = lt::alert_cast<lt::metadata_failed_alert>(a)) {
		e.say(SHOAL_EV_WARNING, t).text = "metadata: " + m->error.message();
	}
}

void pump(engine &e, int wait_ms)
{
	if (e.out.empty() && wait_ms > 0) {
		pollfd p = { e.bell, POLLIN, 0 };
		(void)::poll(&p, 1, e.stopping && wait_ms > 50 ? 50 : wait_ms);
	}
	uint64_t rung;
	(void)!read(e.bell, &rung, sizeof rung);
	std::vector<lt::alert *> alerts;
	e.session->pop_alerts(&alerts);
	for (lt::alert *a : alerts)
		on_alert(e, a);
	if (!e.stopping || e.stopped)
		return;
	bool busy = false;
	for (auto &t : e.torrents)
		busy = busy || t.second.flushing;
	if (!busy || std::chrono::steady_clock::now() >= e.stop_at) {
		e.stopped = true;
		e.say(SHOAL_EV_STOPPED);
	}
}

std::unique_ptr<engine> open_unsafe(const shoal_config &c)
{
	using S = lt::settings_pack;
	S s;
	std::string ears;
	for (size_t i = 0; i < c.listen_count; i++)
		ears += (i ? "," : "") + at_text(c.listen[i]);
	s.set_str(S::listen_interfaces, ears);
	if (c.agent)
		s.set_str(S::user_agent, c.agent);
	s.set_bool(S::listen_system_port_fallback, false);
	s.set_int(S::max_retry_port_bind, 0);
	s.set_bool(S::enable_dht, !c.no_dht);
	s.set_str(S::dht_bootstrap_nodes, ""); // those we are told of (DHT_BOOT), and no others
	for (int name : { int(S::enable_upnp), int(S::enable_natpmp) })
		s.set_bool(name, c.portmap);
	for (int name : { int(S::enable_outgoing_utp), int(S::enable_incoming_utp) })
		s.set_bool(name, !c.no_utp);
	for (int name : { int(S::enable_outgoing_tcp), int(S::enable_incoming_tcp) })
		s.set_bool(name, !c.no_tcp);
	s.set_bool(S::enable_lsd, !c.no_lsd);
	int hidden = c.encryption == SHOAL_ENCRYPTION_OFF	? S::pe_disabled
		     : c.encryption == SHOAL_ENCRYPTION_REQUIRE ? S::pe_forced
								: S::pe_enabled;
	s.set_int(S::out_enc_policy, hidden);
	s.set_int(S::in_enc_policy, hidden);
	s.set_int(S::allowed_enc_level, c.encryption == SHOAL_ENCRYPTION_REQUIRE ? S::pe_rc4 : S::pe_both);
	s.set_bool(S::close_redundant_connections, false); // until complete() has seen who gave what
	s.set_bool(S::allow_multiple_connections_per_ip, true);
	s.set_int(S::upload_rate_limit, limit_of(c.up));
	s.set_int(S::download_rate_limit, limit_of(c.down));
	s.set_int(S::connections_limit, c.max_peers ? static_cast<int>(c.max_peers) : 500);
	s.set_int(S::unchoke_slots_limit, c.upload_slots ? static_cast<int>(c.upload_slots) : 8);
	if (c.threads) {
		s.set_int(S::aio_threads, static_cast<int>(c.threads));
		s.set_int(S::hashing_threads, static_cast<int>(c.threads));
	}
	if (c.dscp)
		s.set_int(S::peer_tos, static_cast<int>(c.dscp << 2));
	s.set_int(S::alert_mask, lt::alert_category::status | lt::alert_category::error | lt::alert_category::storage |
					 lt::alert_category::piece_progress | lt::alert_category::connect |
					 lt::alert_category::tracker);
	s.set_int(S::alert_queue_size, 100000);
	s.set_int(S::tracker_completion_timeout, 30);
	s.set_int(S::stop_tracker_timeout, 1);
	std::vector<std::shared_ptr<lt::plugin>> none;
	lt::session_params params(s, none);
	auto e = std::make_unique<engine>();
	e->accept_old = c.accept_old;
	e->dht = !c.no_dht;
	e->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (e->bell < 0)
		throw std::bad_alloc();
	e->session = std::make_unique<lt::session>(std::move(params));
	e->session->set_alert_notify([bell = e->bell] {
		uint64_t one = 1;
		(void)!write(bell, &one, sizeof one);
	});
	lt::ip_filter all; // limits are for neighbours too
	uint32_t one = 1u << static_cast<uint32_t>(lt::session::global_peer_class_id);
	all.add_rule(lt::make_address("0.0.0.0"), lt::make_address("255.255.255.255"), one);
	all.add_rule(lt::make_address("::"), lt::make_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), one);
	e->session->set_peer_class_filter(all);
	e->session->add_extension(&lt::create_ut_metadata_plugin);
	e->session->add_extension(&lt::create_smart_ban_plugin);
	if (!c.no_pex)
		e->session->add_extension(&lt::create_ut_pex_plugin);
	return e;
}

// Whether it listens where it was told to, which it says within moments; `what` when it does not.
int await_ears(engine &e, const shoal_config &c, char what[160])
{
	auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
	size_t heard = 0;
	while (heard < c.listen_count && std::chrono::steady_clock::now() < until) {
		e.session->wait_for_alert(std::chrono::milliseconds(100));
		std::vector<lt::alert *> alerts;
		e.session->pop_alerts(&alerts);
		for (lt::alert *a : alerts) {
			if (auto *f = lt::alert_cast<lt::listen_failed_alert>(a)) {
				if (f->socket_type != lt::socket_type_t::tcp)
					continue;
				std::snprintf(what, 160, "%s: %s", f->listen_interface(), f->error.message().c_str());
				return SHOAL_ERR_NET;
			}
			if (auto *l = lt::alert_cast<lt::listen_succeeded_alert>(a))
				heard += l->socket_type == lt::socket_type_t::tcp;
			on_alert(e, a);
		}
	}
	return 0;
}

// ---- the border: what is thrown inside ends here ----------------------------------------------

template <class F> int guarded(F f)
{
	try {
		return f();
	} catch (const std::bad_alloc &) {
		return SHOAL_ERR_NOMEM;
	} catch (...) {
		return SHOAL_ERR_GONE; // a handle whose torrent is no more, almost always
	}
}

engine &of(shoal_engine *base)
{
	return *reinterpret_cast<engine *>(base);
}

int inside_open(shoal_engine **out, const shoal_config *config, char what[160])
{
	what[0] = '\0';
	return guarded([&] {
		auto e = open_unsafe(*config);
		int rc = await_ears(*e, *config, what);
		if (rc < 0)
			return rc;
		e->base.ops = &shoal_lt_inside;
		*out = &e.release()->base;
		return 0;
	});
}

int inside_do_op(shoal_engine *base, const shoal_op *op)
{
	return guarded([&] { return do_op_unsafe(of(base), *op); });
}

int inside_poll(shoal_engine *base, shoal_event *ev, int wait_ms)
{
	engine &e = of(base);
	return guarded([&] {
		if (e.out.empty())
			pump(e, wait_ms);
		if (e.out.empty())
			return 0;
		e.current = std::move(e.out.front());
		e.out.pop_front();
		queued &q = e.current;
		q.ev.text = span_of(q.text);
		q.ev.name = span_of(q.name);
		q.ev.data = span_of(q.data);
		q.ev.copies = q.copies.empty() ? nullptr : q.copies.data();
		q.ev.copies_count = q.copies.size();
		q.ev.files = q.files.empty() ? nullptr : q.files.data();
		q.ev.files_count = q.files.size();
		*ev = q.ev;
		return 1;
	});
}

void inside_wake(shoal_engine *base)
{
	of(base).ring();
}

void inside_close(shoal_engine *base)
{
	(void)guarded([&] {
		delete &of(base);
		return 0;
	});
}

} // namespace

const shoal_engine_ops shoal_lt_inside = { "libtorrent", inside_open, inside_do_op, inside_poll, inside_wake, inside_close };

int shoal_lt_fd(shoal_engine *e)
{
	return of(e).bell;
}

const char *shoal_lt_version(void)
{
	return lt::version();
}
