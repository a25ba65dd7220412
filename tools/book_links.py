#!/usr/bin/env python3
"""A preprocessor of mdBook: links that lead out of docs/ lead to the repository instead.

mdBook copies what is below docs/ and nothing else. In the repository `../helm/gobeacon/README.md` is a file; in the book it
would be nothing.
"""

import json
import posixpath
import re
import sys

REPOSITORY = "https://github.com/gobeacon/gobeacon/blob/main/"
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s]+)\)")


def outside(page, target):
    """The path in the repository of a link of this page, if it leads out of docs/."""
    path, _, anchor = target.partition("#")
    found = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), path))
    return None if found.startswith("docs/") else found + ("#" + anchor if anchor else "")


def rewritten(page, text):
    def link(match):
        found = outside(page, match[1])
        return f"]({REPOSITORY}{found})" if found else match[0]

    return LINK.sub(link, text)


def walk(items):
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            if chapter.get("path"):
                chapter["content"] = rewritten(chapter["path"], chapter["content"])
            walk(chapter["sub_items"])


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    _, book = json.load(sys.stdin)
    walk(book.get("items") or book.get("sections") or [])
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
