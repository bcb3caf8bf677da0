"""Citations of facts: each leads to a section that exists, and all have one form.

The form is the page and its sections, numbers of its headings: `jicofo.md, 3`, also `3 and 6`,
`3, 6 and 7` or `3 to 6`, behind the folder of the pages.  Pages cite each other by a link to the
page, with the same numbers behind it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.test_style import ROOT, tracked

# Put together here, so that this file does not cite what it makes up.
FOLDER = "/".join(("docs", "facts"))
SHEETS = "|".join(
    ("fact" + " sheet", "facts " + "jicofo-jvb", "facts " + "jitsi-meet-", "observed" + " '")
)

NUMBERS = r", (\d+(?:(?:, | and | to )\d+)*)"
BY_NAME = re.compile(rf"{FOLDER}/([\w-]+\.md){NUMBERS}")
BY_LINK = re.compile(rf"\]\((?:[\w.-]+/)*facts/([\w-]+\.md)\){NUMBERS}")
NAMED = re.compile(rf"(?<!\]\()(?<!/)\b{FOLDER}/[\w-]+\.md")
Pages = Mapping[str, list[int]]


def sections(page: str) -> list[int]:
    """The numbers of a page's headings, as they come."""
    return [int(number) for number in re.findall(r"(?m)^## (\d+)\. \S", page)]


def facts() -> dict[str, list[int]]:
    return {path.name: sections(path.read_text()) for path in (ROOT / FOLDER).glob("*.md")}


def citations(text: str) -> Iterator[tuple[str, int]]:
    """Every page and section that a text cites."""
    for page, numbers in BY_NAME.findall(text) + BY_LINK.findall(text):
        yield from ((page, int(number)) for number in re.findall(r"\d+", numbers))


def dead(text: str, pages: Pages) -> list[str]:
    """Citations that lead nowhere."""
    return [f"{page}, {n}" for page, n in citations(text) if n not in pages.get(page, [])]


def malformed(text: str) -> list[str]:
    """Pages that are named without a section, and what the facts were called before."""
    bare = [found[0] for found in NAMED.finditer(text) if not BY_NAME.match(text, found.start())]
    return bare + re.findall(SHEETS, text, flags=re.IGNORECASE)


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.parent == ROOT / FOLDER:
            # These pages link to each other without their folder.
            text = re.sub(r"\]\((?=[\w-]+\.md\))", "](facts/", text)
        yield path.relative_to(ROOT), text


@pytest.mark.programs
def test_every_citation_leads_to_a_section() -> None:
    pages = facts()
    found = [f"{path}: {wrong}" for path, text in texts() for wrong in dead(text, pages)]
    assert not found


@pytest.mark.programs
def test_citations_have_one_form() -> None:
    assert not [f"{path}: {wrong}" for path, text in texts() for wrong in malformed(text)]


def test_a_number_stands_once_on_its_page() -> None:
    for page, numbers in facts().items():
        assert numbers, f"{page} has no section that could be cited"
        assert max(Counter(numbers).values()) == 1, page


def test_the_index_names_every_page() -> None:
    index = (ROOT / FOLDER / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", index))
    assert linked == facts().keys() - {"README.md"}


PAGE = "a.md"
TEXT = "# A\n## 1. One\ntext\n## 2. Two\n### 3. no section\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f'"""A bridge ({FOLDER}/a.md, 2)."""', []),
        (f"# {FOLDER}/a.md, 1, 2 and 9: why", ["a.md, 9"]),
        (f"# {FOLDER}/a.md, 2 to 8", ["a.md, 8"]),
        (f"source = '{FOLDER}/a.md, 1; {FOLDER}/b.md, 1'", ["b.md, 1"]),
        (f"see [a.md](facts/{PAGE}), 3, and [facts](../{FOLDER}/{PAGE}), 2", ["a.md, 3"]),
    ],
    ids=["good", "no such number", "end of a range", "no such page", "link"],
)
def test_a_wrong_citation_is_found(text: str, wrong: list[str]) -> None:
    assert dead(text, {PAGE: sections(TEXT)}) == wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f"({FOLDER}/a.md, 1) and [a page]({FOLDER}/a.md)", []),
        (f"# {FOLDER}/a.md says so", [f"{FOLDER}/a.md"]),
        (f"(see {FOLDER}/a.md)", [f"{FOLDER}/a.md"]),
        (f"({FOLDER}/a.md)", [f"{FOLDER}/a.md"]),
        (f"# {FOLDER}/a.md,\n# 4", [f"{FOLDER}/a.md"]),
        ("(" + "Fact" + " sheet, 8.1)", ["Fact" + " sheet"]),
    ],
    ids=["good", "no section", "in words", "in brackets", "over two lines", "name of before"],
)
def test_another_form_is_found(text: str, wrong: list[str]) -> None:
    assert malformed(text) == wrong
