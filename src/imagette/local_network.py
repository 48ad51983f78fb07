"""The addresses at which other devices of the local network, such as phones, find this machine."""

import ipaddress
import re
import socket
from contextlib import suppress

ALL_ADDRESSES = ("0.0.0.0", "::")

# Networks of virtual machines, containers and tunnels, which no phone is in: they come last.
_NO_PHONES = re.compile(
    r"docker|br-|veth|virbr|vmnet|vboxnet|virtualbox|vmware|vethernet|hyper-v|wsl|lxc|lxd|cni"
    r"|flannel|podman|tun|tap|utun|wg|ppp|tailscale|zt|ipsec|awdl|llw|loopback",
    re.IGNORECASE,
)
_HOST_NAME = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}")

# Of the block for documentation (RFC 5737): it is never reached, only asked the way to.
_ELSEWHERE = ("203.0.113.1", 9)


def can_be_reached(address: str) -> bool:
    """Whether other devices may reach what listens on an IP address."""
    return address in ALL_ADDRESSES or not _parse(address).is_loopback


def addresses_for_others(address: str) -> list[str]:
    """Where other devices reach what listens on an IP address, the likeliest first.

    Nothing is sent to find out.

    Args:
        address: IP address that is listened on; 0.0.0.0 and :: stand for all of this machine.

    Returns:
        IP addresses; none where only this machine gets through, or it is in no network.
    """
    if address not in ALL_ADDRESSES:
        return [address] if can_be_reached(address) else []
    version = 6 if ":" in address else 4
    default = _address_of_default_route() if version == 4 else ""
    ranked = [
        (bool(_NO_PHONES.match(name)), _parse(one).is_link_local, one != default, name, one)
        for name, one in _addresses_by_interface()
        if _parse(one).version == version and not _parse(one).is_loopback
    ]
    # An IPv6 address that only counts on its link has the link's name in it, as of this machine.
    return [one for _, link_local, *_, one in sorted(ranked) if version == 4 or not link_local]


def host_names() -> list[str]:
    """The names of this machine, with the one that other devices may find it by (mDNS)."""
    name = socket.gethostname().removesuffix(".local")
    return [name, f"{name}.local"] if _HOST_NAME.fullmatch(name) else []


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(address.partition("%")[0])


def _addresses_by_interface() -> list[tuple[str, str]]:
    """The name and an IP address of each network interface that is up."""
    import psutil  # of the extra `webapp`, as everything that asks

    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    return [
        (name, one.address)
        for name, found in psutil.net_if_addrs().items()
        for one in found
        if name in up and one.family in (socket.AF_INET, socket.AF_INET6)
    ]


def _address_of_default_route() -> str:
    """This machine's address towards everything that is not near; empty where there is no way."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ELSEWHERE)  # a datagram's socket sends nothing before it is told to
        return str(probe.getsockname()[0])
    return ""
