"""The script on the JMS, run in a folder of this machine, and what it gets."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.flow import Flow
from labctl.core.waiting import Deadline, wait_until
from labctl.live import publish
from labctl.live.publish import HEAD, READY, Publisher, page_url, render_script
from labctl.live.share import ClassSource
from labctl.live.site import FILES, Site
from labctl.node.script import Work
from labctl.render.services import CLASS_PAGE, SITES
from labctl.topology.lab import Lab
from tests.live.make import FakeSource, make_snapshot

pytestmark = pytest.mark.programs


@dataclass
class FakeJms:
    """Runs the script here, on folders of its own."""

    root: Path
    cleans: bool = True
    flows: list[Flow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page, self.sites = self.root / "class", self.root / "sites"
        self.sites.mkdir()
        (self.sites / "lab.conf").write_text(f"root {self.page};\n")

    def __call__(self, lab: Lab, node: str, work: Work) -> Flow:
        assert node == "jms"
        text = work.text.replace(CLASS_PAGE, str(self.page)).replace(SITES, str(self.sites))
        if not self.cleans:
            text = text.replace("trap clean EXIT", "")
        # The process id, so that a test can kill it; a reader never sees half of it.
        flow = Flow(
            ["sh", "-c", f"echo $$ > {self.root}/new; mv {self.root}/new {self.root}/pid\n{text}"]
        )
        self.flows.append(flow)
        return flow

    @property
    def pid(self) -> int:
        return int((self.root / "pid").read_text())

    def files(self) -> set[str]:
        lab = self.page / "lab"
        return {str(path.relative_to(lab)) for path in lab.rglob("*") if path.is_file()}


@pytest.fixture
def jms(tmp_path: Path) -> FakeJms:
    return FakeJms(tmp_path)


@pytest.fixture
def site(lab: Lab) -> Site:
    snapshots = [make_snapshot(lab=f"demo{index}") for index in range(100)]
    return Site(ClassSource(FakeSource(snapshots)), lab.folder, poll_seconds=0)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "RETRY_SECONDS", 0.05)


def wait(check: Callable[[], bool]) -> None:
    assert wait_until(check, deadline=Deadline.after(20), interval=0.02)


def publisher(lab: Lab, site: Site, jms: FakeJms) -> Publisher:
    return Publisher(lab, site, interval=0.05, opener=jms)


def shown(jms: FakeJms) -> str:
    name = json.loads((jms.page / "lab/api/state").read_bytes())["snapshot"]["lab"]
    return str(name)


def test_the_page_is_there_and_new_while_it_is_shown_and_then_gone(
    lab: Lab, site: Site, jms: FakeJms
) -> None:
    with publisher(lab, site, jms):
        # No waiting: the address is told when all is there.
        wanted = {path.name for path in FILES.iterdir()} | {"api/state", "api/records"}
        assert jms.files() == wanted
        before = shown(jms)
        wait(lambda: shown(jms) != before)
        assert (jms.page / "lab/index.html").stat().st_mode & 0o777 == 0o644
        assert jms.page.stat().st_mode & 0o777 == 0o755
    assert not jms.page.exists()
    assert page_url(lab) == f"https://{lab.topology.domain}/lab/"


def start(jms: FakeJms, lab: Lab) -> Flow:
    flow = jms(lab, "jms", render_script())
    assert flow.read(len(READY)) == READY
    return flow


def head(path: str, size: int) -> bytes:
    return f"{path} {size}".ljust(HEAD).encode()


def test_labctl_that_is_killed_leaves_nothing(lab: Lab, jms: FakeJms) -> None:
    """The connection's end is what the script sees of it, in the middle of a file, too."""
    flow = start(jms, lab)
    flow.write(head("/api/state", 2) + b"{}" + head("/api/state", 9) + b"{", seconds=5)
    wait(lambda: (jms.page / "lab/api/state").exists())
    assert (jms.page / "lab/api/state").read_text() == "{}"
    flow.finish()
    wait(lambda: not jms.page.exists())
    flow.end()


def test_half_a_file_is_never_shown(lab: Lab, jms: FakeJms) -> None:
    jms.cleans = False
    flow = start(jms, lab)
    flow.write(head("/app.js", 1) + b";" + head("/api/state", 9) + b"{", seconds=5)
    assert flow.end()[0] == 0
    assert jms.files() == {"app.js"}


def test_a_connection_that_says_nothing_ends(
    lab: Lab, jms: FakeJms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is gone does not close its connections."""
    monkeypatch.setattr(publish, "SILENT_SECONDS", 1)
    flow = start(jms, lab)
    wait(lambda: not jms.page.exists())
    flow.end()


def test_what_a_killed_script_left_is_replaced(lab: Lab, site: Site, jms: FakeJms) -> None:
    (jms.page / "lab" / "old").mkdir(parents=True)
    with publisher(lab, site, jms):
        assert not (jms.page / "lab" / "old").exists()
        assert len(jms.flows) == 1
    assert not jms.page.exists()


def test_a_jms_that_comes_back_shows_all_again(lab: Lab, site: Site, jms: FakeJms) -> None:
    with publisher(lab, site, jms):
        wait(lambda: "api/state" in jms.files())
        first = jms.pid
        os.kill(first, signal.SIGTERM)
        wait(lambda: jms.pid != first and {"index.html", "api/records"} <= jms.files())
    assert not jms.page.exists()


def test_only_one_shows_the_page(lab: Lab, site: Site, jms: FakeJms) -> None:
    with publisher(lab, site, jms):
        with pytest.raises(LabError, match="Another 'labctl serve --class'"):
            publisher(lab, site, jms).__enter__()
        wait(lambda: "api/state" in jms.files())


def test_an_nginx_that_does_not_know_the_page_is_named(lab: Lab, site: Site, jms: FakeJms) -> None:
    (jms.sites / "lab.conf").write_text("root /usr/share/jitsi-meet;\n")
    with pytest.raises(LabError, match="nginx does not know") as caught:
        publisher(lab, site, jms).__enter__()
    assert "labctl up" in str(caught.value.hint)
    assert not jms.page.exists()


def test_a_jms_that_does_not_answer_is_told(
    lab: Lab, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "START_SECONDS", 0.3)
    silent = Publisher(lab, site, opener=lambda *_: Flow(["sh", "-c", "exit 255"]))
    with pytest.raises(LabError, match="does not take the class's page"):
        silent.__enter__()
