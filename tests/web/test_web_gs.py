"""Archives on ``gs://``, through an emulator on loopback: a damaged record in the middle is found again by seeking."""

import gzip

from beam_seed import storage
from beam_seed.records import Failed
from beam_seed.web.archive import read_archive
from beam_seed.web.heuristics import Limits


def member(number):
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>" + b"some words of prose " * 20
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://h.example/{number}\r\nContent-Type: application/http\r\n"
    return gzip.compress(f"{head}Content-Length: {len(http)}\r\n\r\n".encode() + http + b"\r\n\r\n", mtime=0)


def test_an_archive_in_a_bucket_is_read_as_one_on_disk(emulated_bucket, tmp_path):
    damaged = bytearray(member(1))
    damaged[40:80] = bytes(40)
    data = b"".join((member(0), bytes(damaged), member(2)))
    with storage.open_write(storage.join(emulated_bucket, "a.warc.gz")) as out:
        out.write(data)
    (tmp_path / "a.warc.gz").write_bytes(data)
    (found,) = storage.match(storage.join(emulated_bucket, "*.warc.gz"))
    with storage.open_read(found.path) as remote, open(tmp_path / "a.warc.gz", "rb") as local:
        there, here = (list(read_archive(stream, "a", Limits())) for stream in (remote, local))
    assert there == here
    assert [record.path for record in there if not isinstance(record, Failed)] == ["0", "2"]
    assert sum(isinstance(record, Failed) for record in there) == 1
