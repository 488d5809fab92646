"""test_rules.py - every rule finds its planted fault, and leaves clean code alone."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import rules  # noqa: E402

CLEAN = {
    "README.md": "",
    "include/shoal/types.h": "#include <stdint.h>\n",
    "include/shoal/engine.h": "#include <shoal/types.h>\n",
    "proto/base/bits.h": "#include <shoal/types.h>\n#include <immintrin.h>\n",
    "proto/wire.c": '#include "proto/base/bits.h"\n#include <string.h>\n/* strcpy(a, b) */ char *s = "gets()";\n'
                    "int x = my_atoi(1) + v->system(2);\n",
    "swarm/core/node.c": '#include "proto/base/bits.h"\n#include <shoal/engine.h>\n#include <stdio.h>\n',
    "swarm/io/loop.c": '#include "proto/base/bits.h"\n#include <event2/event.h>\n#include <sys/socket.h>\n',
    "tools/main.c": '#include "proto/base/bits.h"\n#include <stdio.h>\n',
    ".gitignore": "build/\n",
    "build/x.c": "strcpy(a, b);\n",
}
PLANTED = [
    ("an upward include", "proto/wire.c", '#include "swarm/io/loop.h"\n', "swarm/io/loop.h"),
    ("core into io", "swarm/core/node.c", '#  include "swarm/io/loop.h"\n', "may not include"),
    ("peers into core", "swarm/peers/guard.c", '#include "swarm/core/node.h"\n', "may not include"),
    ("pieces into core", "swarm/pieces/picker.c", '#include "swarm/core/node.h"\n', "may not include"),
    ("base into proto", "proto/base/bits.c", '#include "proto/wire.h"\n', "may not include"),
    ("a header beside, not from the top", "proto/wire.c", '#include "wire.h"\n', "not a path from the top"),
    ("a private header in a public one", "include/shoal/engine.h", '#include "proto/wire.h"\n', "may not include"),
    ("base knows the engine", "proto/base/bits.h", "#include <shoal/engine.h>\n", "knows no engine"),
    ("a socket", "proto/wire.c", "#include <sys/socket.h>\n", "no I/O"),
    ("a thread", "swarm/core/node.c", "#include <pthread.h>\n", "no I/O"),
    ("a clock", "dht/table.c", "#include <time.h>\n", "no I/O"),
    ("libevent", "swarm/core/node.c", "#include <event2/event.h>\n", "no I/O"),
    ("sqlite", "swarm/core/node.c", "#include <sqlite3.h>\n", "no I/O"),
    ("a kernel's header above base", "proto/wire.c", "#include <immintrin.h>\n", "no I/O"),
    ("a file", "proto/wire.c", "#include <fcntl.h>\n", "no I/O"),
    ("strcpy", "tools/main.c", "\n\tstrcpy (a, b);\n", "main.c:2: strcpy()"),
    ("sscanf", "tools/main.c", "if (sscanf(a, b))\n", "sscanf()"),
    ("sprintf after a comment", "swarm/io/loop.c", "/* a\n */ sprintf(a, b);\n", "loop.c:2: sprintf()"),
    ("a long file", "swarm/io/loop.c", "\n" * 1001, "second noun"),
    ("a stray at the top", "notes.txt", "", "top level"),
    ("a stray folder at the top", "docs/x.md", "", "top level"),
]


class Rules(unittest.TestCase):
    def faults_of(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {"proto/wire.h": "", "swarm/io/loop.h": "", "swarm/core/node.h": "", "dht/README.md": "", **files}.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return rules.faults(root)

    def test_clean_code_is_left_alone(self):
        self.assertEqual(self.faults_of(CLEAN), [])

    def test_each_planted_fault_is_found_alone(self):
        for why, path, text, want in PLANTED:
            with self.subTest(why):
                found = self.faults_of({**CLEAN, path: text})
                self.assertEqual(len(found), 1, found)
                self.assertIn(want, found[0])


unittest.main()
