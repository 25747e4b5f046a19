"""Reading a written page as a browser would: tags, texts, links."""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "br", "wbr", "img", "input", "hr"}


class Page(HTMLParser):
    """What a page holds.

    Attributes:
        tags: how often each element occurs.
        ids: how often each id occurs.
        links: all addresses.
        texts: the text of each element, by tag.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.tags, self.ids, self.links = Counter(), Counter(), []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == [], "unclosed elements"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags[tag] += 1
        self.ids.update([attributes["id"]] if "id" in attributes else [])
        self.links += [attributes[key] for key in ("href", "src", "xlink:href") if key in attributes]
        if tag not in VOID:
            self.open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, tag

    def handle_data(self, data):
        for tag in dict.fromkeys(self.open):
            self.texts[tag][-1] += data

    def text(self) -> str:
        """All text, white space folded."""
        return " ".join(" ".join(self.texts["body"]).split())

    def headings(self) -> list[str]:
        return self.texts["h2"]
