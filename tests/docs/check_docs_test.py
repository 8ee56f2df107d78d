#!/usr/bin/env python3
"""Does scripts/check-docs find what it should? Prints `ok NAME` or `FAIL NAME` a line. STOKER_BIN: any program."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

GOOD = """
    # Title
    [section](#title)
    ```text file=a.txt
    one
    ```
    ```console
    $ cat a.txt
    one
    $ printf 'x 1 y\\nmore\\nlast\\n'
    x ... y
    ...
    last
    $ false # exit 1
    $ cd /tmp
    $ pwd
    /tmp
    ```
"""

BAD = {
    "other output": "```console\n$ echo one\ntwo\n```",
    "output that is not shown": "```console\n$ echo one\n```",
    "output that does not come": "```console\n$ true\none\n```",
    "another exit code": "```console\n$ true # exit 1\n```",
    "a failure": "```console\n$ false\n```",
    "a link to no file": "[x](nowhere.md)",
    "a link to no section": "# Title\n\n[x](#other)",
}


def load():
    loader = importlib.machinery.SourceFileLoader("check_docs", f"{ROOT}/scripts/check-docs")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_docs", loader))
    loader.exec_module(module)
    return module


def passes(module, name, text, folder):
    """Whether a document of this name and text passes."""
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return module.check(path) and module.check_links(path)


def main():
    sys.dont_write_bytecode = True
    os.environ.setdefault("STOKER_BIN", "/bin/true")
    module = load()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        module.ROOT = folder
        for name in ("config", "charts"):
            os.makedirs(f"{folder}/{name}")
        cases = [("what is shown as it is", "a.md", "\n".join(line[4:] for line in GOOD.splitlines()), True)]
        cases += [(name, "b.md", text, False) for name, text in BAD.items()]
        shell = "```sh\nkubectl get pods\n```"
        cases += [("a command for a cluster in a how-to", "docs/how-to.md", shell, True),
                  ("a command that is not run in the README", "README.md", shell, False),
                  ("a command that is not run in the tutorial", "docs/tutorial.md", shell, False)]
        for name, document, text, good in cases:
            right = passes(module, document, text, folder) == good
            failed = failed or not right
            print(f"{'ok' if right else 'FAIL'} {name}: {'passes' if good else 'is found'}")
        lost = os.path.join(folder, "docs", "index.md")
        with open(lost, "w", encoding="utf-8") as file:
            file.write("nothing")
        with contextlib.redirect_stdout(io.StringIO()):
            right = not module.check_index(lost)
        failed = failed or not right
        print(f"{'ok' if right else 'FAIL'} a page that nothing leads to: is found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
