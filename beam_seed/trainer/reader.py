"""Reads training shards: the sequence at any position, in order, from any position on, without reading what is before it.

Progress through shards is one number, the sequences consumed: a position names an epoch, a file, a row group and a row, so a reader
starts anywhere at the price of one row group, whatever number of processes read before. ``python -m beam_seed.trainer.reader
--shards=DIR`` tells how fast it is.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed.options import not_negative, option, parse, positive
from beam_seed.shards.format import FORMAT, SEQUENCES, Manifest, parse_manifest


class Sequences(NamedTuple):
    """Consecutive sequences, ``n`` of them, of ``length`` tokens each."""

    ids: npt.NDArray[np.uint8]  # n x 16
    tokens: npt.NDArray[np.int32]  # n x length
    pieces: list[npt.NDArray[np.int32]]  # of each sequence, the lengths of its pieces


class Shards:
    """A directory of training shards, local or ``gs://``.

    Raises FileNotFoundError where there is none, ValueError on one of another format. A file that is not as the manifest says, or that is
    damaged, raises ValueError with its name when it is read.
    """

    def __init__(self, directory: str):
        self.directory = directory.rstrip("/")
        self.manifest = _manifest(self.directory)
        self._ends = list(accumulate(shard.sequences for shard in self.manifest.shards))
        self._row_groups: dict[int, list[int]] = {}  # of a shard, where each ends
        self._open: tuple[int, pq.ParquetFile] | None = None
        self._held: tuple[tuple[int, int], Sequences] | None = None  # the last row group: most often it has the next sequences too

    def __len__(self) -> int:
        return self.manifest.sequences

    def read(self, start: int, stop: int) -> Iterator[Sequences]:
        """Sequences ``start`` to ``stop``, a row group's part at a time; positions at and above ``len`` are of later epochs.

        Later epochs repeat the order of the first. Raises ValueError where a file is damaged.
        """
        while start < stop:
            position = start % len(self)
            shard = bisect_right(self._ends, position)
            row = position - (self._ends[shard - 1] if shard else 0)
            try:
                group, first = self._locate(shard, row)
                rows = self._row_group(shard, group)
            except (OSError, pa.ArrowException, EOFError) as error:
                raise ValueError(f"{self._path(shard)} cannot be read ({error}); expected the Parquet file of the manifest") from error
            found = _slice(rows, row - first, stop - start)
            yield found
            start += len(found.ids)

    def tokenizer(self) -> bytes:
        """``tokenizer.json``. Raises ValueError where it is not the manifest's."""
        path = f"{self.directory}/tokenizer/tokenizer.json"
        with _open(path) as file:
            text = file.read()
        if hashlib.sha256(text).hexdigest() != self.manifest.tokenizer:
            raise ValueError(f"{path} is another than the manifest's (SHA-256 {self.manifest.tokenizer}); expected the one of the shards")
        return text

    def verify(self) -> None:
        """Read every byte once. Raises ValueError where a shard's digest is not the manifest's."""
        for shard in self.manifest.shards:
            with _open(f"{self.directory}/{shard.path}") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != shard.sha256:
                raise ValueError(f"{self.directory}/{shard.path} has SHA-256 {found}; expected {shard.sha256}: copy it again")

    def _path(self, shard: int) -> str:
        return f"{self.directory}/{self.manifest.shards[shard].path}"

    def _file(self, shard: int) -> pq.ParquetFile:
        if self._open and self._open[0] == shard:
            return self._open[1]
        if self._open:
            self._open[1].close(force=True)
        told, raw = self.manifest.shards[shard], _open(self._path(shard))
        size = raw.seek(0, io.SEEK_END)
        if size != told.size:
            raise ValueError(f"{self._path(shard)} has {size} bytes; expected the {told.size} of the manifest: copy it again")
        file = pq.ParquetFile(raw, page_checksum_verification=True)
        if file.metadata.num_rows != told.sequences:
            raise ValueError(f"{self._path(shard)} has {file.metadata.num_rows} sequences; expected the {told.sequences} of the manifest")
        if missing := [field.name for field in SEQUENCES if not _same_type(file.schema_arrow, field)]:
            raise ValueError(f"{self._path(shard)} has no columns {', '.join(missing)} of the expected types; expected {FORMAT}")
        self._open = (shard, file)
        return file

    def _locate(self, shard: int, row: int) -> tuple[int, int]:
        """The row group that holds ``row`` of a shard, and its own first row."""
        if shard not in self._row_groups:
            metadata = self._file(shard).metadata
            self._row_groups[shard] = list(accumulate(metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)))
        ends = self._row_groups[shard]
        group = bisect_right(ends, row)
        return group, ends[group - 1] if group else 0

    def _row_group(self, shard: int, group: int) -> Sequences:
        if self._held is None or self._held[0] != (shard, group):
            file = self._file(shard)
            paths = [file.schema.column(n).path for n in range(len(file.schema))]
            lengths = next(path for path in paths if path.startswith("pieces.") and path.endswith(".length"))
            table = file.read_row_group(group, columns=["id", "tokens", lengths])
            self._held = (shard, group), _checked(table, self.manifest, self._path(shard))
        return self._held[1]


def _checked(table: pa.Table, manifest: Manifest, path: str) -> Sequences:
    rows, length = len(table), manifest.sequence_length
    tokens = _column(table, "tokens")
    flat, widths = _flat(tokens.flatten()), _flat(tokens.value_lengths())
    if not (widths == length).all():
        raise ValueError(f"{path} has a sequence of {widths[widths != length][0]} tokens; expected {length}")
    if (wrong := flat[(flat < 0) | (flat >= manifest.vocabulary)]).size:
        raise ValueError(f"{path} has the token {wrong[0]}; expected 0 to {manifest.vocabulary - 1}")
    pieces = _column(table, "pieces")
    ends = np.cumsum(_flat(pieces.value_lengths()))
    split = np.split(_flat(pieces.flatten().field("length")), ends[:-1])
    if any((len(each) and each.min() < 1) or each.sum() > length for each in split):
        raise ValueError(f"{path} has pieces that do not fit; expected lengths of 1 and more that sum to at most {length}")
    ids = np.frombuffer(b"".join(_column(table, "id").to_pylist()), np.uint8).reshape(rows, 16)
    return Sequences(ids, flat.reshape(rows, length), split)


def _column(table: pa.Table, name: str) -> Any:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _flat(array: Any) -> npt.NDArray[np.int32]:
    return cast(npt.NDArray[np.int32], array.to_numpy(zero_copy_only=False))


def _slice(rows: Sequences, start: int, limit: int) -> Sequences:
    part = slice(start, start + limit)
    return Sequences(rows.ids[part], rows.tokens[part], rows.pieces[part])


def _same_type(schema: pa.Schema, field: pa.Field) -> bool:
    # Names of a list's elements and what may be null differ between writers; what the columns hold does not.
    found = schema.field(field.name).type if field.name in schema.names else None
    if not pa.types.is_list(field.type):
        return bool(found == field.type)
    if found is None or not pa.types.is_list(found):
        return False
    if pa.types.is_struct(field.type.value_type):
        return pa.types.is_struct(found.value_type) and found.value_type.get_field_index("length") >= 0
    return bool(found.value_type == field.type.value_type)


def _manifest(directory: str) -> Manifest:
    path = f"{directory}/manifest.json"
    with _open(path) as file:
        text = file.read()
    return parse_manifest(text, path)


def _open(path: str) -> io.BufferedIOBase:
    """A seekable reader. Raises FileNotFoundError where there is no such file."""
    if not path.startswith("gs://"):
        return open(path, "rb")
    # Not by Beam's file systems: a trainer's machine needs no Beam.
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage

    bucket, _, name = path.removeprefix("gs://").partition("/")
    try:
        blob = storage.Client().bucket(bucket).get_blob(name)
    except (GoogleAPIError, GoogleAuthError) as error:
        raise FileNotFoundError(f"{path} cannot be read ({error})") from error
    if blob is None:
        raise FileNotFoundError(f"{path} is not there")
    return cast(io.BufferedIOBase, blob.open("rb"))


def chain(digest: bytes, ids: Iterator[bytes] | Sequence[bytes]) -> bytes:
    """The digest of a list of ids, from that of what was before them: SHA-256 of (digest before, id), one id after the other."""
    for each in ids:
        digest = hashlib.sha256(digest + each).digest()
    return digest


@dataclass
class Options:
    """How fast shards are read: tokens per second of one reader, and the digest of the sequences' ids in order."""

    shards: str = option("", "Directory of training shards, local or gs://.")
    start: int = option(0, "Sequence to begin with.", check=not_negative)
    sequences: int = option(0, "Sequences to read; 0: to the end.", check=not_negative)
    batch: int = option(32, "Sequences of a batch.", check=positive)
    verify: bool = option(False, "First compare the SHA-256 of every shard with the manifest's.")


def measure(options: Options) -> dict[str, Any]:
    """Read as a process of a training run does. Raises ValueError or FileNotFoundError where the shards cannot be read."""
    from beam_seed.trainer.batches import Batches  # torch takes seconds to import

    shards = Shards(options.shards)
    if options.verify:
        shards.verify()
    stop = min(options.start + options.sequences, len(shards)) if options.sequences else len(shards)
    digest, sequences, text, started, cpu = bytes(32), 0, 0, time.perf_counter(), time.process_time()
    for batch in Batches(options.shards, options.start, stop, options.batch):
        ids = batch.ids[: min(options.batch, stop - options.start - sequences)]
        digest = chain(digest, [row.tobytes() for row in ids.numpy()])
        sequences += len(ids)
        text += int(batch.text.sum())
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    tokens = sequences * shards.manifest.sequence_length
    figures = {"tokens_per_second": round(tokens / seconds), "tokens_per_cpu_second": round(tokens / cpu)}
    return {"sequences": sequences, "tokens": tokens, "text": text, "seconds": round(seconds, 3), "digest": digest.hex(), **figures}


def main(argv: Sequence[str] | None = None) -> None:
    options, _ = parse(Options, sys.argv[1:] if argv is None else argv, "beam_seed.trainer.reader")
    print(json.dumps(measure(options), indent=1))


if __name__ == "__main__":
    main()
