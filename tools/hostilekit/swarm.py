"""swarm.py - a case as one node of a swarm: it plays it against everybody there, again and again, until it is told to end.

    tools/hostile play CASE --torrent FILE --data PATH --listen HOST:PORT --tracker URL

A case that attacks seeds is played against every peer that the tracker tells of, side by side; who dials this node is turned
away. A case that attacks leeches is a seed like others, and does its wrong to whoever comes. What a case looks at afterwards
is left to whoever runs the swarm. `shoal lab run --real` starts it (adversary: { kind: "hostile:CASE" }). Ends at SIGTERM.
"""
import argparse
import signal
import socket
import sys
import threading

import content as contents
import scene
from serve import INTERVAL, announce
from target import Seeder
from wire import Closed, Unexpected

TARGETS_MAX = 64  # peers attacked side by side
PAUSE = 1         # seconds between two plays against the same


class Unplayable(Exception):
    """The case needs more than a swarm has."""


class Staged(Exception):
    """All is done that is done in a swarm; the rest of the case is judgement."""


class Node(scene.Stage):
    """A stage without anybody who is ours to start, to watch or to look at."""

    def __init__(self, case, content, address, target=None):
        self.address = address
        super().__init__(case, content, target)

    @property
    def start(self):
        raise Unplayable("it needs a target of its own making")

    @start.setter
    def start(self, value):
        pass

    @property
    def program(self):
        raise Staged

    @program.setter
    def program(self, value):
        pass

    def source(self, k=0):
        return None  # this node has one address

    def honest(self, within=10, pieces=None):
        return 0.0  # the lab looks after them

    def seeder(self, k=0, **hooks):
        """The first is this node; more of them there are not."""
        host, port = self.address
        s = Seeder(self.content, host, port if not self.seeders else None, **hooks)
        self.seeders.append(s)
        return s

    def honest_seeder(self, k=0, **hooks):
        return Seeder(self.content, None, None, **hooks)

    def get(self, *more, magnet=False, peers=(), link=None, told=True, tiers=(), seeds=()):
        if magnet or link or peers or not told or tiers or seeds:
            raise Unplayable("it attacks a leech that has a link, a web seed or a tracker of the case's own")
        if not self.seeders:
            raise Unplayable("nobody serves in it")
        raise Staged

    def leave(self):
        for p in self.peers:
            p.close()
        for s in self.seeders + self.others:
            s.stop()


def attack(case, content, address, target, stopped):
    """Plays it against one peer until that is gone or all is over."""
    while not stopped.is_set():
        stage = Node(case, content, address, target)
        try:
            case.run(stage)
            seen = "as expected"
        except Staged:
            seen = "done"
        except (Closed, Unexpected) as e:
            seen = f"otherwise: {e or 'closed'}"
        except OSError as e:
            seen = f"no connection: {e}"
        except Unplayable as e:
            print(f"{case.id} is no node of a swarm: {e}", file=sys.stderr, flush=True)
            return stage.leave()
        except Exception as e:  # of what a case looks at, and a swarm has not
            seen = f"done ({e})"
        stage.leave()
        print(f"{case.id} against {target[0]}: {seen}", file=sys.stderr, flush=True)
        stopped.wait(PAUSE)


def turn_away(listener):
    while True:
        try:
            listener.accept()[0].close()
        except OSError:
            return


class Attacker:
    """Of seeds: a thread for each peer that is known."""

    def __init__(self, case, content, address, stopped):
        self.of = case, content, address
        self.stopped, self.known = stopped, set()
        self.peer_id = scene.wire.new_id()
        self.listener = socket.create_server(address, backlog=64)
        threading.Thread(target=turn_away, args=(self.listener,), daemon=True).start()

    def meet(self, peers):
        for peer in peers:
            if peer[0] == self.of[2][0] or peer in self.known or len(self.known) == TARGETS_MAX:
                continue
            self.known.add(peer)
            threading.Thread(target=attack, args=(*self.of, peer, self.stopped), daemon=True).start()

    def stop(self):
        self.listener.close()


class Server:
    """Of leeches: it is there, and they come."""

    def __init__(self, case, content, address, stopped):
        self.stage = Node(case, content, address)
        try:
            case.run(self.stage)
        except Staged:
            pass
        except (AttributeError, TypeError) as e:
            raise Unplayable(f"it looks for what a swarm has not ({e})") from None
        self.peer_id = self.stage.seeders[0].peer_id if self.stage.seeders else scene.wire.new_id()

    def meet(self, peers):
        pass

    def stop(self):
        self.stage.leave()


def playable(case, content):
    if case.town is not None:
        raise Unplayable("it needs a DHT of its own")
    if case.needs_v2 and not content.v2:
        raise Unplayable("it needs a torrent with a v2 part")


def main(argv):
    p = argparse.ArgumentParser(prog="tools/hostile play", description=__doc__.split("\n\n")[0])
    p.add_argument("case")
    for name in ("torrent", "data", "listen", "tracker"):
        p.add_argument("--" + name, required=True)
    o = p.parse_args(argv)
    case = next((c for c in scene.CASES if c.id == o.case), None)
    if case is None:
        p.error(f"no such case: {o.case} (tools/hostile list has them)")
    host, _, port = o.listen.rpartition(":")
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    content = contents.load(o.torrent, o.data)
    try:
        playable(case, content)
        node = (Attacker if case.role == "seed" else Server)(case, content, (host, int(port)), stopped)
    except Unplayable as e:
        p.error(f"{case.id} is no node of a swarm: {e}")
    event = "started"
    while True:
        node.meet(announce(o.tracker, content, node, int(port), event, TARGETS_MAX))
        if stopped.wait(2 if event else INTERVAL):
            break
        event = ""
    announce(o.tracker, content, node, int(port), "stopped")
    node.stop()
    return 0
