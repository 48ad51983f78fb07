"""Who looks at the page: the API counts the lessons of each, and the page asks for all of them."""

import os
import re

import streamlit as st

_ADDRESS = re.compile(r"[0-9A-Fa-f:.%\[\]]{2,60}")


def visitor_address() -> str:
    """Address of whoever looks at the page; empty where it is this machine's, or is not known.

    As many proxies in front are believed about it as `IMAGETTE_TRUSTED_PROXIES` says.
    """
    proxies = os.environ.get("IMAGETTE_TRUSTED_PROXIES", "")
    address = st.context.ip_address or ""
    forwarded = ",".join(st.context.headers.get_all("X-Forwarded-For"))
    if not proxies.isdecimal() or not int(proxies):
        # All who come through a proxy that is not believed are one visitor, its own address.
        address = address or ("127.0.0.1" if forwarded else "")
    else:
        told = forwarded.split(",")
        address = told[-int(proxies)].strip() if len(told) >= int(proxies) else ""
    return address if _ADDRESS.fullmatch(address) else ""
