#!/usr/bin/env python3
"""Checks a built book: each relative link leads to a file, each anchor to an element, and each page is linked.

usage: docs_links.py FOLDER
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Pages that mdBook makes and links from no other.
UNLINKED = {"404.html", "toc.html", "index.html"}


class Page(HTMLParser):
    """The links and the ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[int, str]] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if (name, tag) in {("href", "a"), ("src", "img")} and value:
                self.links.append((self.getpos()[0], value))


def main(folder: Path) -> int:
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}
    faults, linked, links = [], set(), 0
    for path, page in pages.items():
        for line, link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            links += 1
            target = (path.parent / unquote(url.path)).resolve() if url.path else path.resolve()
            known = {other.resolve(): other for other in pages}
            if target != path.resolve():
                linked.add(target)
            if not target.exists():
                faults.append(f"{path}:{line}: a link to no file: {link}")
            elif url.fragment and target in known and unquote(url.fragment) not in pages[known[target]].ids:
                faults.append(f"{path}:{line}: a link to no anchor: {link}")
    for path in pages:
        if path.name not in UNLINKED and path.resolve() not in linked:
            faults.append(f"{path}: no page links here")
    print("\n".join(faults) or f"{len(pages)} pages, {links} links: all good")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
