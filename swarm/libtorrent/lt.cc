// lt.cc - the engine over libtorrent's session: it begins, its alerts become events, it ends; see lt.h.
#include "swarm/libtorrent/lt_inner.hpp"

#include <libtorrent/alert_types.hpp>
#include <libtorrent/extensions/smart_ban.hpp>
#include <libtorrent/extensions/ut_metadata.hpp>
#include <libtorrent/extensions/ut_pex.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/version.hpp>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sys/eventfd.h>

namespace shoal_lt
{

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

static void put_hashes(queued &q, const lt::info_hash_t &h)
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

void put_stats(shoal_stats &s, const torrent &t)
{
	// In this order: a choice that comes into force in between does not make a state before it look finished.
	bool in_force = chose(t);
	lt::torrent_status st = t.handle.status();
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
	s.complete = in_force && st.is_finished;
	s.checking = st.state == lt::torrent_status::checking_files ||
		     st.state == lt::torrent_status::checking_resume_data;
	s.paused = static_cast<bool>(st.errc);
	s.metadata = st.has_metadata;
}

// ---- alerts ------------------------------------------------------------------------------------

static void fail(engine &e, torrent &t, int err, const std::string &text)
{
	queued &q = e.say(SHOAL_EV_ERROR, &t);
	q.ev.err = err;
	q.text = text;
	t.over = true;
	e.session->remove_torrent(t.handle);
}

// All that is wanted is written to the page cache: make it durable, then say so.
static void sync_folder(const torrent &t)
{
	int fd = open(t.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)syncfs(fd);
	close(fd);
}

static void complete(engine &e, torrent &t)
{
	// Until the choice is in force nothing is wanted, and of that nothing is missing.
	if (t.told || t.over || !t.checked || !chose(t) || !t.handle.status().is_finished)
		return;
	look_at_peers(e, t); // while they are there: two full copies part now
	lt::settings_pack s;
	s.set_bool(lt::settings_pack::close_redundant_connections, true);
	e.session->apply_settings(s);
	sync_folder(t);
	t.told = true;
	queued &q = e.say(SHOAL_EV_COMPLETE, &t);
	put_stats(q.ev.stats, t);
}

// Of a magnet: its files are known now.
static void want_all(torrent &t)
{
	auto ti = t.handle.torrent_file();
	if (!ti)
		return;
	std::vector<lt::download_priority_t> all(static_cast<std::size_t>(ti->num_files()), lt::default_priority);
	choose(t, std::move(all), ti->files());
}

static void on_checked(engine &e, torrent &t)
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
		return fail(e, t, SHOAL_ERR_HASH,
			    "not all of it is there; shoal verify tells what is missing or damaged");
	if (st.is_finished && !t.flushing) // it was there already: nothing to write
		complete(e, t);
}

static void on_alert(engine &e, lt::alert *a)
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
			e.say(SHOAL_EV_FIRST_PIECE, t).ev.index = static_cast<uint32_t>(
				static_cast<int>(p->piece_index));
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

static void pump(engine &e, int wait_ms)
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

static std::unique_ptr<engine> open_unsafe(const shoal_config &c)
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
static int await_ears(engine &e, const shoal_config &c, char what[160])
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

template <class F> static int guarded(F f)
{
	try {
		return f();
	} catch (const std::bad_alloc &) {
		return SHOAL_ERR_NOMEM;
	} catch (...) {
		return SHOAL_ERR_GONE; // a handle whose torrent is no more, almost always
	}
}

static engine &of(shoal_engine *base)
{
	return *reinterpret_cast<engine *>(base);
}

static int inside_open(shoal_engine **out, const shoal_config *config, char what[160])
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

static int inside_do_op(shoal_engine *base, const shoal_op *op)
{
	return guarded([&] { return do_op_unsafe(of(base), *op); });
}

static int inside_poll(shoal_engine *base, shoal_event *ev, int wait_ms)
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

static void inside_wake(shoal_engine *base)
{
	of(base).ring();
}

static void inside_close(shoal_engine *base)
{
	(void)guarded([&] {
		delete &of(base);
		return 0;
	});
}

} // namespace shoal_lt

using namespace shoal_lt;

const shoal_engine_ops shoal_lt_inside = { "libtorrent", inside_open, inside_do_op,
					   inside_poll,	 inside_wake, inside_close };

int shoal_lt_fd(shoal_engine *e)
{
	return of(e).bell;
}

const char *shoal_lt_version(void)
{
	return lt::version();
}
