"""Canonical addresses: the many spellings of one page's address become one (host, path).

The WHATWG parser (ada) does what the standard says of every URL; the named rules below undo what sites and links add to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import ada_url

MAX_URL_CHARACTERS = 8192
"""Longer ones are data, not addresses: servers and browsers' address bars refuse them from about here on."""


class Address(NamedTuple):
    """An address without scheme, user and fragment: http and https are one page."""

    host: str  # lower case, IDNA as ASCII, with a port where it is not the scheme's own
    path: str  # without its leading slash, '?' and the query included; '/' for a host's own page


class _Parts(NamedTuple):
    host: str
    path: str
    query: tuple[str, ...]  # 'name=value' as written, percent-encoding normalised


def canonicalise(url: str) -> Address:
    """The canonical address of ``url``.

    The parser lowers scheme and host, encodes the host by IDNA, drops tabs, line ends, the scheme's own port, ``.`` and ``..``; then
    RULES apply in their order. Idempotent. Raises ValueError on what is no http(s) address or is longer than 8,192 characters.

    >>> canonicalise("HTTP://www.Example.com:80/a/../docs/index.html?utm_source=x&b=2&a=1#top")
    Address(host='example.com', path='docs?a=1&b=2')
    """
    parts = _parse(url)
    for rule in RULES.values():
        parts = rule(parts)
    path = parts.path.removeprefix("/") + ("?" + "&".join(parts.query) if parts.query else "")
    return Address(parts.host, path or "/")


def _parse(url: str) -> _Parts:
    if len(url) > MAX_URL_CHARACTERS:
        raise ValueError(f"an address of {len(url):,} characters; expected at most {MAX_URL_CHARACTERS:,}")
    try:
        parsed = ada_url.URL(url.strip())
    except (ValueError, UnicodeError):
        raise ValueError(f"{url[:200]!r} is no address; expected http://HOST/PATH or https://HOST/PATH") from None
    if parsed.protocol not in ("http:", "https:"):
        raise ValueError(f"{url[:200]!r} has scheme {parsed.protocol[:50]!r}; expected http: or https:")
    return _Parts(parsed.host, parsed.pathname, tuple(filter(None, parsed.search.removeprefix("?").split("&"))))


_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")


def _normal_escape(match: re.Match[str]) -> str:
    if match[1] is None:
        return "%25"
    code = int(match[1], 16)
    return chr(code) if code in _UNRESERVED else f"%{code:02X}"


def _percent_encoding(parts: _Parts) -> _Parts:
    """``%7e`` is ``~`` and ``%c3`` is ``%C3`` (RFC 3986, 6.2.2); a percent sign that escapes nothing is ``%25``."""
    path, *query = (_ESCAPE.sub(_normal_escape, text) if "%" in text else text for text in (parts.path, *parts.query))
    return parts._replace(path=path, query=tuple(query))


def _host(parts: _Parts) -> _Parts:
    """``www.`` and the root's trailing dot name the same host."""
    name, colon, port = parts.host.partition(":") if not parts.host.startswith("[") else (parts.host, "", "")
    name = name.rstrip(".") or name
    while name.startswith("www.") and "." in name[4:].strip("."):
        name = name[4:].lstrip(".")
    return parts._replace(host=name + colon + port)


_PATH_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;]*|/\((?:[A-Z]\([^/()]*\))+\)(?=/)", re.IGNORECASE)


def _path_session(parts: _Parts) -> _Parts:
    """``;jsessionid=...`` (servlets) and ``/(S(...))/`` (ASP.NET) identify a visitor, not a page."""
    return parts._replace(path=_PATH_SESSION.sub("", parts.path)) if ";" in parts.path or "(" in parts.path else parts


_INDEX_PAGE = re.compile(r"(?:index|default)\.(?:html?|xhtml|shtml|php\d?|aspx?|jsp|cgi)", re.IGNORECASE)


def _index_page(parts: _Parts) -> _Parts:
    """Repeated slashes are one, a folder's index page is the folder, and its trailing slash says nothing."""
    segments = [segment for segment in parts.path.split("/") if segment]
    while segments and _INDEX_PAGE.fullmatch(segments[-1]):
        segments.pop()
    return parts._replace(path="/" + "/".join(segments))


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Parameters that only tell where a visitor came from, or who it is.
_TRACKING = _names("""
    gclid gclsrc dclid gbraid wbraid gad_source fbclid msclkid yclid twclid ttclid igshid igsh li_fat_id srsltid mc_cid mc_eid mkt_tok
    _ga _gl _hsenc _hsmi __hstc __hssc __hsfp hsctatracking vero_id wickedid oly_enc_id oly_anon_id s_cid cmpid spm scm hmsr
    ref_src ref_url share_token
""")
_TRACKING_PREFIXES = ("utm_", "pk_", "mtm_", "matomo_", "piwik_", "wt.", "at_medium", "at_campaign", "ga_")
_SESSIONS = _names("phpsessid jsessionid sid session sessionid session_id sess_id zenid oscsid cfid cftoken")
_SESSION_PREFIXES = ("aspsessionid",)


def _dropping(names: frozenset[str], prefixes: tuple[str, ...]) -> Callable[[_Parts], _Parts]:
    def drop(parts: _Parts) -> _Parts:
        if not parts.query:
            return parts
        named = [(each.partition("=")[0].lower(), each) for each in parts.query]
        return parts._replace(query=tuple(each for name, each in named if name not in names and not name.startswith(prefixes)))

    return drop


def _sorted_query(parts: _Parts) -> _Parts:
    """The order of parameters says nothing."""
    return parts._replace(query=tuple(sorted(parts.query)))


RULES: Mapping[str, Callable[[_Parts], _Parts]] = {
    "percent-encoding": _percent_encoding,
    "host": _host,
    "path-session": _path_session,
    "index-page": _index_page,
    "tracking": _dropping(_TRACKING, _TRACKING_PREFIXES),
    "session": _dropping(_SESSIONS, _SESSION_PREFIXES),
    "sorted-query": _sorted_query,
}
"""Name of each rule and what it does, in order."""
