"""tools/bench/libtorrent_node.py - the other engine: one tuned libtorrent session with one torrent, in a process.

    libtorrent_node.py seed TORRENT DIR ADDR:PORT [NAME=VALUE...]
    libtorrent_node.py get TORRENT|MAGNET DIR ADDR:PORT PEER:PORT TRACKER [NAME=VALUE...]

Speaks the JSON lines of `shoal --json` (t, event). First it prints `imported` and waits for a line on stdin: what
an interpreter needs to start is not libtorrent's, so clocks start at that line. A seed checks its data and then
says `started`. Ends at SIGTERM. Trailing NAME=VALUE are settings of libtorrent's.

TRACKER is a URL that answers with that same peer: libtorrent connects to a tracker's peers at once, but to one it
was merely told of at its next half-second tick, and that wait is not what the bench is about.
"""
import json
import os
import signal
import sys
import threading
import time

import libtorrent as lt

# As fast as 2.0 goes on one machine; each was tried alone. Queues deep enough that neither side waits for the other.
TUNED = {
    "aio_threads": 2, "hashing_threads": 1, "send_buffer_watermark": 4 << 20, "send_buffer_low_watermark": 256 << 10,
    "send_buffer_watermark_factor": 200, "max_out_request_queue": 2000, "max_allowed_in_request_queue": 4000,
    "request_queue_time": 3, "max_queued_disk_bytes": 64 << 20, "send_socket_buffer_size": 2 << 20,
    "recv_socket_buffer_size": 2 << 20, "connections_limit": 2000, "unchoke_slots_limit": -1, "suggest_mode": 0,
    "max_peer_recv_buffer_size": 4 << 20, "whole_pieces_threshold": 20, "allow_multiple_connections_per_ip": True,
}
# Nothing that talks to anybody but the peers it is given; plain TCP, as on the other side.
CLOSED = {
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_outgoing_utp": False, "enable_incoming_utp": False, "out_enc_policy": 2, "in_enc_policy": 2,
}


def say(event, **more):
    sys.stdout.write(json.dumps({"t": round(time.monotonic(), 6), "event": event, **more}) + "\n")
    sys.stdout.flush()


def value_of(text):
    try:
        return int(text)
    except ValueError:
        return text


def settings(seeding, listen, extra):
    host = listen.rpartition(":")[0]
    pack = dict(lt.high_performance_seed()) if seeding else {}
    pack.update(TUNED)
    pack.update(CLOSED)
    kind = lt.alert.category_t
    pack.update({"listen_interfaces": listen, "outgoing_interfaces": host, "alert_queue_size": 1000000,
                 "alert_mask": kind.error_notification | kind.peer_notification | kind.status_notification | lt.alert_category.piece_progress})
    pack.update(extra)
    return pack


def main():
    what, item, folder, listen, *rest = sys.argv[1:]
    seeding = what == "seed"
    peers = [] if seeding else [rest.pop(0)]
    trackers = [] if seeding else [rest.pop(0)]
    extra = {name: value_of(text) for name, _, text in (word.partition("=") for word in rest)}
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    say("imported")
    if not sys.stdin.readline():
        return

    session = lt.session(settings(seeding, listen, extra))
    if item.startswith("magnet:"):
        params = lt.parse_magnet_uri(item)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(item)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    params.flags |= lt.torrent_flags.disable_dht | lt.torrent_flags.disable_lsd
    params.peers = [(host, int(port)) for host, _, port in (p.rpartition(":") for p in peers)]
    params.trackers = trackers
    handle = session.add_torrent(params)

    seen = set()

    def once(event, **more):
        if event not in seen:
            seen.add(event)
            say(event, **more)

    while not stopped.is_set():
        session.wait_for_alert(50)  # also how long a SIGTERM may wait
        for a in session.pop_alerts():
            if isinstance(a, lt.piece_finished_alert):
                if not seeding:
                    once("first_piece")
            elif isinstance(a, lt.metadata_received_alert):
                once("metadata")
            elif isinstance(a, lt.torrent_finished_alert):
                once("complete")
            elif isinstance(a, lt.peer_ban_alert):
                say("peer_banned", addr="%s:%d" % a.ip)
            elif isinstance(a, (lt.torrent_error_alert, lt.listen_failed_alert, lt.file_error_alert,
                                lt.hash_failed_alert)):
                say("error", what=a.message())
        if "started" not in seen and session.is_listening() and (not seeding or "complete" in seen):
            once("started", listen=[f"{listen.rpartition(':')[0]}:{session.listen_port()}"])
    handle.flush_cache()
    sys.stdout.flush()
    os._exit(0)  # what a session does to leave is nobody's measure


if __name__ == "__main__":
    main()
