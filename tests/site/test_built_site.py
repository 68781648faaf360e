"""The built site: every link inside it leads somewhere, and it asks no other host for anything.

It is built by ``python -m sphinx -W -b html docs build/site`` (extra ``docs``); where it has not
been, these tests are skipped.
"""

import re
import shutil
import socketserver
import subprocess
import threading
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(__file__).parents[2] / "build" / "site"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
PAGES = sorted(SITE.rglob("*.html"))
# Attributes that make a browser load something; a link (a href) only does when it is followed.
LOADING = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("use", "href"),
           ("object", "data"), ("link", "href"), ("img", "srcset"), ("video", "src")}  # fmt: skip

built = pytest.mark.skipif(
    not PAGES, reason="the site is not built: python -m sphinx -W -b html docs build/site"
)


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors.update(values[key] for key in ("id", "name") if values.get(key))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") in ("canonical", "search", "author", "next", "prev"):
            return
        for key, value in attributes:
            if (tag, key) in LOADING and value:
                self.loads.append(value)


@cache
def read(path):
    return Page(path.read_text(encoding="utf-8"))


def broken(path, target):
    """Return why a link of a page does not work, or nothing; links to other hosts are not tried."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if goal.is_dir():
        goal = goal / "index.html"
    if not goal.exists():
        return f"{target}: no such file"
    fragment = unquote(parts.fragment)
    if fragment and goal.suffix == ".html" and fragment not in read(goal).anchors:
        return f"{target}: no such anchor"
    return None


def foreign(value):
    """Whether something that is loaded comes from another host."""
    return bool(re.match(r"(https?:)?//", value.strip()))


@built
def test_links_inside_the_site_lead_somewhere():
    faults = {}
    for path in PAGES:
        page = read(path)
        found = [fault for link in (*page.links, *page.loads) if (fault := broken(path, link))]
        if found:
            faults[path.relative_to(SITE).as_posix()] = sorted(set(found))
    assert not faults
    assert sum(len(read(path).links) for path in PAGES) > 1000


@built
def test_nothing_is_loaded_from_another_host():
    loads = {(path.name, value) for path in PAGES for value in read(path).loads if foreign(value)}
    assert not loads
    for sheet in SITE.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        addresses = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", text)
        assert not [value for value in addresses if foreign(value)], sheet


def test_faults_are_seen(tmp_path):
    path = tmp_path / "page.html"
    path.write_text('<a href="#x">1</a><p id="y"><img src="//a.b/c.png"><a href="none.html">')
    page = Page(path.read_text())
    assert [bool(broken(path, link)) for link in (*page.links, "#y", "https://a.b")] == [
        True,
        True,
        False,
        False,
    ]
    assert [value for value in page.loads if foreign(value)] == ["//a.b/c.png"]


class Proxy(socketserver.ThreadingTCPServer):
    """A proxy that answers nothing and keeps the hosts that it was asked for."""

    daemon_threads = allow_reuse_address = True

    def __init__(self):
        self.hosts = set()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        words = self.rfile.readline().decode("latin-1").split()
        if len(words) > 1:
            host = urlsplit(words[1]).hostname or words[1].partition(":")[0]
            self.server.hosts.add(host)
        self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def open_in_browser(path, profile):
    """Return the hosts that a browser asks for when it opens a page, and the page's final text."""
    with Proxy() as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        port = proxy.server_address[1]
        shown = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
             f"--proxy-server=127.0.0.1:{port}", "--disable-background-networking",
             "--no-first-run", "--disable-component-update", "--disable-sync",
             "--disable-default-apps", "--virtual-time-budget=5000", "--dump-dom", path.as_uri()],
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        proxy.shutdown()
        return proxy.hosts, shown.stdout


OPENED = ("index.html", "explorer.html", "science/mean_field.html", "gallery/index.html",
          "search.html",
          "reference/generated/api/superscale.predict.html",
          "reference/generated/commands/compare.html")  # fmt: skip


@built
@pytest.mark.skipif(BROWSER is None, reason="no chromium: on Debian, apt-get install chromium")
def test_a_browser_asks_no_other_host(tmp_path):
    empty, other = tmp_path / "empty.html", tmp_path / "other.html"
    empty.write_text("<p>nothing</p>")
    other.write_text('<img src="http://elsewhere.example/x.png"><p>asks</p>')
    own, _ = open_in_browser(empty, tmp_path / "profile")  # what the browser asks for by itself
    asked, text = open_in_browser(other, tmp_path / "profile")
    assert "elsewhere.example" in asked and "asks" in text
    for name in OPENED:
        asked, text = open_in_browser(SITE / name, tmp_path / "profile")
        assert ("<svg" if name == "explorer.html" else "</article>") in text, name
        assert not {host for host in asked - own if "google" not in host}, name


@built
@pytest.mark.skipif(BROWSER is None, reason="no chromium: on Debian, apt-get install chromium")
def test_formulas_are_drawn(tmp_path):
    formulas = SITE / "reference" / "formulas.html"
    _, text = open_in_browser(formulas, tmp_path / "profile")
    assert text.count("<mjx-container") > 10
