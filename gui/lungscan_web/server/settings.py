"""What whoever starts the page can say, and what is refused before anything is opened."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from pathlib import Path

from lungscan.errors import UsageProblem
from lungscan_web.jobs.limits import Limits
from lungscan_web.jobs.models import AUTO

DEFAULT_PORT = 8765
LOCAL = "127.0.0.1"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  compared with, and only after ``auth``

_WIDEST = 7  # bits that addresses of the widest private network, fc00::/7, have in common


@dataclass(frozen=True, slots=True)
class WebSettings:
    """All that ``lungscan web`` can be set to.

    Raises:
        UsageProblem: an address that others reach, without ``auth``; a port or a proxy's address
            that is none, or a proxy that does not reach the page.
    """

    model: str = AUTO
    host: str = LOCAL
    port: int = DEFAULT_PORT  # 0: any that is free
    auth: Path | None = None  # password file
    names: tuple[str, ...] = ()  # by which browsers may call the page, besides its address
    certificate: Path | None = None  # PEM, for TLS
    certificate_key: Path | None = None
    limits: Limits = field(default_factory=Limits)
    proxies: tuple[str, ...] = ()  # addresses or networks of proxies on other machines

    def __post_init__(self) -> None:
        """Refuse what would open the page to strangers."""
        if not self.is_local and self.auth is None:
            raise UsageProblem(
                f"With --host {self.host} others reach the page, so it needs passwords: make a "
                "file with `lungscan web --auth FILE --add-user NAME`, then give --auth FILE too. "
                f"Without --host the page is for this machine alone ({LOCAL})."
            )
        if not 0 <= self.port <= 65535:
            raise UsageProblem(f"--port cannot be {self.port}: it must be from 0 to 65535.")
        if (self.certificate is None) != (self.certificate_key is None):
            raise UsageProblem("Give --certificate and --certificate-key together, or neither.")
        for text in self.proxies:
            _require_proxy(text)
        if self.proxies and self.is_local:
            raise UsageProblem(
                f"--proxy names a proxy on another machine, which does not reach a page at "
                f"{self.host}: give --host and --auth, too. One on this machine needs --name alone."
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the page."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False  # a name: it may lead anywhere

    @property
    def behind_proxy(self) -> bool:
        """Whether browsers come through a proxy of this machine: a local page that has a name."""
        return self.is_local and bool(self.names)

    def believes(self, peer: str) -> bool:
        """Whether what ``peer``, an IP address, says of visitors is taken: it is our own proxy."""
        if self.behind_proxy:
            return True
        try:
            found = ipaddress.ip_address(peer)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found  # as a socket of both kinds writes it
        return any(found in ipaddress.ip_network(text, strict=False) for text in self.proxies)

    @property
    def secure(self) -> bool:
        """Whether what travels is encrypted."""
        return self.certificate is not None

    def hosts(self, port: int) -> frozenset[str]:
        """What may stand in a request's Host header, in small letters."""
        given = {_bracketed(name.lower()) for name in self.names}  # a proxy's port is its own
        if self.is_local:
            own = {"localhost", "127.0.0.1", "::1"}
        elif self.host in _EVERYWHERE:
            own = {"localhost", "127.0.0.1", *_own_names()}
        else:
            own = {self.host.lower()}
        names = given | {_bracketed(name) for name in own}
        plain = names if port == (443 if self.secure else 80) else given
        return frozenset({f"{name}:{port}" for name in names} | plain)


def _require_proxy(text: str) -> None:
    """Refuse what is no address of a proxy of our own. Raises UsageProblem."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise UsageProblem(
            f"--proxy cannot be {text}: it must be an IP address or a network, such as 10.0.0.2 or "
            "10.0.0.0/24."
        ) from None
    if network.prefixlen < _WIDEST:
        raise UsageProblem(
            f"--proxy cannot be {text}: strangers would count as the proxy, too, name any address "
            "as their own and so pass the limit on wrong logins. Give the address of the proxy "
            "alone, such as 10.0.0.2, or its network, such as 10.0.0.0/24."
        )


def _bracketed(name: str) -> str:
    """An address with colons as URLs write it."""
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


def _own_names() -> set[str]:
    """The names and addresses of this machine."""
    name = socket.gethostname().lower()
    try:
        found = {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(name, None)}
    except OSError:
        found = set()
    return {name, socket.getfqdn().lower(), *found}
