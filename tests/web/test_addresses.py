from __future__ import annotations

import json

from beam_seed.curation.datasets import shard_path, write_table
from beam_seed.exact_dedup.duplicates import find_duplicates
from beam_seed.members import MEMBERS, SHARD_BITS
from beam_seed.packing import pack_table, unpack_tables
from beam_seed.records import document_id
from beam_seed.web.addresses import address_members, same_addresses
from beam_seed.web.datasets import pages_table
from beam_seed.web.records import Extracted, Response, make_page


def page(source, path, date):
    response = Response(source, 0, f"http://h.example/{path}", date, "text/html", "", b"")
    return make_page(response, "h.example", path, Extracted("", f"text of {source}", "utf-8", "", 0, 0, 9, 0.0))


def dropped(tmp_path, *shards):
    """(shard, row) -> rejection."""
    packed = []
    for number, pages in enumerate(shards):
        write_table(shard_path(str(tmp_path), "documents", number), pages_table(pages))
        packed.append(address_members(str(tmp_path), number))
    verdicts = find_duplicates(unpack_tables(packed, MEMBERS))
    found = {}
    for number in range(len(shards)):
        own = [row for row in verdicts.to_pylist() if row["member"] >> SHARD_BITS == number]
        told = same_addresses([pack_table(verdicts.from_pylist(own, schema=verdicts.schema))])
        found |= {(number, row): rejection for row, rejection in told.items()}
    return found


def test_the_newest_capture_is_kept_across_archives(tmp_path):
    old, new = page("a.warc", "x", "2023-01-01T00:00:00Z"), page("b.warc", "x", "2024-06-01T00:00:00Z")
    found = dropped(tmp_path, [old, page("a.warc", "y", "2023-01-01T00:00:00Z")], [new])
    assert set(found) == {(0, 0)}
    rejection = found[0, 0]
    assert (rejection["stage"], rejection["rule"]) == ("url_dedup", "same-address")
    kept = json.loads(rejection["evidence"])["kept"]
    assert kept == {"id": document_id("b.warc", "h.example", "x"), "source": "b.warc", "repo": "h.example", "path": "x"}


def test_a_capture_without_a_date_comes_last_and_ties_go_by_name(tmp_path):
    dates = ("", "nonsense", "1990-01-01T00:00:00Z")
    assert set(dropped(tmp_path, [page(f"{n}.warc", "x", date) for n, date in enumerate(dates)])) == {(0, 0), (0, 1)}
    same = [page(source, "x", "2024-01-01T00:00:00Z") for source in ("b.warc", "a.warc")]
    assert set(dropped(tmp_path, same)) == {(0, 0)}


def test_offsets_of_time_zones_count(tmp_path):
    pages = [page("a.warc", "x", "2024-01-01T01:00:00+02:00"), page("b.warc", "x", "2024-01-01T00:00:00Z")]
    assert set(dropped(tmp_path, pages)) == {(0, 0)}


def test_equal_texts_of_two_addresses_are_no_matter_here(tmp_path):
    assert dropped(tmp_path, [page("a.warc", "x", ""), page("a.warc", "y", "")]) == {}
