"""Reading the HTML pages that the package writes."""

from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """A page taken apart.

    Attributes:
        source: the file's text.
        tags: names of all elements, in order.
        images: attributes of each picture.
        links: where links lead.
        titles: what elements say when pointed at.
        text: what is written between the tags, in both languages.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.titles: list[str] = []
        self._texts: list[str] = []
        self.feed(self.source)
        self.text = "".join(self._texts)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.titles += [value for name, value in attrs if name == "title" and value]
        self.links += [value for name, value in attrs if name == "href" and value]
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data):
        if self.tags and self.tags[-1] not in ("style", "script"):
            self._texts.append(data)
