"""Holds scripts/check-source to its rules: each bad line below must be found, and good ones must not.

Prints `ok NAME` or `FAIL NAME: ...` a line, as scripts/test counts them.
"""

import os
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

BAD = {
    "layering": ("policy/bad.cc", '#include "adapter/engine.h"\n'),
    "layering of scalers": ("scalers/bad.cc", '#include "policy/policy.h"\n'),
    "seams: clock": ("adapter/bad.cc", "auto now = std::chrono::system_clock::now();\n"),
    "seams: sleep": ("upstream/bad.cc", "std::this_thread::sleep_for(delay);\n"),
    "seams: environment": ("cli/bad.cc", 'auto home = getenv("HOME");\n'),
    "seams: program": ("adapter/bad.cc", 'auto* out = popen("ls", "r");\n'),
    "seams: library": ("scalers/bad.cc", "#include <boost/asio.hpp>\n"),
    "seams: protobuf": ("adapter/bad.cc", '#include "externalscaler.pb.h"\n'),
    "no-sleeping-tests": ("tests/unit/bad_test.cc", "usleep(1000);\n"),
    "pragma-once": ("core/bad.h", "int F();\n"),
    "explicit-sources": ("core/CMakeLists.txt", "file(GLOB sources *.cc)\n"),
    "every-source-is-built": ("core/lost.cc", "int x = 0;\n"),
    "formatting": ("core/bad.cc", "int   x=0 ;\n"),
}

GOOD = {
    "core/CMakeLists.txt": "stoker_library(core SOURCES clock.cc)\n",
    "core/clock.cc": "// system_clock::now() is named in a comment only here.\nint x = 0;\n",
    "core/clock.h": "#pragma once\n",
}


def failing_rules(files):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            os.makedirs(os.path.join(folder, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([sys.executable, os.path.join(ROOT, "scripts/check-source"), folder],
                              capture_output=True, text=True, check=False)
        return {line.split()[1].rstrip(":") for line in done.stdout.splitlines() if line.startswith("FAIL ")}


def main():
    good = True
    for name, (path, text) in BAD.items():
        rule = name.split(":")[0].split(" ")[0]
        found = failing_rules({path: text})
        if rule in found:
            print(f"ok finds {name}")
        else:
            good = False
            print(f"FAIL finds {name}: rules that failed: {sorted(found)}")
    found = failing_rules(GOOD)
    if found:
        good = False
        print(f"FAIL accepts good files: {sorted(found)}")
    else:
        print("ok accepts good files")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
