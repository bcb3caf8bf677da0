"""What a student gets on paper: enough to work with the lab, and no other secret."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.lab.prepare import render_lab
from labctl.node.keys import ensure_keys
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir
from labctl.training.exercise import FOLDER
from labctl.training.handout import remove_index, write_handout, write_index
from labctl.training.progress import ClassProgress, save_progress


@pytest.fixture
def made(lab: Lab) -> Lab:
    """A lab with its keys and certificates."""
    render_lab(lab)
    ensure_keys(lab)
    return lab


def start(lab: Lab, name: str) -> None:
    save_progress(lab.folder, ClassProgress().begun(name, folder=FOLDER).started({}))


def file_of(page: str, name: str) -> str:
    found = re.search(rf'<h3>{re.escape(name)}</h3>\n<pre class="file">(.*?)</pre>', page, re.S)
    assert found is not None
    return html.unescape(found[1])


def test_a_student_finds_everything_and_only_this_user_reads_it(made: Lab) -> None:
    path = write_handout(made)
    page = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert file_of(page, "demo.key") == (made.folder.ssh / "id_ed25519").read_text()
    assert file_of(page, "demo.hosts") == (made.folder.ssh / "known_hosts").read_text()
    config = file_of(page, "demo.conf")
    assert "Host jvb1\n  HostName 192.168.56.106\n  HostKeyAlias jvb1\n" in config
    assert "IdentityFile demo.key\n" in config
    assert "192.168.56.105 meet.lab.internal" in page
    assert (made.folder.ca / "ca.crt").read_text() in page
    assert "Your exercise" not in page


def test_no_secret_of_the_lab_is_on_the_page(made: Lab) -> None:
    page = write_handout(made).read_text()
    secrets = re.findall(r'": "([^"]{8,})"', made.folder.secrets_file.read_text())
    assert secrets
    assert not [secret for secret in secrets if secret in page]
    assert (made.folder.ca / "ca.key").read_text().splitlines()[1] not in page


def test_the_exercise_is_told_with_the_names_of_this_lab(made: Lab) -> None:
    start(made, "expired-certificate")
    page = html.unescape(write_handout(made).read_text())
    assert "Your exercise: An expired certificate" in page
    assert "at https://meet.lab.internal/; on Friday" in page
    assert "{domain}" not in page


def test_a_page_refers_to_nothing_outside_of_it(made: Lab) -> None:
    page = write_handout(made).read_text()
    assert not re.findall(r"<(?:script|link|img|iframe)\b|url\(|@import", page)
    assert "@media print" in page


def test_the_index_leads_to_every_page(made: Lab) -> None:
    start(made, "expired-certificate")
    write_handout(made)
    path = write_index("demo", [made])
    link = re.search(r'href="([^"]+)"', path.read_text())
    assert link is not None and (path.parent / link[1]).is_file()
    assert "An expired certificate" in path.read_text()
    assert "PRIVATE KEY" not in path.read_text()
    remove_index("demo", labs=made.folder.path.parent)
    assert not path.parent.exists()


def test_a_lab_without_keys_says_so(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="id_ed25519' cannot be read") as caught:
        write_handout(Lab(Workdir(tmp_path / "x"), lab.topology))
    assert caught.value.hint == "'labctl up' writes it again."
