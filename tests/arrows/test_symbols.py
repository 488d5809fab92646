"""test_symbols.py - what the built archives really call and show, whatever their includes say.

The rooms without I/O reference no function that reads a clock, a file or a socket; libshoal.so
shows names beginning with shoal_ alone; a release build is hardened.
"""
import glob
import os
import re
import subprocess
import sys

build = os.environ["SHOAL_BUILD"]
# Names from libc that mean the outside world, in the shapes fortify and large files give them.
OUTSIDE = re.compile(
    r"^(__)?(v?[fd]?printf|puts|fputs|putchar|perror|fopen|fdopen|fread|fwrite|fclose|stdout|stderr|stdin|"
    r"open(at)?|creat|close|p?readv?|p?writev?|l?stat|fstat(at)?|mmap|ftruncate|rename(at2?)?|unlink(at)?|"
    r"socket|connect|bind|listen|accept4?|send(to|msg|file)?|recv(from|msg)?|poll|select|epoll_\w+|getaddrinfo|"
    r"clock_gettime|gettimeofday|time|localtime(_r)?|gmtime(_r)?|sleep|usleep|nanosleep|"
    r"pthread_\w+|thrd_\w+|mtx_\w+|fork|exec\w+|signal|sigaction|getrandom|getenv|syscall|"
    r"event_\w+|evutil_\w+|sqlite3_\w+|sodium_\w+|randombytes_\w+|curl_\w+)(_chk|64|64_chk)?(@.*)?$")

EXCEPT = {("base", "mmap"), ("base", "mmap64"),  # slots.c: anonymous memory (see rules.py)
          ("world", "fprintf"), ("world", "__fprintf_chk"), ("world", "stderr")}  # last words before abort()


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def undefined(archive):
    return sorted({line.split()[-1] for line in run("nm", "-u", archive).split("\n") if " U " in f" {line}"})


def self_test():
    for name in ("fopen", "clock_gettime", "printf", "__printf_chk", "fopen64", "pthread_create", "event_new"):
        assert OUTSIDE.match(name), name
    for name in ("snprintf", "__snprintf_chk", "vsnprintf", "memcpy", "shoal_time", "abort", "timer", "EVP_DigestUpdate"):
        assert not OUTSIDE.match(name), name


def faults():
    archives = 0
    for room in ("base", "proto", "dht", "peers", "pieces", "core", "world"):
        archive = f"{build}/libshoal_{room}.a"
        if os.path.exists(archive):
            archives += 1
            for name in undefined(archive):
                if OUTSIDE.match(name) and (room, name) not in EXCEPT:
                    yield f"libshoal_{room}.a calls {name}, and this room does no I/O"
    if not archives:
        yield f"no archive found in {build}"

    shared = f"{build}/libshoal.so"
    if os.path.exists(shared):
        for line in run("nm", "-D", "--defined-only", shared).split("\n"):
            name = line.split(" ")[-1].split("@")[0]
            if name and not name.startswith("shoal_") and name != "SHOAL_0" and not name.startswith("__"):
                yield f"libshoal.so shows {name}"
        if "SONAME" not in run("readelf", "-d", shared) or "libshoal.so.0" not in run("readelf", "-d", shared):
            yield "libshoal.so has not the soname libshoal.so.0"

    for program in [shared] + glob.glob(f"{build}/shoal"):
        if not os.path.exists(program):
            continue
        told = run("readelf", "-lWd", program)
        header = run("readelf", "-h", program)
        for want, where in (("GNU_RELRO", told), ("NOW", told), ("DYN", header)):
            if want not in where:
                yield f"{os.path.basename(program)} lacks {want}"
        stack = [line for line in told.split("\n") if "GNU_STACK" in line]
        if not stack or "E" in stack[0].split()[-2]:
            yield f"{os.path.basename(program)} has an executable stack"


self_test()
found = list(faults())
print("\n".join(found) or "archives, exports and hardening as promised")
sys.exit(1 if found else 0)
