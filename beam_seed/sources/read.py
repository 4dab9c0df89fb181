"""One repository -> records: a Document of every text file, a Rejected or Failed of everything else, each member exactly once."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from beam_seed import storage
from beam_seed.records import Document, Failed, Judgement, Rejected, document_id
from beam_seed.sources import git
from beam_seed.sources.archive import open_archive, temporary_file
from beam_seed.sources.decode import NoText, decode
from beam_seed.sources.license import MAX_METADATA_BYTES, declared_license, metadata_paths
from beam_seed.sources.metadata import NO_METADATA, MetadataIndex, RepoMetadata
from beam_seed.sources.repository import (
    MAX_PATH_BYTES,
    Limits,
    Member,
    Repository,
    display,
    is_machine_error,
    path_fault,
)
from beam_seed.sources.tree import LocalTree, RemoteTree
from beam_seed.sources.units import Unit
from beam_seed.sources.vendored import vendored_folder

STAGE = "read"

LFS_POINTER = "version https://git-lfs.github.com/spec/"
_LFS_POINTER_BYTES = 1024  # "must be less than 1024 bytes", Git LFS specification

_COPY_CHUNK = 1 << 20


def read_unit(unit: Unit, limits: Limits | None = None, metadata: MetadataIndex = NO_METADATA) -> Iterator[Judgement]:
    """The records of one repository, in order of path (of the bytes of its UTF-8).

    Every member is one record: a Document, a Rejected (stage 'read') or a Failed. What is wrong with the repository as a whole is one
    Failed with the path ''. A repository without any member is one Rejected 'empty-repository'. Raises only for faults of the machine (disk
    or memory full, too many open files), never for what the input holds; ValueError for a table, which ``table.read_table`` reads.
    """
    if unit.kind == "table":
        raise ValueError(f"{unit.path} is a table; read it with read_table")
    records = RecordMaker(display(unit.path), unit.repo, limits or Limits(), metadata.find(unit.repo))
    try:
        repository = open_repository(unit, limits or Limits())
    except Exception as error:
        yield records.whole_unit(error)
        return
    try:
        yield from _read_members(repository, records)
    finally:
        repository.close()


def open_repository(unit: Unit, limits: Limits) -> Repository:
    """The repository of a unit that is no table. Raises what its format's library raises."""
    if unit.kind == "git":
        if not storage.is_local(unit.path):
            raise ValueError("git repositories are read on local disks only; copy it, or give an archive of it (git archive)")
        return git.GitRepository(unit.path, limits)
    if unit.kind == "archive":
        return open_archive(_local_file(unit.path), unit.size, limits)
    names = unit.members if unit.kind == "files" else None
    return LocalTree(unit.path, names) if storage.is_local(unit.path) else RemoteTree(unit.path, names)


def _local_file(path: str) -> BinaryIO:
    """The archive as a local file: one is read at many places, which remote file systems answer slowly."""
    if storage.is_local(path):
        return open(path, "rb")
    copy = temporary_file()
    with storage.open_read(path) as remote, storage.naming_full_disk(tempfile.gettempdir()):
        while chunk := remote.read(_COPY_CHUNK):
            copy.write(chunk)
        copy.seek(0)
    return copy


def _read_members(repository: Repository, records: RecordMaker) -> Iterator[Judgement]:
    try:
        members = sorted(repository.members(), key=lambda member: member.path)  # code points order as their UTF-8 does
    except Exception as error:
        yield records.whole_unit(error)
        return
    records.revision = repository.revision
    if repository.faults:
        yield records.failed("", 0, "; ".join(repository.faults))
    elif not members:
        yield records.rejected("", 0, "empty-repository")
    records.license = records.license or _find_license(repository, members)
    for position, member in enumerate(members):
        if position + 1 < len(members) and members[position + 1].path == member.path:
            # The last one stays, as unpacking would leave it; sorting kept their order.
            yield records.rejected(member.path, member.size, "duplicate-member", salt=position)
        else:
            yield _read_member(repository, member, records)


def _find_license(repository: Repository, members: list[Member]) -> str:
    by_path = {member.path: member for member in members if not (member.rule or member.error) and member.size <= MAX_METADATA_BYTES}
    for path in metadata_paths(by_path):
        try:
            found = declared_license(path, repository.read(by_path[path], MAX_METADATA_BYTES))
        except Exception as error:
            if is_machine_error(error):
                raise
            continue  # the member's own record will say so
        if found:
            return found
    return ""


def _read_member(repository: Repository, member: Member, records: RecordMaker) -> Judgement:
    if member.error:
        return records.failed(member.path, member.size, member.error)
    rejected = records.judge_path(member)
    if rejected:
        return rejected
    try:
        data = repository.read(member, records.limits.file_bytes + 1)
    except Exception as error:
        if is_machine_error(error):
            raise
        return records.failed(member.path, member.size, error)
    return records.judge_bytes(member.path, data)


class RecordMaker:
    """Makes the records of one repository: what they have in common, and the rules that every source applies alike."""

    def __init__(self, source: str, repo: str, limits: Limits, known: RepoMetadata | None):
        self.limits = limits
        self.revision = ""
        self.license = known.license if known else ""
        self._source = source
        self._repo = repo
        self._known = known

    def judge_path(self, member: Member) -> Rejected | None:
        """What a member's listing alone decides."""
        fault = path_fault(member.path)
        if fault:
            return self.rejected(member.path, member.size, "unsafe-path", evidence={"why": fault})
        if member.rule:
            return self.rejected(member.path, member.size, member.rule, evidence={"is": member.evidence})
        folder = member.path.rpartition("/")[0]
        vendored = vendored_folder(folder) if folder else None
        if vendored:
            return self.rejected(member.path, member.size, vendored[0], evidence={"folder": vendored[1]})
        return self.too_large(member.path, member.size) if member.size > self.limits.file_bytes else None

    def judge_bytes(self, path: str, data: bytes) -> Document | Rejected:
        """What a file's content decides."""
        if len(data) > self.limits.file_bytes:
            return self.too_large(path, len(data))
        text = decode(data)
        if isinstance(text, NoText):
            return self.rejected(path, len(data), text.rule, text.measured, text.limit, text.evidence)
        return self.document(path, text.content, text.utf8)

    def document(self, path: str, content: str, utf8: bytes) -> Document | Rejected:
        """The document of a text, unless it only points to one."""
        if len(utf8) < _LFS_POINTER_BYTES and content.startswith(LFS_POINTER):
            return self.rejected(path, len(utf8), "lfs-pointer", evidence={"is": content.splitlines()[1:]})
        known = self._known
        return Document(
            document_id(self._source, self._repo, path),
            self._source,
            self._repo,
            path,
            self.revision,
            content,
            len(utf8),
            hashlib.sha256(utf8).hexdigest(),
            self.license,
            known.stars if known else None,
            known.forks if known else None,
            known.created if known else "",
            "",
        )

    def too_large(self, path: str, size: int) -> Rejected:
        return self.rejected(path, size, "too-large", size, self.limits.file_bytes)

    def rejected(
        self,
        path: str,
        size: int,
        rule: str,
        measured: float | None = None,
        limit: float | None = None,
        evidence: dict[str, Any] | None = None,
        salt: int | None = None,
    ) -> Rejected:
        """``salt`` tells records of one path apart."""
        name, identity = self._identity(path, salt)
        why = json.dumps(evidence or {}, sort_keys=True)
        return Rejected(identity, self._source, self._repo, name, size, "", STAGE, rule, _float(measured), _float(limit), why)

    def failed(self, path: str, size: int, error: Exception | str, salt: int | None = None) -> Failed:
        name, identity = self._identity(path, salt)
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        return Failed(identity, self._source, self._repo, name, size, "", STAGE, display(" ".join(text.split()))[:1000])

    def whole_unit(self, error: Exception) -> Failed:
        """The one record of a repository that cannot be read at all; raises ``error`` where the machine is at fault."""
        if is_machine_error(error):
            raise error
        return self.failed("", 0, error)

    def _identity(self, path: str, salt: int | None) -> tuple[str, str]:
        identity = document_id(self._source, self._repo, path if salt is None else f"{path}\0{salt}")
        if len(path) > MAX_PATH_BYTES:
            path = f"{path[:200]}...{identity[:8]}"
        return path, identity


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)
