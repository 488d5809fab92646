"""tools/bench/bars.py - the bars: what has to be how much better than what, and whether it was.

Pure: records in, rows and text out.
"""
from harness import spread

# The machine the bars were set on, and the other engines there: 2 cores, one SHA-NI stream each. MiB/s and seconds.
LIMITS = {"sha1": 2091.0, "sha256": 1988.0, "memcpy": 21387.0, "tmpfs_write": 2586.0, "tcp": 10565.0}
ANCHORS = {"pair v1": 2048 / 2.62, "pair v2": 2048 / 2.66, "create v1": 3.20 * 1024, "verify v1": 1.34 * 1024,
           "verify v2": 1.27 * 1024}
BEST_VERIFY = 1.50 * 1024  # of any other engine there (not libtorrent), SHA-1
# What a byte of an anchor's figure is spent on: shares of hashing, writing and sending.
SPENT = {"pair": (0.45, 0.40, 0.15), "create": (1, 0, 0), "verify": (1, 0, 0)}
STARTING = {"pair": 0.06, "create": 0.0, "verify": 0.03}  # seconds of an anchor's figure that do not grow with the data
MEASURED_WITH = {"pair": 2048, "create": 4096, "verify": 4096}  # MiB
ANCHOR_MIN = 0.90  # an anchor that does worse than this share of its scaled figure makes its row void


def expected(anchor, seen, size):
    """An anchor's MiB/s, scaled to what this machine can do today and to so many MiB; None: a limit is not known."""
    kind, form = anchor.split()
    names = ("sha1" if form == "v1" else "sha256", "tmpfs_write", "tcp")
    if not size or any(not seen.get(n) for n in names):
        return None
    slower = sum(share * LIMITS[n] / seen[n] for share, n in zip(SPENT[kind], names))
    flowing = (MEASURED_WITH[kind] / ANCHORS[anchor] - STARTING[kind]) * size / MEASURED_WITH[kind]
    return size / ((STARTING[kind] + flowing) * slower)


def median(records, key):
    s = spread([r.get(key) for r in records if "failed" not in r])
    return s["median"] if s else None


def row(what, ours, other, unit, bar, holds, *records, anchor=None, seen=None, size=0):
    """One line of the table. holds(ours, other) says whether the bar is met."""
    used = [r for group in records for r in group]
    why = next((r["failed"] for r in used if "failed" in r), None)
    out = {"what": what, "ours": ours, "other": other, "unit": unit, "bar": bar, "n": min(map(len, records), default=0),
           "others_percent": max((r.get("foreign", 0.0) for r in used), default=0.0),
           "disturbed": sum(bool(r.get("disturbed")) for r in used), "runs": len(used)}
    if why:
        out.update(verdict="failed", why=why)
    elif ours is None or other is None:
        out.update(verdict="skipped", why="not measured")
    else:
        out["ratio"] = ours / other if other else None
        out["verdict"] = "met" if holds(ours, other) else "MISSED"
        if anchor:
            name, rate = anchor
            want = expected(name, seen, size)
            if want:
                out["anchor"] = {"name": name, "measured": rate, "expected": want}
                if rate < ANCHOR_MIN * want:
                    out["verdict"] = "void"
                    out["why"] = f"the anchor did {rate:.0f} MiB/s where {want:.0f} were to be expected"
    return out


def at_least(factor):
    return lambda ours, other: ours >= factor * other


def at_most(factor):
    return lambda ours, other: ours <= factor * other


def table(seen, sizes, pairs, creates, verifies, lanes, latency):
    """All rows. Groups map a case's name to its records; a case that was not taken gives a skipped row.

    seen: the machine's limits; sizes: MiB of a transfer, and of what was hashed.
    """
    rows = []
    moved, hashed = sizes

    def compare(what, group, ours, other, key, unit, bar, holds, anchor=None, best=None):
        """A row of two cases. best: what stands for the other's figure when it is more."""
        a, b = group.get(ours, []), group.get(other, [])
        rate = median(b, "mib_s")
        more = {}
        if anchor and rate:
            more = {"anchor": (anchor, rate), "seen": seen, "size": moved if anchor.startswith("pair") else hashed}
        figure = max(median(b, key), best or 0) if rate else median(b, key)
        rows.append(row(what, median(a, key), figure, unit, bar, holds, a, b, **more))

    def hold(what, group, ours, key, unit, most):
        """A row of one case against a fixed figure."""
        records = group.get(ours, [])
        rows.append(row(what, median(records, key), most, unit, f"<= {most:g} {unit}", at_most(1.0), records))

    for form in ("v1", "v2"):
        ours, other, anchor = f"shoal>shoal {form}", f"libtorrent>libtorrent {form}", f"pair {form}"
        compare(f"1 -> 1 {form}, tmpfs", pairs, ours, other, "mib_s", "MiB/s", ">= 1.8 x libtorrent", at_least(1.8),
                anchor)
        compare(f"1 -> 1 {form}, CPU of both sides", pairs, ours, other, "cpu_gib", "CPU-s/GiB", "<= 0.5 x libtorrent",
                at_most(0.5), anchor)
    for form in ("v1", "v2"):
        compare(f"1 -> 1 {form}, disk, until durable", pairs, f"shoal>shoal {form} disk",
                f"libtorrent>libtorrent {form} disk", "seconds", "s", "<= libtorrent + sync", at_most(1.0))
    for form in ("v1", "v2"):
        for pair in ("shoal>libtorrent", "libtorrent>shoal"):
            compare(f"{pair.replace('>', ' -> ')} {form}", pairs, f"{pair} {form}", f"libtorrent>libtorrent {form}",
                    "mib_s", "MiB/s", ">= libtorrent with itself", at_least(1.0))
    hold("RSS by default (128M + 32 MiB)", pairs, "shoal>shoal v1", "rss", "MiB", 160.0)
    hold("RSS with --memory 16M", pairs, "shoal>shoal v1 16M", "rss", "MiB", 40.0)
    compare("1 -> 1 v1 with --memory 16M", pairs, "shoal>shoal v1 16M", "libtorrent>libtorrent v1", "mib_s", "MiB/s",
            ">= libtorrent", at_least(1.0))
    for form, factor in (("v1", 1.7), ("hybrid", 0.85)):
        compare(f"create {form}, 2 threads", creates, f"shoal {form}", "mktorrent v1", "mib_s", "MiB/s",
                f">= {factor} x mktorrent's v1", at_least(factor), "create v1")
    best = BEST_VERIFY * seen["sha1"] / LIMITS["sha1"] if seen.get("sha1") else None  # it need not be installed here
    compare("verify v1", verifies, "shoal v1", "libtorrent v1", "mib_s", "MiB/s", ">= 3 x the best other",
            at_least(3.0), "verify v1", best)
    compare("verify v2", verifies, "shoal v2", "libtorrent v2", "mib_s", "MiB/s", ">= 2.8 x libtorrent's v2",
            at_least(2.8), "verify v2")
    for digest, factor in (("sha1", 2.5), ("sha256", 1.8)):
        one = (lanes or {}).get(digest, {})
        rows.append(row(f"{digest} lanes, one core", one.get("best"), one.get("openssl"), "MB/s",
                        f">= {factor} x one stream", at_least(factor)))
    for kind in ("torrent", "magnet"):
        for key, what, most in (("first_ms", "first piece", 30.0), ("done_ms", "1 MiB done", 50.0)):
            hold(f"launch -> {what}, {kind}", latency, f"shoal {kind}", key, "ms", most)
            rows[-1]["libtorrent"] = median(latency.get(f"libtorrent {kind}", []), key)
    return rows


def files_table(files):
    """Many small files: ours against the other's, and ours on a disk against ours."""
    ours, other, disk = (files.get(k, []) for k in ("shoal>shoal", "libtorrent>libtorrent", "shoal>shoal disk"))
    return [row("many files, launch -> done", median(ours, "seconds"), median(other, "seconds"), "s", "<= 0.67 x libtorrent",
                at_most(0.67), ours, other),
            row("many files, CPU of both sides", median(ours, "cpu_gib"), median(other, "cpu_gib"), "CPU-s/GiB",
                "<= 0.5 x libtorrent", at_most(0.5), ours, other),
            row("many files, disk, until durable", median(disk, "seconds"), median(ours, "seconds"), "s", "<= 2 x our tmpfs",
                at_most(2.0), disk, ours)]


def million_table(million, most=128.0 + 48.0):
    return [row(f"a million files, {what}", median(million.get(what, []), "rss"), most, "MiB RSS", f"<= {most:g} MiB",
                at_most(1.0), million.get(what, [])) for what in ("create", "verify", "transfer")]


def swarm_table(swarm):
    """One to eight: ours against the soonest of the others, and what a GiB costs."""
    ours = swarm.get("shoal", [])
    others = [(median(r, "seconds"), name, r) for name, r in swarm.items() if name != "shoal" and median(r, "seconds")]
    best, name, records = min(others, key=lambda o: o[0]) if others else (None, "other", [])
    cpu = median(ours, "cpu_gib")
    return [row("1 -> 8, until the last is done", median(ours, "seconds"), best, "s", f"<= 0.6 x {name}, the best other",
                at_most(0.6), ours, *([records] if records else [])),
            row("1 -> 8, CPU of all, a GiB delivered", cpu, 1.2, "CPU-s/GiB", "<= 1.2 CPU-s/GiB", at_most(1.0), ours)]


def capped_table(capped):
    ours = capped.get("shoal", [])
    return [row("4 seeds of 200 Mbit/s -> 1, payload", median(ours, "share"), 1.0, "of the sum", ">= 0.95 of it", at_least(0.95),
                ours)]


def star_table(star):
    ours = star.get("shoal", [])
    return [row("1 -> 10, 20/100 Mbit/s, last / fluid bound", median(ours, "bound"), 1.3, "of it", "<= 1.3", at_most(1.0), ours),
            row("1 -> 10, copies the seed sent", median(ours, "copies"), 1.2, "copies", "<= 1.2", at_most(1.0), ours)]


def line_table(groups):
    """uTP on one line: ours against the other's where packets are lost; how long it makes others wait, what TCP keeps."""
    def of(group, name, key):
        records = groups.get(group, {}).get(name, [])
        return records, median(records, key)

    ours, theirs = "shoal:utp", "libtorrent:utp"
    (a, mine), (b, other) = of("lossy", ours, "mbit_s"), of("lossy", theirs, "mbit_s")
    rows = [row("uTP, 100 Mbit/s, 50 ms, 1 % loss", mine, other, "Mbit/s", ">= libtorrent", at_least(1.0), a, b)]
    a, mine = of("jitter", ours, "mbit_s")
    rows.append(row("uTP, 100 Mbit/s, 50 ms and up to 10 more each way", mine, 40.0, "Mbit/s", ">= 40", at_least(1.0), a))
    rows[-1]["libtorrent"] = of("jitter", theirs, "mbit_s")[1]
    a, mine = of("waiting", ours, "wait95_ms")
    rows.append(row("uTP alone, 95 % of packets wait less", mine, 100.0, "ms", "<= 100 ms", at_most(1.0), a))
    rows[-1]["libtorrent"] = of("waiting", theirs, "wait95_ms")[1]
    for key, what in (("joined", "TCP that uTP joins"), ("joins", "TCP that joins uTP")):
        a, mine = of("shared", ours, key)
        rows.append(row(f"{what}, of what it has alone", mine, 0.9, "of it", ">= 0.9", at_least(1.0), a))
        rows[-1]["libtorrent"] = of("shared", theirs, key)[1]
    return rows


def polluted_table(polluted):
    """Ours against bars of its own; libtorrent's figure beside it, which asks for no hints."""
    rows = []

    def figure(engine, form, case, key):
        return median(polluted.get(f"{engine} {form}, {case}", []), key)

    def slower(engine, form, case):
        clean, then = figure(engine, form, "clean", "seconds"), figure(engine, form, case, "seconds")
        return then / clean if clean and then else None

    for form, late, waste in (("v1", 1.10, 0.10), ("v2", 1.05, 0.005)):
        for case in ("all false", "a tenth false") + (("a tenth false, hints",) if form == "v1" else ()):
            records = polluted.get(f"shoal {form}, {case}", [])
            for what, of, unit, most in (
                    ("time by the clean one's", slower, "of it", late),
                    ("wasted, by the payload", lambda e, f, c: figure(e, f, c, "waste"), "of it", waste)):
                rows.append(row(f"3 of 10 polluters, {case}, {form}: {what}", of("shoal", form, case), most, unit,
                                f"<= {most:g}", at_most(1.0), records))
                rows[-1]["libtorrent"] = of("libtorrent", form, case.removesuffix(", hints"))
            honest = max((r["false_bans"] for r in records if "failed" not in r), default=None)
            rows.append(row(f"3 of 10 polluters, {case}, {form}: honest banned, at most", honest, 0, "of 7", "0", at_most(1.0),
                            records))
            rows[-1]["libtorrent"] = max((r["false_bans"] for r in polluted.get(f"libtorrent {form}, {case.removesuffix(', hints')}", [])
                                          if "failed" not in r), default=None)
    return rows


def rate_table(rate, off=0.03):
    """Each limit by what was furthest from it in any window. The wire's own bytes, 0.5 %, are in the figure."""
    rows = []
    for name, records in rate.items():
        good = [r for r in records if "failed" not in r]
        far = max((max(abs(r["least"] - 1), abs(r["most"] - 1)) for r in good), default=None)
        short = min((r["window_s"] for r in good), default=5.0)
        rows.append(row(f"{name}, furthest from it in any {short:.3g} s", far, off, "of it", f"<= {off}", at_most(1.0), records))
    return rows


def update_table(update):
    bars = {"v1": 0.12}  # it moves whole blocks, which files share
    return [row(f"the next version, 5 % changed, {form}", median(r, "moved"), bars.get(form, 0.06), "of it moved",
                f"<= {bars.get(form, 0.06)}", at_most(1.0), r)
            for form, r in update.items()]


def text_of(rows):
    def figure(value):
        return "-" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"

    lines = [("what", "shoal", "other", "unit", "ratio", "bar", "verdict", "n", "others")]
    for r in rows:
        lines.append((r["what"], figure(r["ours"]), figure(r.get("libtorrent", r["other"])), r["unit"],
                      f"{r['ratio']:.2f}" if r.get("ratio") and "libtorrent" not in r else "", r["bar"], r["verdict"],
                      str(r["n"] or ""), f"{r['others_percent']:.0f} %" if r["runs"] else ""))
    wide = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    to_left = (0, 3, 5, 6)
    out = []
    for line in lines:
        cells = (c.ljust(w) if i in to_left else c.rjust(w) for i, (c, w) in enumerate(zip(line, wide)))
        out.append("  ".join(cells).rstrip())
    out.insert(1, "-" * max(map(len, out)))
    out += [f"{r['what']}: {r['why']}" for r in rows if r.get("why") and r["why"] != "not measured"]
    return "\n".join(out)


def cases_text(groups):
    """Every case's figures: median (least..most)."""
    keys = [("seconds", "s", "%.3f"), ("mib_s", "MiB/s", "%.0f"), ("seed_cpu_gib", "seed CPU-s/GiB", "%.2f"),
            ("leech_cpu_gib", "leech CPU-s/GiB", "%.2f"), ("cpu_gib", "CPU-s/GiB", "%.2f"),
            ("first_ms", "first ms", "%.1f"), ("done_ms", "done ms", "%.1f"), ("seed_rss", "seed RSS", "%.0f"),
            ("leech_rss", "leech RSS", "%.0f"),
            ("share", "of the lines", "%.3f"), ("moved", "moved", "%.4f"), ("changed", "changed", "%.4f"),
            ("ideal", "of the honest seeds' time", "%.3f"), ("waste", "wasted", "%.4f"), ("false", "of it false", "%.4f"),
            ("false_bans", "honest banned", "%d"), ("bans", "polluters banned", "%d"), ("unfinished", "not done in time", "%d"),
            ("bound", "of the bound", "%.3f"), ("copies", "copies from the seed", "%.3f"),
            ("mbit_s", "Mbit/s", "%.2f"), ("wait_ms", "waited ms", "%.1f"), ("wait95_ms", "95 % within ms", "%.0f"),
            ("alone_mbit_s", "TCP alone Mbit/s", "%.1f"), ("joined", "joined by uTP", "%.3f"), ("joins", "joins uTP", "%.3f"),
            ("least", "at least", "%.3f"), ("most", "at most", "%.3f"), ("pause_ms", "longest pause ms", "%.0f"),
            ("foreign", "others %", "%.0f")]
    out = []
    for group, cases in groups.items():
        for name, records in cases.items():
            good = [r for r in records if "failed" not in r]
            cells = []
            for key, label, form in keys:
                s = spread([r.get(key) for r in good])
                if s:
                    wide = f" ({form % s['min']}..{form % s['max']})" if s["n"] > 1 else ""
                    cells.append(f"{label} {form % s['median']}{wide}")
            cells += ["FAILED: " + r["failed"] for r in records if "failed" in r]
            out.append(f"{group} {name}, n {len(good)}: " + "; ".join(cells))
    return "\n".join(out)
