#!/usr/bin/env python3
"""Tests of the book: it is built, what is built has no dead link, and the commands of its pages do what the pages say.

    tools/book.py PROGRAM                        all of it; PROGRAM is the gobeacon that the commands run
    tools/book.py PROGRAM docs/how-to/tune.md    the commands of some pages

Every block of a page that begins with ```sh runs, page by page, in one shell in a folder of its own that has a Go module
(MODULE below) and a log (build.log), with a home of its own. A comment in front of a block says what else is to be known:

    <!-- not run: why -->        it needs what is not here; the reason is required
    <!-- exits with 1 -->        the status of the block; 0 where nothing is said
    <!-- prints: text -->        what must stand in what it prints; may be given several times

Pages of ELSEWHERE are run by tests of their own, which must name them.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from verdict import tell
from waiting import free_port

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "target/book"

# Pages whose commands another test runs, because they need a cluster or a machine.
ELSEWHERE = {
    "docs/how-to/kubernetes.md": "helm/tests/cluster.py",
    "docs/how-to/systemd.md": "packaging/tests/test_unit.py",
    "docs/get-started/try-the-stack.md": "tools/try/test_stack.py",
}

MODULE = {
    "go.mod": "module example.com/hello\n\ngo 1.22\n",
    "hello.go": 'package hello\n\n// Hello greets.\nfunc Hello(name string) string { return "Hello " + name }\n',
    "hello_test.go": """package hello

import "testing"

func TestHello(t *testing.T) {
	if got, want := Hello("you"), "Hello, you"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEmpty(t *testing.T) { Hello("") }
""",
}

# The port that pages name; a free one is taken for it, since another agent may be there.
PORT = "9464"

# A page that hangs is a failure, and a busy machine is none.
SECONDS_A_PAGE = 600

BLOCK = re.compile(r"^(?P<indent> *)```sh(?P<more>[^\n]*)\n(?P<code>.*?)^(?P=indent)```\s*$", re.M | re.S)


class Block:
    def __init__(self, page, text, match):
        self.where = f"{page}:{text.count(chr(10), 0, match.start()) + 1}"
        indent = match["indent"]
        self.code = "".join(line.removeprefix(indent) for line in match["code"].splitlines(keepends=True))
        self.skipped, self.status, self.prints, self.mistakes = None, 0, [], []
        if match["more"].strip():
            self.mistakes.append(f"{self.where}: write ```sh and nothing behind it")
        for comment in comments_in_front(text[: match.start()]):
            kind, _, value = comment.partition(":")
            if kind == "not run" and value.strip():
                self.skipped = value.strip()
            elif kind == "prints" and value.strip():
                self.prints.append(value.strip())
            elif exits := re.fullmatch(r"exits with (\d+)", comment):
                self.status = int(exits[1])
            else:
                self.mistakes.append(f"{self.where}: `<!-- {comment} -->` is not known")


def comments_in_front(text):
    """The comments that stand directly in front, with nothing but blanks between."""
    found = []
    while match := re.search(r"<!-- ((?:(?!-->).)*) -->\s*\Z", text, re.S):
        found.insert(0, " ".join(match[1].split()))
        text = text[: match.start()]
    return found


def pages():
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
    return [str(it.relative_to(ROOT)) for it in [*found, *sorted((ROOT / "docs").rglob("*.md"))]]


def run_page(page, blocks, program):
    """Runs the blocks of a page one after the other in one shell; what went wrong, as sentences."""
    with tempfile.TemporaryDirectory(prefix="gobeacon-book-") as folder:
        folder = Path(folder)
        project, home, out = folder / "hello", folder / "home", folder / "out"
        for it in (project, home, out):
            it.mkdir()
        for name, text in MODULE.items():
            (project / name).write_text(text)
        script, port = ["set -u\n"], str(free_port())
        for n, block in enumerate(blocks):
            (out / f"{n}.sh").write_text("set -e -o pipefail\n" + block.code.replace(PORT, port))
            script.append(shell_of(out, n, block.status))
        (out / "page.sh").write_text("".join(script))
        environment = surroundings(home, program)
        go_log(project, environment)
        ended = run_shell(out / "page.sh", project, environment)
        return [] if ended is None else [f"{page}: {ended}"], [verdict(out, n, block) for n, block in enumerate(blocks)]


def shell_of(out, n, status):
    """A block that ends with 0 shares its shell with the next ones; another is on its own."""
    script, told = f"{out}/{n}.sh", f"{out}/{n}.status"
    if status != 0:
        return f"bash {script} >{out}/{n}.txt 2>&1\necho $? >{told}\n"
    # the first command that fails ends the shell (-e), and with it the page: the status is then told by the trap
    return f"trap 'echo $? >{told}' EXIT\n. {script} >{out}/{n}.txt 2>&1\nset +e +o pipefail\necho 0 >{told}\ntrap - EXIT\n"


def surroundings(home, program):
    ours = ("GOBEACON_", "OTEL_", "GOPROXY", "GOSUMDB", "GOPRIVATE", "GONO", "GOINSECURE", "GOENV", "GOFLAGS", "GOPATH", "GOMODCACHE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    bin_folder = home / "bin"
    bin_folder.mkdir()
    (bin_folder / "gobeacon").symlink_to(program)
    environment.update(
        HOME=str(home),
        PATH=f"{bin_folder}:{environment['PATH']}",
        XDG_CACHE_HOME=str(home / ".cache"),
        XDG_CONFIG_HOME=str(home / ".config"),
        XDG_STATE_HOME=str(home / ".local/state"),
        GOCACHE=str(shared_cache()),
        # module caches are read-only, and the folder is to be removed
        GOFLAGS="-modcacherw -buildvcs=false",
        # homes of the machine, with their caches, are none of a page's business
        GOBEACON_DISCOVERY_HOMES=str(home),
        GOTOOLCHAIN="local",
        NO_COLOR="1",
    )
    return environment


def shared_cache():
    folder = ROOT / "target/tmp/book-gocache"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def go_log(project, environment):
    with open(project / "build.log", "wb") as log:
        subprocess.run(["go", "test", "-v", "./..."], cwd=project, env=environment, stdout=log, stderr=log, check=False)


def run_shell(script, project, environment):
    """Runs the page in a process group of its own, so that what it left running ends with it."""
    shell = subprocess.Popen(
        ["bash", script], cwd=project, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )
    try:
        # what it left running may hold its error stream open: only the shell itself is waited for
        shell.wait(timeout=SECONDS_A_PAGE)
        return None
    except subprocess.TimeoutExpired:
        return f"did not end within {SECONDS_A_PAGE} s"
    finally:
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        shell.stderr.close()
        shell.wait()


def verdict(out, n, block):
    """What is wrong with a block that was run, or None."""
    status, text = out / f"{n}.status", out / f"{n}.txt"
    if not status.exists():
        return f"{block.where}: was not reached"
    printed = text.read_text(errors="replace")
    if int(status.read_text()) != block.status:
        return f"{block.where}: ended with {status.read_text().strip()}, not {block.status}:\n{block.code}{printed}"
    for wanted in block.prints:
        if wanted not in printed:
            return f"{block.where}: `{wanted}` is not in what it printed:\n{printed}"
    return None


def commands(program, only):
    ran, skipped, wrong = 0, 0, []
    for page in only or pages():
        text = (ROOT / page).read_text()
        blocks = [Block(page, text, match) for match in BLOCK.finditer(text)]
        wrong += [mistake for block in blocks for mistake in block.mistakes]
        if page in ELSEWHERE:
            test = ROOT / ELSEWHERE[page]
            if not test.exists() or page not in test.read_text():
                wrong.append(f"{page}: {ELSEWHERE[page]} does not name it")
            continue
        skipped += sum(block.skipped is not None for block in blocks)
        blocks = [block for block in blocks if block.skipped is None]
        if not blocks:
            continue
        whole, each = run_page(page, blocks, program)
        wrong += whole + [it for it in each if it]
        ran += sum(it is None for it in each)
        print(f"{page}: {len(blocks)} run", flush=True)
    print(f"commands: {ran} blocks did what their pages say, {skipped} are marked as not run")
    return ran, wrong


class Page(HTMLParser):
    """Ids and links of a page of the built book."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if attributes.get("id"):
            self.ids.add(attributes["id"])
        target = attributes.get("href") if tag == "a" else attributes.get("src") if tag == "img" else None
        if target:
            self.links.append(target)


def links():
    """Links between pages of the built book, and their anchors; what leads to the web is not asked."""
    read = {path: Page(path.read_text()) for path in BOOK.rglob("*.html") if path.name not in ("print.html", "404.html", "toc.html")}
    assert len(read) > 30, f"only {len(read)} pages were built"
    counted, wrong = 0, []
    for path, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            counted += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                wrong.append(f"{path.relative_to(BOOK)}: {link} leads nowhere")
            elif parts.fragment and target in read and unquote(parts.fragment) not in read[target].ids:
                wrong.append(f"{path.relative_to(BOOK)}: {link} has no such heading")
    print(f"book: {len(read)} pages, {counted} links")
    return counted, wrong


def build():
    shutil.rmtree(BOOK, ignore_errors=True)
    made = subprocess.run(["mdbook", "build", ROOT / "docs"], capture_output=True, text=True, check=False)
    told = made.stdout + made.stderr
    if made.returncode != 0 or re.search(r"\b(WARN|ERROR)\b", told):
        return [f"mdbook: {told}"]
    return []


def main():
    program, only = Path(sys.argv[1]).resolve(), sys.argv[2:]
    passed, wrong = 0, []
    if not only:
        wrong = build()
        if not wrong:
            counted, wrong = links()
            passed += 1 + counted
    ran, more = commands(program, only)
    passed, wrong = passed + ran, wrong + more
    for it in wrong:
        print(f"FAILED {it}")
    return tell(passed, len(wrong))


if __name__ == "__main__":
    sys.exit(main())
