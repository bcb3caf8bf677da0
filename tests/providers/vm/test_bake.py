"""What a machine is given to install, where that differs from a container."""

from __future__ import annotations

import pytest

from labctl.providers.vm.bake import seen_from_inside


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("URIs: http://127.0.0.1:3142/debian\n", "URIs: http://10.0.2.2:3142/debian\n"),
        (
            'Acquire::http::Proxy "http://localhost:3128";',
            'Acquire::http::Proxy "http://10.0.2.2:3128";',
        ),
        ('Acquire::http::Proxy "http://localhost";', 'Acquire::http::Proxy "http://10.0.2.2";'),
        ("URIs: http://ann:secret@[::1]/debian", "URIs: http://ann:secret@10.0.2.2/debian"),
        ("URIs: http://mirror.example/localhost", "URIs: http://mirror.example/localhost"),
        ("URIs: http://localhost.example/debian", "URIs: http://localhost.example/debian"),
        ("URIs: file:/tmp/labctl-bake/repository", "URIs: file:/tmp/labctl-bake/repository"),
    ],
)
def test_this_machines_loopback_is_the_gateway_there(text: str, seen: str) -> None:
    assert seen_from_inside(text) == seen
