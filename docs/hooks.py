"""What MkDocs cannot do by itself.

Pages from outside of docs/, links that lead there, diagrams, and reference made from the code.
"""

from __future__ import annotations

import hashlib
import html
import os
import re
from pathlib import Path, PurePosixPath

import mermaidx
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from labctl.cli.reference import PAGES

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "README.md": "index.md",
    "README.zh-CN.md": "README.zh-CN.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "standins/README.md": "standins/README.md",
    "standins/jitsi-meet-prosody/README.md": "standins/jitsi-meet-prosody/README.md",
    "benchmarks/README.md": "benchmarks/README.md",
}
"""Pages that are not below docs/: path in the project -> path in the site."""

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MERMAID = re.compile(r"```mermaid\n(.*)```", re.DOTALL)
LINK = re.compile(r"\[([^\[\]]+)\]\(([^)\s]+)\)")
MARK = re.compile(r"^<!-- made from the code: ([a-z-]+) -->$", re.MULTILINE)
SCHEME = re.compile(r"[a-z]+:")

_drawn: dict[str, str] = {}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages from outside of docs/."""
    for path, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the reference, then draw diagrams and set links for the site."""
    place = page.file.src_uri
    markdown = MARK.sub(lambda found: PAGES[found[1]](), markdown)
    pieces, end = [], 0
    for fence in FENCE.finditer(markdown):
        pieces += [_linked(markdown[end : fence.start()], place=place, files=files)]
        pieces += [_shown(fence[0], page=page)]
        end = fence.end()
    return "".join([*pieces, _linked(markdown[end:], place=place, files=files)])


def on_post_build(*, config: MkDocsConfig) -> None:
    """Write the diagrams beside the pages."""
    folder = Path(config.site_dir, "diagrams")
    folder.mkdir(exist_ok=True)
    for name, svg in _drawn.items():
        (folder / name).write_text(svg, encoding="utf-8")


def _linked(text: str, *, place: str, files: Files) -> str:
    """The text with links as the site needs them; what the site does not have is no link."""
    source = next((path for path, other in OUTSIDE.items() if other == place), f"docs/{place}")

    def set_link(found: re.Match[str]) -> str:
        words, link = found.groups()
        target, mark, anchor = link.partition("#")
        if SCHEME.match(target) or not target:
            return found[0]
        path = os.path.normpath(PurePosixPath(source).parent / target)
        there = OUTSIDE.get(path, path.removeprefix("docs/") if path.startswith("docs/") else "")
        if files.get_file_from_path(there) is None:
            if path.startswith("docs/"):
                return found[0]  # MkDocs says what is wrong
            return words if words.startswith("`") else f"`{words}`"
        near = os.path.relpath(there, PurePosixPath(place).parent)
        return f"[{words}]({near}{mark}{anchor})"

    return LINK.sub(set_link, text)


def _shown(fence: str, *, page: Page) -> str:
    """The fence, or if it is a diagram: a picture of it."""
    found = MERMAID.fullmatch(fence)
    if found is None:
        return fence
    name = f"{hashlib.sha256(found[1].encode()).hexdigest()[:12]}.svg"
    if name not in _drawn:
        try:
            # Labels as text: in a picture, HTML inside of SVG is not shown by every program.
            plain = {"htmlLabels": False, "flowchart": {"htmlLabels": False}}
            _drawn[name] = mermaidx.render(found[1], theme="neutral", config=plain).svg()
        except RuntimeError as error:
            raise PluginError(f"{page.file.src_uri}: a diagram is wrong: {error}") from error
    title = re.search(r"(?m)^ *accTitle: *(.+)$", found[1])
    words = html.escape(title[1] if title else f"Diagram: {page.title or 'labctl'}", quote=True)
    up = "../" * page.url.count("/")
    return f'<img class="diagram" src="{up}diagrams/{name}" alt="{words}">'
