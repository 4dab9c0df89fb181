from __future__ import annotations

import contextlib
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_seed.web.url import MAX_URL_CHARACTERS, RULES, Address, canonicalise

SAME = {
    "scheme": ("http://example.org/a", "https://example.org/a"),
    "scheme's case": ("HTTP://example.org/a", "http://example.org/a"),
    "host's case": ("http://Example.ORG/a", "http://example.org/a"),
    "IDNA": ("http://bücher.example/a", "http://xn--bcher-kva.example/a"),
    "default port": ("http://example.org:80/a", "https://example.org:443/a"),
    "user": ("http://user:secret@example.org/a", "http://example.org/a"),
    "fragment": ("http://example.org/a#section-2", "http://example.org/a"),
    "dot segments": ("http://example.org/x/../a/./b", "http://example.org/a/b"),
    "white space": (" http://example.org/a\n", "http://example.org/a"),
    "percent-encoding": ("http://example.org/%7euser/%c3%bc?q=%2d", "http://example.org/~user/ü?q=-"),
    "host": ("http://www.example.org./a", "http://example.org/a"),
    "path-session": ("http://example.org/a;jsessionid=0A1B?x=1", "http://example.org/a?x=1"),
    "path-session of ASP.NET": ("http://example.org/(S(lit3py55))/a", "http://example.org/a"),
    "index-page": ("http://example.org/a/index.html", "http://example.org/a"),
    "trailing slash": ("http://example.org/a//b/", "http://example.org/a/b"),
    "tracking": ("http://example.org/a?utm_source=x&UTM_Medium=y&fbclid=z&id=1", "http://example.org/a?id=1"),
    "session": ("http://example.org/a?PHPSESSID=12&t=3", "http://example.org/a?t=3"),
    "sorted-query": ("http://example.org/a?b=2&a=1", "http://example.org/a?a=1&b=2"),
    "empty query": ("http://example.org/a?", "http://example.org/a"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_spellings_of_one_address(one, other):
    assert canonicalise(one) == canonicalise(other)


DIFFERENT = {
    "host": ("http://a.example.org/", "http://b.example.org/"),
    "port": ("http://example.org:8080/", "http://example.org/"),
    "path's case": ("http://example.org/A", "http://example.org/a"),
    "encoded slash": ("http://example.org/a%2Fb", "http://example.org/a/b"),
    "parameter": ("http://example.org/viewtopic.php?t=1", "http://example.org/viewtopic.php?t=2"),
    "repeated parameter": ("http://example.org/?a=1&a=1", "http://example.org/?a=1"),
    "value that looks like tracking": ("http://example.org/?q=utm_source", "http://example.org/"),
    "name that only begins like an index": ("http://example.org/indexing.html", "http://example.org/"),
    "www as the domain": ("http://www.com/", "http://com/"),
}


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_different_addresses_stay_apart(one, other):
    assert canonicalise(one) != canonicalise(other)


def test_a_host_itself_has_a_path():
    assert canonicalise("http://example.org") == Address("example.org", "/")
    assert canonicalise("http://example.org/index.php?b&a=") == Address("example.org", "?a=&b")


def test_every_rule_changes_some_address():
    # Without a rule, the pair that is named after it must come apart.
    for name in RULES:
        one, other = (_without(name, url) for url in SAME[name])
        assert one != other, name


def _without(rule, url):
    kept = RULES[rule]
    try:
        RULES[rule] = lambda parts: parts
        return canonicalise(url)
    finally:
        RULES[rule] = kept


@pytest.mark.parametrize(
    "url",
    ["", "example.org/a", "ftp://example.org/a", "javascript:alert(1)", "dns:example.org", "http://", "http://a b/", "http://[::1", "\0"],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError, match="expected http"):
        canonicalise(url)


def test_a_huge_address_is_refused():
    with pytest.raises(ValueError, match=r"8,193 characters; expected at most 8,192"):
        canonicalise("http://example.org/".ljust(MAX_URL_CHARACTERS + 1, "a"))


def test_lone_surrogates_are_refused_or_read_but_never_crash():
    with contextlib.suppress(ValueError):
        assert canonicalise("http://example.org/\ud800").host == "example.org"


_TEXT = st.text(st.sampled_from("aA1%2eE7f;=&?/()S.:ü日-_~+ #@\\"), max_size=40)
_URLS = st.builds(
    "http://{}{}/{}".format, st.sampled_from(["", "www.", "www.www."]), st.sampled_from(["h.org", "h.org.", "h.org:8080"]), _TEXT
)


@given(_URLS)
@example("http://h.org/%%34%31")
@example("http://h.org/index.php/index.html/")
@example("http://h.org/a;sid=1;sid=2/(A(b))/(S(c))/index.htm;sid=3")
def test_canonical_addresses_are_fixed_points(url):
    found = canonicalise(url)
    assert canonicalise(f"http://{found.host}/{found.path}") == found


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "utm_x", "q"]), st.text("xyz1", max_size=3)), max_size=6))
def test_no_parameter_is_lost_or_added(pairs):
    query = "&".join(f"{name}={value}" for name, value in pairs)
    found = canonicalise(f"http://h.org/p?{query}")
    kept = parse_qsl(urlsplit("/" + found.path).query, keep_blank_values=True)
    assert kept == sorted(pair for pair in pairs if not pair[0].startswith("utm_"))
    assert found == Address("h.org", found.path)
