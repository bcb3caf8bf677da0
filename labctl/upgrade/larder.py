"""The files that apt on a node needs: Jitsi's packages, and what they depend on.

A lab has no way to a mirror.  This machine's apt therefore works out what is missing, from the
node's own list of packages, and downloads it; the node then installs files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labctl.core import process
from labctl.core.errors import PackageError
from labctl.images import apt, jitsi
from labctl.images.bakeinput import render_backports
from labctl.images.bakelog import parse_failure
from labctl.images.debian import Mirror, Release, render_sources
from labctl.images.debs import REPOSITORY_ORIGIN, Deb, write_repository
from labctl.images.packages import Package, PackageOrigin, PackageSet

SECONDS = 900.0
_INST = re.compile(r"^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) .*\[(\S+)\]\)", re.MULTILINE)


class UnmetError(PackageError):
    """Packages that cannot be installed together on this node."""


@dataclass(slots=True)
class Larder:
    """A set of packages as apt sources of their own, in `folder`.

    The set's own files are a local repository and always win.  Debian's lists are fetched only when
    something is needed from there.
    """

    packages: PackageSet
    mirror: Mirror
    release: Release
    folder: Path
    _words: dict[bool, list[str]] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """Every package of the set, the five that images have first."""
        items = (*self.packages.packages, *self.packages.extras)
        return (*(item.name for item in items), *(deb.name for deb in self.packages.others))

    def version_of(self, name: str) -> str:
        """A package's version in the set; empty if the set does not know it."""
        items = (*self.packages.packages, *self.packages.extras)
        known = {item.name: item.version or "" for item in items}
        return known.get(name) or next((d.version for d in self._debs if d.name == name), "")

    def files(self, names: Sequence[str], *, status: str) -> tuple[Path, ...]:
        """The .deb files to install `names` on a node with this dpkg status, dependencies included.

        Errors: UnmetError if apt cannot satisfy the dependencies; LabError if a mirror does not
        answer.
        """
        wanted = [self._with_version(name) for name in names]
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "status"
        file.write_text(status, encoding="utf-8")
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "--allow-downgrades"]
        apart = ["-o", f"Dir::State::Status={file}", "-o", "Debug::NoLocking=true"]
        local = self._try([*install, *wanted, *apart], whole=False)
        found = local if local.code == 0 else self._try([*install, *wanted, *apart], whole=True)
        if found.code != 0:
            raise _unmet(names, found)
        place = self._place(whole=found is not local)
        return tuple(place / "archives" / name for name in parse_simulated(found.output))

    def _try(self, command: Sequence[str], *, whole: bool) -> process.Result:
        """Work out what is needed, and download it if that can be had."""
        words = [*command, *self._options(whole=whole)]
        said = process.run([*words, "--simulate"], check=False, timeout=SECONDS)
        if said.code == 0:
            process.run([*words, "--download-only"], timeout=SECONDS, log=apt.log_file())
        return said

    @property
    def _debs(self) -> list[Deb]:
        items: Iterable[Package] = (*self.packages.packages, *self.packages.extras)
        return [*(item.deb for item in items if item.deb), *self.packages.others]

    def _with_version(self, name: str) -> str:
        version = self.version_of(name)
        return f"{name}={version}" if version else name

    def _place(self, *, whole: bool) -> Path:
        return self.folder / ("whole" if whole else "local")

    def _options(self, *, whole: bool) -> list[str]:
        """apt's options for the set alone; with `whole`, also for Debian's and Jitsi's mirrors."""
        if whole not in self._words:
            place = self._place(whole=whole)
            place.mkdir(parents=True)
            repository = place / "repository"
            write_repository(repository, self._debs)
            words = apt.options_apart(place, self._sources(repository, place=place, whole=whole))
            pins = place / "pins"
            pins.write_text(self._pins(whole=whole), encoding="utf-8")
            words += ["-o", f"Dir::Etc::Preferences={pins}"]
            words += ["-o", "Dir::Etc::PreferencesParts=/dev/null"]
            process.run(["apt-get", "update", *words], timeout=SECONDS, log=apt.log_file())
            self._words[whole] = words
        return self._words[whole]

    def _sources(self, repository: Path, *, place: Path, whole: bool) -> str:
        # With 'file:' apt would use the files in place, and leave none in its archives.
        stanzas = [f"Types: deb\nURIs: copy:{repository}\nSuites: ./\nTrusted: yes\n"]
        if whole:
            stanzas.append(render_sources(self.mirror, self.release))
        if whole and self._needs_jitsi:
            keyring = place / "jitsi.gpg"
            keyring.write_bytes(jitsi.fetch_keyring(self.packages.repository))
            stanzas.append(self.packages.repository.render_source(keyring=keyring))
        return "\n".join(stanzas)

    @property
    def _needs_jitsi(self) -> bool:
        items = (*self.packages.packages, *self.packages.extras)
        return any(item.origin is PackageOrigin.JITSI for item in items)

    def _pins(self, *, whole: bool) -> str:
        pins = [("*", f"release o={REPOSITORY_ORIGIN}", 1001)]
        if whole and self._needs_jitsi:
            pins.append(("*", f'origin "{self.packages.repository.host}"', 100))
        text = "\n".join(f"Package: {p}\nPin: {pin}\nPin-Priority: {n}\n" for p, pin, n in pins)
        return f"{text}\n{render_backports(self.release)}"


def _unmet(names: Sequence[str], said: process.Result) -> UnmetError:
    failure = parse_failure(f"{said.output}\n{said.errors}")
    shown = "".join(f"\n    {line}" for line in failure.lines)
    error = UnmetError(f"apt cannot install {', '.join(names)}: {failure.message}{shown}")
    error.package = failure.package
    return error


def parse_simulated(output: str) -> list[str]:
    """The names of the files that `apt-get --simulate` would install, as apt writes them."""
    return [
        f"{m[1].partition(':')[0]}_{m[2].replace(':', '%3a')}_{m[3]}.deb"
        for m in _INST.finditer(output)
    ]
