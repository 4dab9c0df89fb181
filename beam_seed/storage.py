"""Files wherever Beam reads them: local paths, gs:// and every other registered scheme, through one small set of functions."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

_RAW = CompressionTypes.UNCOMPRESSED  # we unpack ourselves, with limits; Beam must not guess from the file's name


_CHUNK = 1 << 20  # bytes that are read at once

_FULL = (errno.ENOSPC, errno.EDQUOT)

_REMEDY = "; free some space there and run it again"


class FileInfo(NamedTuple):
    path: str
    size: int  # bytes
    modified: float  # seconds since the epoch; 0.0 where the file system does not tell


def is_local(path: str) -> bool:
    """Whether ``path`` is on this machine's own file system."""
    return FileSystems.get_scheme(path) is None


def join(base: str, *parts: str) -> str:
    """``base`` and ``parts`` as one path of the base's own file system."""
    return FileSystems.join(base, *parts)


def escape(path: str) -> str:
    """A pattern that matches nothing but ``path``, whatever ``*``, ``?`` and ``[`` are in it."""
    return glob.escape(path)


def match(pattern: str) -> list[FileInfo]:
    """Files that match ``pattern`` (``*`` within a folder, ``**`` across), sorted by path; an empty list where none does."""
    found = FileSystems.match([pattern])[0].metadata_list
    return sorted(FileInfo(m.path, m.size_in_bytes, m.last_updated_in_seconds or 0.0) for m in found)


def exists(path: str) -> bool:
    return bool(FileSystems.exists(path))


def open_read(path: str) -> BinaryIO:
    """A seekable binary reader. Raises the file system's own error (``BeamIOError``/``OSError``) where there is no such file."""
    if is_local(path):
        return open(path, "rb")
    return cast(BinaryIO, FileSystems.open(path, compression_type=_RAW))


@contextlib.contextmanager
def open_write(path: str) -> Iterator[BinaryIO]:
    """A binary writer whose file appears under ``path`` only when the block ends without an exception."""
    if not is_local(path):
        # Cloud Storage publishes an object when it is closed, and its writer drops the upload when the block raises.
        with FileSystems.create(path, compression_type=_RAW) as remote:
            yield remote
        return
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    with naming_full_disk(path):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        try:
            with open(temporary, "wb") as local:
                yield local
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)
            raise


@contextlib.contextmanager
def naming_full_disk(path: str) -> Iterator[None]:
    """Within the block, the error of a disk that is full names ``path``, as the system's own of a write does not."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL and _REMEDY not in str(error):  # else a block within this one has named it
            raise OSError(error.errno, os.strerror(error.errno) + _REMEDY, path) from error
        raise


def digest(path: str) -> tuple[int, str]:
    """Bytes of a file and their SHA-256 as hex."""
    size, found = 0, hashlib.sha256()
    with open_read(path) as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            found.update(chunk)
    return size, found.hexdigest()


def write_json(path: str, value: Any) -> None:
    """Write ``value`` as sorted, indented JSON, atomically."""
    with open_write(path) as out:
        out.write((json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())


def read_json(path: str) -> Any:
    with open_read(path) as file:
        return json.loads(file.read())


def move(path: str, target: str) -> None:
    """Put a file in the place of ``target``, whether there is one or not; both are on one file system."""
    if is_local(path):
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        os.replace(path, target)
    else:
        FileSystems.rename([path], [target])


def delete_tree(path: str) -> None:
    """Delete ``path`` and all below it; no error where there is nothing. ``path`` is a name, never a pattern."""
    if is_local(path):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
        return
    # An object store has no folders: deleting the name of one would delete nothing and say nothing.
    found = [info.path for info in match(join(escape(path), "**"))] + ([path] if exists(path) else [])
    if found:
        FileSystems.delete([escape(each) for each in found])


def discard(path: str) -> None:
    """Delete scratch of a job whose record is written: what cannot be deleted is left, and told in the log, since the output is whole."""
    try:
        delete_tree(path)
    except Exception as error:  # the clients of object stores raise classes of their own
        logging.warning("%s is left and can be deleted: %s", path, error)
