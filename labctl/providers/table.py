"""The providers by name."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.core.errors import LabError
from labctl.providers.base import Provider
from labctl.providers.docker.provider import DockerProvider
from labctl.providers.libvirt.provider import LibvirtProvider
from labctl.providers.virtualbox.provider import VirtualBoxProvider
from labctl.topology.spec import ProviderName

_ALL: tuple[Provider, ...] = (DockerProvider(), LibvirtProvider(), VirtualBoxProvider())
TABLE: Mapping[ProviderName, Provider] = {provider.name: provider for provider in _ALL}


def is_provider(name: ProviderName) -> bool:
    """Whether it names a provider; 'auto' does not."""
    return name in TABLE


def provider_of(name: ProviderName) -> Provider:
    """The provider of that name.  Errors: LabError for 'auto', which must be resolved first."""
    try:
        return TABLE[name]
    except KeyError:
        ready = ", ".join(f"'{name}'" for name in TABLE)
        raise LabError(
            f"Provider '{name}' is not supported yet.", hint=f"Available: {ready}."
        ) from None
