"""What the output of failed bakes says, as apt, dpkg and Packer really wrote it."""

from __future__ import annotations

import pytest

from labctl.images.bakelog import own_lines, parse_failure


def packer(*lines: str) -> str:
    said = [f"2026-11-21T14:00:01Z:     docker.role: {line}\n" for line in lines]
    return "".join(
        [
            "2026-11-21T14:00:00Z: ==> docker.role: Provisioning with shell script: install.sh\n",
            *said,
            "2026-11-21T14:00:03Z: ==> docker.role: Provisioning step had errors: Running\n",
            "2026-11-21T14:00:04Z: Build 'docker.role' errored after 21 seconds: exited with 1\n",
            "==> Builds finished but no artifacts were created.\n",
        ]
    )


def test_packers_own_talk_is_left_out() -> None:
    assert own_lines(packer("check: it is wrong", "")) == [
        "Provisioning with shell script: install.sh",
        "check: it is wrong",
    ]
    assert own_lines("Error: Unsupported argument\n\n  on x.hcl line 3:\n") == [
        "Error: Unsupported argument",
        "  on x.hcl line 3:",
    ]


def test_failed_script_is_named_with_what_it_printed() -> None:
    failure = parse_failure(
        packer(
            "Setting up ruby-hocon (1.2.5) ...",
            "Setting up jicofo (1.0-1200-1) ...",
            "cannot open the thing",
            "dpkg: error processing package jicofo (--configure):",
            " installed jicofo package post-installation script subprocess returned error exit"
            " status 3",
            "Errors were encountered while processing:",
            " jicofo",
            "E: Sub-process /usr/bin/dpkg returned an error code (1)",
        )
    )
    assert failure.package == "jicofo"
    assert failure.message == ("the post-installation script of 'jicofo' ended with exit status 3.")
    assert failure.lines[:2] == ("Setting up jicofo (1.0-1200-1) ...", "cannot open the thing")
    assert not any("ruby-hocon" in line for line in failure.lines)


@pytest.mark.parametrize(
    ("line", "package", "message"),
    [
        (
            " jicofo : Depends: openjdk-99-jre but it is not installable",
            "jicofo",
            "cannot satisfy what 'jicofo' depends on",
        ),
        (
            "E: Version '1.0-9' for 'jicofo' was not found",
            None,
            "finds no 'jicofo' in version '1.0-9'",
        ),
        ("E: Unable to locate package jicofoo", None, "finds no 'jicofoo'"),
        ("check: package 'jicofo' is half-configured", "jicofo", "'jicofo' is half-configured"),
        ("check: Lua 5.4 lacks inspect or basexx", None, "Lua 5.4 lacks inspect or basexx."),
        (
            "E: Failed to fetch http://x/jicofo.deb  File has unexpected size (9 != 12).",
            None,
            "is damaged or cut off",
        ),
        (
            "W: GPG error: http://x stable/ InRelease: Missing key FFD6, which is needed to verify"
            " signature.",
            None,
            "it is signed by another key",
        ),
        ("something else", None, ""),
    ],
    ids=["dependency", "version", "package", "half", "check", "damaged", "foreign key", "other"],
)
def test_cause_in_a_sentence(line: str, package: str | None, message: str) -> None:
    failure = parse_failure(packer("Reading package lists...", line))
    assert failure.package == package
    assert message in failure.message
    assert line in failure.lines
