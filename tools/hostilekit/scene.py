"""scene.py - the table of cases, and the stage each is played on.

A case is a function with a line in the table: @case(id, what is done, what is expected). Its id is that of the threat
and a letter. The function does the wrong thing and raises Unexpected when the target does not answer as it should;
afterwards the stage looks whether harm was done: the target dead, an honest peer not served, memory gone, false data.
"""
import os
import time

import content as contents
import krpc
import target as targets
import wire
from target import Seeder, fds_of, fetch, rss_of
from wire import Closed, Peer, Unexpected

CASES = []

# What may be expected.
CLOSED = "closed"        # the connection ends
IGNORED = "ignored"      # nothing happens; the same connection is still served
REFUSED = "refused"      # it says no, and goes on
BANNED = "banned"        # closed, and this address is told no more; the honest are not touched
SERVED = "served"        # harmless: served as anybody
BOUNDED = "bounded"      # it may go on, within bounds of memory and time
COMPLETES = "completes"  # the download is finished, in time and true, with those who are honest


class Case:
    def __init__(self, run, id, what, expect, role, form, memory, slow, only_ours, needs_v2, net, town, content):
        self.needs_v2, self.net, self.town = needs_v2, net, town
        self.run, self.id, self.what, self.expect, self.role, self.form = run, id, what, expect, role, form
        self.memory, self.slow, self.only_ours, self.content = memory, slow, only_ours, content


def case(id, what, expect, role="seed", form="hybrid", memory=48, slow=0, only_ours=False, needs_v2=False,
         net=127, town=None, **content):
    """`role`: what the target does, seed or get. `memory`: MiB its peak may lie above its start (get: in all). `slow`:
    seconds it takes by design. `only_ours`: rests on a rule of ours that BitTorrent does not ask of others. `needs_v2`: the torrent must have a v2 part.
    `net`: 11 for addresses of the open network. `town`: how many honest nodes a DHT has, in which the target takes part."""
    def enter(run):
        assert all(c.id != id for c in CASES), id
        CASES.append(Case(run, id, what, expect, role, form, memory, slow, only_ours, needs_v2, net, town, content))
        return run
    return enter


_made = {}


def made(form, size=1_050_000, piece=1 << 16):
    key = (form, size, piece)
    if key not in _made:
        _made[key] = contents.make(form, size, piece)
    return _made[key]


class Stage:
    """What a case sees. `content`, `target` (host, port), and `program` when it is ours to watch."""

    def __init__(self, case, content, target, start=None, pid=None, patience=1.0, judge_memory=True,
                 number=0):
        self.number = number
        self.case, self.content, self.target, self.start, self.pid = case, content, target, start, pid
        self.patience, self.judge_memory = patience, judge_memory
        self.program, self.ran = None, []  # the one that runs; those before it
        self.seeders, self.peers = [], []
        self.town = krpc.Town()
        self.others, self.traps = [], []  # what is to be stopped; whom nobody may dial
        self.rss_before = self.memory_seen = None

    # ---- a seed is attacked ----

    def start_seed(self):
        if self.start:
            self.found_town()
            self.program = self.start.seed(self.content)
            self.pid, self.target = self.program.pid, self.start.target
        self.rss_before = rss_of(self.pid) if self.pid else None

    def found_town(self):
        """The honest nodes; the target begins at the first of them."""
        for k in range(self.case.town or 0):
            at = self.start.honest(100 + k)
            self.town.add(at, id=krpc.earned_id(at))
        self.town.acquaint()
        self.start.dht = [n.place for n in self.town.nodes[:1]]

    def source(self, k=0):
        if self.start:
            return self.start.hostile(k)
        # Against a program given by address: ours to choose on loopback alone.
        low = self.number % 250 + 2  # another for each case: it may remember the last
        return f"127.{3 + k // 250}.{k % 250}.{low}" if self.target[0].startswith("127.") else None

    def dial(self, k=0):
        """A connection on which nothing has been said."""
        p = Peer.dial(self.target, self.source(k))
        self.peers.append(p)
        return p

    def hello(self, peer_id=None, bits=(wire.EXT_BIT, wire.FAST_BIT), hash=None):
        return wire.handshake(hash or self.content.hash, peer_id, bits)

    def join(self, k=0, bits=(wire.EXT_BIT, wire.FAST_BIT), peer_id=None):
        """A connection with both handshakes done."""
        p = self.dial(k).raw(self.hello(peer_id, bits))
        try:
            return p.read_handshake(15 * self.patience)
        except Closed:
            raise Unexpected("closed at a good handshake") from None

    def join_v2(self, k=0):
        return self.join(k, (wire.EXT_BIT, wire.FAST_BIT, wire.V2_BIT))

    def join_ext(self, k=0, within=5, **said):
        """The same, extended handshakes exchanged; `said`: more of ours."""
        p = self.join(k)
        ext = {"m": {"ut_metadata": wire.OUR_METADATA, "ut_pex": wire.OUR_PEX, "lt_donthave": wire.OUR_DONTHAVE}}
        p.raw(wire.extended(0, wire.bencode({**ext, **said})))
        p.wait_for(lambda kind, body: kind == wire.EXTENDED and body[:1] == b"\0", within * self.patience)
        return p

    def honest(self, within=10, pieces=None):
        """An honest peer comes, is served in time, and every hash is right."""
        source = self.start.honest() if self.start else "127.9.0.1" if self.target[0].startswith("127.") else None
        end = time.monotonic() + within * self.patience
        while True:  # who is turned away comes again, as any client does
            try:
                return fetch(self.content, self.target, source, end - time.monotonic(), pieces=pieces)
            except (Closed, OSError) as e:
                if time.monotonic() + 0.5 > end:
                    raise Unexpected(f"an honest peer was not served: {e}") from None
                time.sleep(0.5)

    # ---- a leech is attacked ----

    def seeder(self, k=0, **hooks):
        s = Seeder(self.content, self.start.hostile(k), **hooks)
        self.seeders.append(s)
        return s

    def honest_seeder(self, k=0, **hooks):
        s = Seeder(self.content, self.start.honest(k), **hooks)
        self.seeders.append(s)
        return s

    def also(self, server):
        """A server of the case's own, stopped when the case is over."""
        self.others.append(server)
        return server

    def get(self, *more, magnet=False, peers=(), link=None, told=True, tiers=(), seeds=()):
        """`told`: of the seeders; False: it must find them by itself. `link`: instead of the torrent. `tiers`, `seeds`:
        trackers and web seeds that the torrent names."""
        torrent, _ = self.content.save(self.start.work)
        with open(torrent, "wb") as f:
            f.write(self.content.naming(tiers, seeds))
        what = link or (self.content.magnet() if magnet else torrent)
        addresses = [(s.address, targets.PORT) for s in self.seeders if told] + list(peers)
        self.ran.append(self.program)
        self.program = self.start.get(what, addresses, *more)
        self.pid, self.target = self.program.pid, self.start.target
        return self.program

    def complete(self, within=30):
        """The download ends well: by its own word, by its exit code, and by the bytes."""
        if not self.program.wait("complete", within * self.patience):
            raise Unexpected(f"not complete after {within} s")
        try:
            code = self.program.process.wait(10)
        except Exception:
            raise Unexpected("complete, and does not end") from None
        if code != 0:
            raise Unexpected(f"exit code {code}")

    def told(self, kind, wanted):
        """It has said so, in an event."""
        if not any(wanted(e) for e in self.program.events() if e["event"] == kind):
            raise Unexpected(f"it does not say so: no such event ({kind})")

    def banned(self, k=0, within=5):
        end = time.monotonic() + within
        while self.start.hostile(k) not in self.program.banned():
            if time.monotonic() > end or not self.program.alive():
                if self.start.hostile(k) in self.program.banned():
                    return
                raise Unexpected("it is not banned")
            time.sleep(0.05)

    def not_banned(self, k=0):
        if self.start.hostile(k) in self.program.banned():
            raise Unexpected("banned, though nothing is proved against it")

    def until(self, done, within, what):
        end = time.monotonic() + within * self.patience
        while not done():
            if time.monotonic() > end:
                raise Unexpected(f"{what}: not within {within} s")
            time.sleep(0.05)

    # ---- afterwards ----

    def memory(self):
        """Peak resident MiB above what it was when the case began (a leech: in all; one that has ended, as last seen)."""
        now = rss_of(self.pid) if self.pid else None
        if self.case.role == "get":
            now = max((p.peak for p in self.ran + [self.program] if p and p.peak), default=now)
        return None if now is None else now - (self.rss_before or 0)

    def fds(self):
        return fds_of(self.pid) if self.pid else None

    def harm(self):
        """What is wrong after the case, whatever it expected: a list of words."""
        out = []
        memory = self.memory_seen = self.memory()
        if self.judge_memory and memory is not None and memory > self.case.memory:
            out.append(f"memory +{memory:.0f} MiB")
        if self.program and not self.program.alive() and self.case.role == "seed":
            out.append(f"died ({self.program.process.returncode})")
        elif self.program and (self.program.process.poll() or 0) < 0:
            out.append(f"died ({self.program.process.returncode})")
        elif self.pid and not self.program and not os.path.exists(f"/proc/{self.pid}"):
            out.append("died")
        elif self.case.role == "seed":
            for p in self.peers:
                p.close()
            try:
                self.honest(within=15)
            except Unexpected as e:
                out.append(str(e))
        if self.start:
            out += self._false_data()
            honest = [a for a in (self.program.banned() if self.program else []) if a.startswith(f"{self.start.net}.9.")]
            if honest:
                out.append("an honest peer was banned")
        return out

    def _false_data(self):
        where = "source" if self.case.role == "seed" else "copy"
        path = os.path.join(self.start.work, where, self.content.name)
        try:
            data = open(path, "rb").read()
        except OSError:
            return [] if self.case.role == "get" and not self.program.last("complete") else ["the file is gone"]
        return [] if data == self.content.data else ["false data on disk"]

    def end(self):
        for p in self.peers:
            p.close()
        stuck = self.program.stop() if self.program else None
        if self.program and self.program.report():
            stuck = f"{stuck or ''} a sanitizer's report: {self.program.report()}".strip()
        for s in self.seeders:
            s.stop()
        for o in self.others:
            o.stop()
        self.town.stop()
        return [stuck] if stuck else []


def play(case, stage):
    """Plays one case. Gives (what was seen, [harm], seconds): seen == "" when it was as expected."""
    began, seen = time.monotonic(), ""
    try:
        if case.role == "seed":
            stage.start_seed()
        case.run(stage)
    except Unexpected as e:
        seen = str(e)
    except Closed as e:
        seen = f"it closed the connection ({e})"
    except OSError as e:
        seen = f"no connection: {e}"
    took = time.monotonic() - began
    harm = []
    try:
        if stage.program or stage.start is None:
            harm = stage.harm()
    finally:
        harm += stage.end()
    return seen, harm, took

