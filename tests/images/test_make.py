"""Names of images by content, their labels, and what happens when making them goes wrong."""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.process import ProcessError, run
from labctl.images.bakework import in_parallel
from labctl.images.debian import load_release
from labctl.images.debs import Deb
from labctl.images.packages import MAIN_PACKAGES, Package, PackageOrigin, PackageSet, jitsi_set
from labctl.images.packer import TEMPLATES
from labctl.images.plan import RECIPES, ImageKind, Installed, parse_label, plan_images, render_label
from labctl.providers.docker.baking import check_disk
from labctl.spec import load_spec
from labctl.topology import roles
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.releases import known_releases
from labctl.topology.roles import role_facts
from labctl.topology.spec import Packages, RepositoryChannel, Role
from labctl.topology.workdir import ROOT

EXTRA = Deb("jitsi-meet-tokens", "1", "all", Path("tokens.deb"), "e" * 64)


def make_set(*, changed: str | None = None, others: tuple[Deb, ...] = ()) -> PackageSet:
    def package(name: str) -> Package:
        sha256 = ("1" if name == changed else "0") * 64
        deb = Deb(name, "0~standin1", "all", Path("/anywhere") / f"{name}.deb", sha256)
        return Package(name, PackageOrigin.STAND_INS, deb.version, deb)

    return PackageSet(tuple(package(name) for name in MAIN_PACKAGES), others=others)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the names of images depend on."""
    folder = tmp_path / "packer"
    shutil.copytree(TEMPLATES, folder)
    for pattern in (*RECIPES[ImageKind.DISK].base, *RECIPES[ImageKind.DISK].role):
        if not list(folder.glob(pattern)):
            path = folder / pattern.replace("*", "made-for-this-test")
            path.parent.mkdir(exist_ok=True)
            path.write_text("# as it was\n")
    return tmp_path


def names(
    packages: PackageSet,
    *,
    root: Path = ROOT,
    architecture: str = "amd64",
    kind: ImageKind = ImageKind.CONTAINER,
    release: str = "13",
) -> list[str]:
    plan = plan_images(kind, Role, packages, architecture=architecture, release=release, root=root)
    return [plan.base, *(plan.roles[role] for role in Role)]


ALL = ["base", *map(str, Role)]


def changed(before: list[str], after: list[str]) -> list[str]:
    kinds = ["base", *Role]
    return [str(kind) for kind, old, new in zip(kinds, before, after, strict=True) if old != new]


def test_names_are_stable_and_do_not_depend_on_the_machine(project: Path) -> None:
    first = names(make_set())
    assert first == names(make_set(), root=project)
    assert [name.partition(":")[0] for name in first] == [f"labctl/{name}" for name in ALL]
    moved = make_set()
    elsewhere = tuple(
        replace(item, deb=replace(item.deb, file=Path("/other")))
        for item in moved.packages
        if item.deb
    )
    assert names(replace(moved, packages=elsewhere)) == first


@pytest.mark.parametrize(
    ("package", "roles"),
    [
        ("jicofo", ["jms"]),
        ("jitsi-meet-web", ["jms"]),
        ("jitsi-videobridge2", ["jms", "jvb"]),
        ("jitsi-meet-prosody", ["jms", "visitors"]),
    ],
)
def test_a_changed_package_changes_the_roles_that_hold_it(package: str, roles: list[str]) -> None:
    assert changed(names(make_set()), names(make_set(changed=package))) == roles


def test_other_local_packages_count_for_all_roles() -> None:
    after = names(make_set(others=(EXTRA,)))
    assert changed(names(make_set()), after) == ALL[1:]


@pytest.mark.parametrize(
    ("file", "images"),
    [
        ("scripts/install.sh", ALL[1:]),
        ("build.pkr.hcl", ALL[1:]),
        ("scripts/base.sh", ALL),
        ("scripts/container.sh", ALL),
        ("entry/plugins/plugins.pkr.hcl", []),
    ],
)
def test_a_changed_file_changes_what_is_made_with_it(
    project: Path, file: str, images: list[str]
) -> None:
    before = names(make_set(), root=project)
    with (project / "packer" / file).open("a") as text:
        text.write("# changed\n")
    assert changed(before, names(make_set(), root=project)) == images


@pytest.mark.parametrize(
    ("file", "containers", "disks"),
    [
        ("scripts/base.sh", ALL, ALL),
        ("scripts/container.sh", ALL, []),
        ("scripts/vm.sh", [], ALL),
        ("scripts/install.sh", ALL[1:], ALL[1:]),
        ("scripts/finish.sh", ALL[1:], ALL[1:]),
        ("disk/make.sh", [], ALL),
    ],
)
def test_a_file_renames_the_kind_that_is_made_with_it(
    project: Path, file: str, containers: list[str], disks: list[str]
) -> None:
    before = {kind: names(make_set(), root=project, kind=kind) for kind in ImageKind}
    with (project / "packer" / file).open("a") as text:
        text.write("# changed\n")
    after = {kind: names(make_set(), root=project, kind=kind) for kind in ImageKind}
    assert changed(before[ImageKind.CONTAINER], after[ImageKind.CONTAINER]) == containers
    assert changed(before[ImageKind.DISK], after[ImageKind.DISK]) == disks


def test_disks_have_names_that_a_file_and_a_box_can_have(project: Path) -> None:
    found = names(make_set(), root=project, kind=ImageKind.DISK)
    assert [name.rpartition("-")[0] for name in found] == [f"labctl-{name}-13" for name in ALL]
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-13-[0-9a-f]{12}", name) for name in found)


def test_a_recipe_that_lists_a_file_that_is_gone_is_a_defect(project: Path) -> None:
    (project / "packer" / "scripts" / "install.sh").unlink()
    with pytest.raises(FileNotFoundError, match=r"'scripts/install\.sh' finds no file"):
        names(make_set(), root=project)


def test_every_file_of_a_bake_belongs_to_a_recipe() -> None:
    """What nobody lists could change without a new name."""
    listed = {
        path
        for recipe in RECIPES.values()
        for pattern in (*recipe.base, *recipe.role)
        for path in TEMPLATES.glob(pattern)
    }
    made = {*TEMPLATES.glob("*.pkr.hcl"), *TEMPLATES.glob("scripts/*"), *TEMPLATES.glob("disk/*")}
    assert made <= listed


def test_a_changed_release_changes_what_depends_on_it(project: Path) -> None:
    before = names(make_set(), root=project)
    data = project / "packer" / "debian" / "13.json"
    data.write_text(data.read_text().replace('"backports": {', '"backports": { "more": "jq",'))
    assert changed(before, names(make_set(), root=project)) == ALL[1:]
    assert "jq" in data.read_text()


def test_another_release_is_a_file_of_data(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project / "packer" / "debian"
    text = (folder / "13.json").read_text().replace("trixie", "forky")
    (folder / "14.json").write_text(text.replace('"release": 13', '"release": 14'))
    assert known_releases(folder) == ("13", "14")
    monkeypatch.setattr("labctl.spec.readers.known_releases", lambda: known_releases(folder))
    spec, _ = load_spec(None, {"debian": "14"})
    assert Topology.from_json(resolve(spec).to_json()).spec.debian == "14"
    release = load_release("14", folder=folder)
    assert (release.suite, release.backports) == ("forky", "forky-backports")
    now, then = names(make_set()), names(make_set(), root=project, release="14")
    assert changed(now, then) == ["base", *Role]
    assert all(":13-" in name for name in now)
    assert all(":14-" in name for name in then)


def test_a_changed_row_changes_the_image_of_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    before = names(make_set())
    row = role_facts(Role.JMS)
    richer = replace(row, debian=(*row.debian, "jq"))
    monkeypatch.setattr(roles, "TABLE", {**roles.TABLE, Role.JMS: richer})
    assert changed(before, names(make_set())) == ["jms"]


def test_processors_and_channels_have_images_of_their_own() -> None:
    assert len(changed(names(make_set()), names(make_set(), architecture="arm64"))) == len(ALL)
    stable, testing = (
        jitsi_set(Packages(channel=channel)) for channel in list(RepositoryChannel)[:2]
    )
    assert changed(names(stable), names(testing)) == ["jms", "jvb", "visitors"]
    pinned = jitsi_set(Packages(versions={"jicofo": "1.0-1-1"}))
    assert changed(names(stable), names(pinned)) == ["jms"]


def test_label_says_what_is_installed_and_whence() -> None:
    versions = {"jicofo": "0~standin1", "prosody": "13.0.6-1~bpo13+1", "bash": "5.2"}
    found = parse_label(render_label(versions, packages=make_set()))
    assert found == {
        "jicofo": Installed("0~standin1", PackageOrigin.STAND_INS),
        "prosody": Installed("13.0.6-1~bpo13+1", PackageOrigin.DEBIAN),
    }
    assert found["jicofo"].stand_in
    assert Installed("0~standin2", PackageOrigin.DEBS).stand_in
    assert not found["prosody"].stand_in


def test_image_without_a_label() -> None:
    assert parse_label("\n") == {}


@pytest.mark.programs
def test_first_failure_ends_the_programs_of_the_others() -> None:
    started = threading.Event()
    ended: list[str] = []

    def long() -> None:
        started.set()
        try:
            run(["sleep", "60"], timeout=50)
        except ProcessError as error:
            ended.append(error.message)
            raise

    def fail() -> None:
        assert started.wait(10)
        raise LabError("The second failed.")

    with pytest.raises(LabError, match=r"The second failed\."):
        in_parallel([long, fail], jobs=2)
    assert ended == ["'sleep 60' was ended by SIGTERM."]


def test_all_tasks_run() -> None:
    done: list[int] = []
    in_parallel([lambda number=number: done.append(number) for number in range(5)], jobs=2)
    assert sorted(done) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (3, 3)])
def test_no_more_tasks_at_once_than_are_allowed(jobs: int, most: int) -> None:
    lock, seen, now = threading.Lock(), [], 0
    together = threading.Barrier(most)

    def task() -> None:
        nonlocal now
        with lock:
            now += 1
            seen.append(now)
        together.wait(10)
        with lock:
            now -= 1

    in_parallel([task] * 3, jobs=jobs)
    assert max(seen) == most


@pytest.mark.engine
@pytest.mark.programs
@pytest.mark.skipif(shutil.which("docker") is None, reason="needs Docker")
def test_disk_that_is_nearly_full(tmp_path: Path) -> None:
    check_disk(tmp_path, needed=1)
    with pytest.raises(LabError, match="MB free; images need up to") as caught:
        check_disk(tmp_path, needed=1 << 60)
    assert "docker system df" in (caught.value.hint or "")


def test_no_deadline_inside_an_image_is_final() -> None:
    script = (ROOT / "packer" / "scripts" / "vm.sh").read_text()
    assert re.findall(r"device-timeout=([^ ,]+)", script) == ["infinity"]
