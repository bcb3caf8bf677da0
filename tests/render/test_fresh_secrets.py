"""Our module that lets Prosody use a new secret without a restart, in Lua itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from lupa import LuaRuntime

from labctl.topology.spec import Spec
from tests.rendering import fixed_trees

MODULE = "mod_fresh_secrets.lua"
MAIN, MUC, METADATA = "meet.x", "conference.meet.x", "metadata.meet.x"


@dataclass
class Server:
    """What the module sees of a Prosody; `reloaded` is what it loaded again, in order."""

    lua: Any = field(default_factory=lambda: LuaRuntime(unpack_returned_tuples=True))
    options: dict[str, dict[str, str]] = field(default_factory=dict)
    loaded: set[tuple[str, str]] = field(default_factory=set)
    reloaded: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    fails: bool = False

    def start(self, text: str) -> Any:
        """Run the module; what it does when the configuration has been read again."""
        hooks: dict[str, Any] = {}
        table = self.lua.table_from

        def reload(host: str, name: str) -> tuple[bool, str] | bool:
            self.reloaded.append((host, name))
            return (False, "it is broken") if self.fails else True

        manager = {"is_loaded": lambda host, name: (host, name) in self.loaded, "reload": reload}
        config = {
            "getconfig": lambda: table({host: table({}) for host in self.options}),
            "get": lambda host, key: self.options[host].get(key, self.options["*"].get(key)),
        }
        required = {
            "prosody.core.configmanager": table(config),
            "prosody.core.modulemanager": table(manager),
        }
        scope = self.lua.globals()
        scope.require = required.__getitem__
        scope.prosody = table({"hosts": table({MAIN: 1, MUC: 1, METADATA: 1})})
        scope.module = table(
            {
                "set_global": lambda _: None,
                "hook_global": lambda _, event, does: hooks.update({event: does}),
                "log": lambda _, level, text, *words: self.said.append(level),
            }
        )
        self.lua.execute(text)
        return hooks["config-reloaded"]


@pytest.fixture
def text() -> str:
    [found] = {
        file.text
        for tree in fixed_trees(Spec(jvbs=0, visitors=0))
        for file in tree.files
        if file.path.endswith(MODULE)
    }
    return found


@pytest.fixture
def server() -> Server:
    return Server(
        options={"*": {"external_service_secret": "turn"}, MAIN: {"app_secret": "app"}},
        loaded={
            (MAIN, "external_services"), (METADATA, "external_services"),
            (MAIN, "auth_token"), (MUC, "token_verification"),
        },
    )  # fmt: skip


def test_nothing_is_loaded_again_for_the_same_secrets(server: Server, text: str) -> None:
    again = server.start(text)
    server.options["*"]["other"] = "new"
    again()
    assert server.reloaded == []


def test_who_reads_a_new_secret_is_loaded_again_once(server: Server, text: str) -> None:
    again = server.start(text)
    server.options["*"]["external_service_secret"] = "new"
    again()
    again()
    wanted = [(MAIN, "external_services"), (METADATA, "external_services")]
    assert sorted(server.reloaded) == wanted and set(server.said) == {"info"}


def test_a_new_secret_for_tokens_concerns_other_modules(server: Server, text: str) -> None:
    again = server.start(text)
    server.options[MAIN]["app_secret"] = "new"
    again()
    assert set(server.reloaded) == {(MAIN, "auth_token"), (MUC, "token_verification")}


def test_a_module_that_cannot_be_loaded_again_is_an_error_in_the_log(
    server: Server, text: str
) -> None:
    again = server.start(text)
    server.fails = True
    server.options["*"]["external_service_secret"] = "new"
    again()
    assert set(server.said) == {"error"}
