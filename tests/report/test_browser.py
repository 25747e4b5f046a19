"""The report in a real browser: nothing is fetched, nothing is complained of, nothing sticks out of a small screen."""

import json
import re
import shutil
import subprocess
import threading
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.tiny import TRAIN

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")

MEASURE = """<script>
addEventListener("load", () => {
  const right = element => element.getBoundingClientRect().right;
  const inside = element => !element.closest(".scroll, .card, pre");
  const out = [...document.querySelectorAll("body *")].filter(inside).filter(e => right(e) > innerWidth + 1);
  const within = (a, b) => a.left > b.left - 2 && a.right < b.right + 2 && a.top > b.top - 2 && a.bottom < b.bottom + 2;
  const box = e => e.getBoundingClientRect();
  const cut = [...document.querySelectorAll("svg text")].filter(e => !within(box(e), box(e.closest("svg"))));
  const small = [...document.querySelectorAll("svg text")].map(e => e.getBoundingClientRect().height);
  parent.postMessage(JSON.stringify({
    width: document.documentElement.scrollWidth, screen: innerWidth, out: out.map(e => e.outerHTML.slice(0, 80)),
    titles: [...document.querySelectorAll("h1, h2")].map(e => e.textContent), letters: Math.min(...small),
    cut: cut.map(e => e.textContent),
    empty: [...document.querySelectorAll("svg")].filter(e => e.getBoundingClientRect().height < 50).length,
  }), "*");
});
</script>"""
FRAME = """<!DOCTYPE html><body style="margin:0"><script>
addEventListener("message", event => { document.body.dataset.measured = event.data; });
</script><iframe src="{copy}" style="border:0;width:{width}px;height:900px"></iframe></body>"""
"""A window is 500 pixels wide at least, a frame may be a telephone."""


class Proxy:
    """A server of our own that all of the browser's requests go to; it answers none."""

    def __enter__(self):
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                asked.append(self.path)
                self.send_error(404)

            do_GET = do_POST = do_HEAD = do_CONNECT = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def browse(page: Path, width: int, profile: Path) -> tuple[str, list[str], list[str]]:
    """Open a page; return its DOM, what was asked of the network for it, and what the console says."""
    with Proxy() as proxy:
        done = subprocess.run(
            [
                *(
                    CHROMIUM,
                    "--headless",
                    "--no-sandbox",
                    "--hide-scrollbars",
                    "--disable-gpu",
                    "--disable-background-networking",
                ),
                *("--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"),
                *("--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}", f"--window-size={width},900"),
                *(f"--proxy-server=127.0.0.1:{proxy.server.server_port}", "--proxy-bypass-list=<-loopback>"),
                *("--virtual-time-budget=3000", "--dump-dom", page.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    own = ("google", "gvt1", "chromium")  # what the browser asks for itself
    asked = [path for path in proxy.asked if not any(name in path for name in own)]
    return done.stdout, asked, re.findall(r".*CONSOLE.*", done.stderr)


def measured(page: Path, width: int, folder: Path) -> dict:
    """Sizes on a screen of this width, taken by a script in a copy of the page."""
    copy = folder / f"copy-{width}.html"
    text = page.read_text(encoding="utf-8")
    copy.write_text(text.replace("</head>", f"{MEASURE}</head>"), encoding="utf-8")
    frame = folder / f"frame-{width}.html"
    frame.write_text(FRAME.replace("{copy}", copy.as_uri()).replace("{width}", str(width)), encoding="utf-8")
    dom, _, _ = browse(frame, max(width, 500), folder / "profile")
    found = re.search(r'data-measured="([^"]*)"', dom)
    assert found, dom[-500:]
    return json.loads(unescape(found[1]))


@pytest.fixture
def page(shown, tmp_path):
    shutil.copytree(shown.run / "report-files", tmp_path / "report-files")
    return Path(shutil.copy(shown.run / "report.html", tmp_path))


def test_nothing_is_fetched_and_nothing_is_wrong(page, tmp_path):
    dom, asked, said = browse(page, 1280, tmp_path / "profile")
    assert (asked, said) == ([], [])
    for section in ("Result", "Training and choice", "Seen-unseen curve", "Confusion", "Map of unseen classes"):
        assert re.search(rf"<h2 id=\"[^\"]+\">{section}</h2>", dom)


def test_a_page_that_fetches_or_fails_is_noticed(page, tmp_path):
    """The test above can fail."""
    text = page.read_text(encoding="utf-8")
    bad = '<img src="http://example.test/x.png" alt=""><script>console.error("oh"); missing()</script></body>'
    page.write_text(text.replace("</body>", bad), encoding="utf-8")
    _, asked, said = browse(page, 1280, tmp_path / "profile")
    assert any("example.test/x.png" in path for path in asked)
    assert len(said) >= 2


@pytest.mark.parametrize("width", [400, 1280])
def test_it_fits_the_screen(page, tmp_path, width):
    found = measured(page, width, tmp_path)
    assert found["screen"] == width
    assert (found["width"], found["out"], found["cut"]) == (width, [], [])
    assert found["letters"] >= 9
    assert found["empty"] == 0


def test_a_class_of_a_long_name_and_several_runs_fit(gsmflow, run, tmp_path):
    from tests.data.twins import make_truth, write_xlsa17

    truth = make_truth()
    truth.class_names = (f"a{'very' * 40}long", "the_quick_brown_" * 9, *"cdef")
    write_xlsa17(run.parent / "data" / "TWIN", truth)
    grid = ("--grid", "softmax.lr=0.001,0.005", "softmax.samples=3,5")
    assert gsmflow(*TRAIN, *grid, "--out", "W" * 150).code == 0
    for runs, page in ((["W" * 150], run.parent / ("W" * 150) / "report.html"), (["run", "W" * 150], "report.html")):
        assert gsmflow("report", *runs).code == 0
        found = measured(run.parent / page, 400, tmp_path)
        assert any("W" * 150 in title for title in found["titles"])
        assert (found["width"], found["out"], found["cut"]) == (400, [], [])
