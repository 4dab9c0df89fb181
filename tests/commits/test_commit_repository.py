"""Opening histories from clones, bare repositories, bundles and archives; nothing a repository configures is run or followed."""

from __future__ import annotations

import gc
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from beam_seed import storage
from beam_seed.commits import copies
from beam_seed.commits.history import CommitReader, walk
from beam_seed.commits.records import CommitRecord, ObjectError
from beam_seed.commits.repository import blank_record, list_histories, open_history
from beam_seed.sources.repository import ArchiveLimitError, Limits
from beam_seed.sources.units import Unit


def records_of(path: Path, limits: Limits | None = None, unit: Unit | None = None) -> list[CommitRecord]:
    """The records without the name of their source."""
    (unit,) = [unit] if unit else list_histories(str(path))
    with open_history(unit, limits or Limits()) as history:
        reader = CommitReader(history.store, blank_record(unit, None), shallow=history.shallow)
        records = list(reader.read(walk(history.store, history.head).ids))
        reader.close()
    return [record._replace(source="", repo="") for record in records]


def pack_tar(folder: Path, path: Path, name: str, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        archive.add(folder, name)
    return path


def pack_zip(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


def test_every_form_gives_the_same_records(odd_history, git, tmp_path: Path) -> None:
    bare = odd_history.folder
    expected = records_of(bare)
    assert len(expected) == len(odd_history.ids)
    git(tmp_path, "clone", "-q", "--no-checkout", "--no-local", str(bare), "clone")
    git(tmp_path, "-C", "clone", "worktree", "add", "-q", "--no-checkout", "../tree", "HEAD")
    git(bare, "bundle", "create", "-q", str(tmp_path / "all.bundle"), "--all", "HEAD")
    git(bare, "bundle", "create", "-q", str(tmp_path / "branch.bundle"), "main")
    forms = [
        tmp_path / "clone",
        tmp_path / "tree",
        tmp_path / "all.bundle",
        tmp_path / "branch.bundle",
        pack_tar(tmp_path / "clone", tmp_path / "clone.tar.gz", "clone", "w:gz"),
        pack_tar(bare, tmp_path / "bare.tar", "odd.git"),
        pack_tar(tmp_path / "clone" / ".git", tmp_path / "gitdir.tar", ".git"),
        pack_zip(tmp_path / "clone", tmp_path / "clone.zip"),
        pack_tar(tmp_path / "all.bundle", tmp_path / "bundle.tar", "all.bundle"),
        pack_tar(tmp_path / "all.bundle", tmp_path / "folder.tar", "folder/all.bundle"),
    ]
    for form in forms:
        assert records_of(form) == expected, form


def test_packs_of_any_name_are_copied(odd_history, tmp_path: Path) -> None:
    expected = records_of(odd_history.folder)
    packs = odd_history.folder / "objects" / "pack"
    for file in packs.glob("pack-*"):  # as git maintenance names what was loose
        file.rename(packs / file.name.replace("pack-", "loose-"))
    assert records_of(pack_tar(odd_history.folder, tmp_path / "bare.tar", "odd.git")) == expected


def test_a_history_is_copied_once_for_all_of_its_ranges(odd_history, git, tmp_path: Path, monkeypatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    git(odd_history.folder, "bundle", "create", "-q", str(tmp_path / "all.bundle"), "main")
    pack_tar(odd_history.folder, tmp_path / "bare.tar", "odd.git")
    opened: list[str] = []

    def count(unit: Unit, limits: Limits):
        opened.append(unit.kind)
        return open_history(unit, limits)

    monkeypatch.setattr(copies, "open_history", count)
    (bundle,), (archive,), (bare,) = (
        list_histories(str(path)) for path in (tmp_path / "all.bundle", tmp_path / "bare.tar", odd_history.folder)
    )
    kept = copies.HistoryCopies()
    for unit in (bundle, archive, bundle, archive):
        with kept.open(unit, Limits()) as history, kept.open(unit, Limits()) as again:
            assert history is again
            assert history.head == odd_history.ids[-1]
    with kept.open(bare, Limits()), kept.open(bare, Limits()):
        assert opened == ["bundle", "archive", "git", "git"]
        assert len(list(scratch.iterdir())) == 4
    assert len(list(scratch.iterdir())) == 2, "what is read in place leaves nothing"
    none = copies.HistoryCopies(kept_bytes=0)
    with none.open(bundle, Limits()) as history:
        assert Path(history.store.folder).exists()
    assert not Path(history.store.folder).exists()
    with pytest.raises(ArchiveLimitError), none.open(archive, Limits(unpacked_bytes=1)):
        pass
    assert len(list(scratch.iterdir())) == 2
    del kept
    gc.collect()
    assert list(scratch.iterdir()) == []


def test_bundles_are_listed_among_other_files(odd_history, git, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    git(odd_history.folder, "bundle", "create", "-q", str(folder / "Owner.bundle"), "main")
    (folder / "notes.txt").write_text("x")
    shutil.move(odd_history.folder, folder / "bare.git")
    assert [(unit.kind, unit.repo) for unit in list_histories(str(folder))] == [("bundle", "Owner"), ("files", "in"), ("git", "bare")]


def test_nothing_configured_is_run(odd_history, git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--no-local", str(odd_history.folder), "clone")
    folder, mark = tmp_path / "clone" / ".git", tmp_path / "mark"
    expected = records_of(odd_history.folder)
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\n")
    trap.chmod(0o755)
    settings = {
        "core.fsmonitor": str(trap),
        "core.pager": str(trap),
        "core.sshCommand": str(trap),
        "core.hooksPath": str(tmp_path),
        "diff.external": str(trap),
        "diff.trap.textconv": str(trap),
        "diff.trap.command": str(trap),
        "filter.trap.smudge": str(trap),
        "filter.trap.clean": str(trap),
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{trap}",
        "diff.algorithm": "patience",
        "diff.context": "0",
        "diff.renames": "false",
        "include.path": str(tmp_path / "more"),
        "includeIf.gitdir:/.path": str(tmp_path / "pipe"),
        "core.worktree": "/",
        "core.alternateRefsCommand": str(trap),
        "uploadpack.packObjectsHook": str(trap),
    }
    for name, value in settings.items():
        git(folder, "config", name, value)
    (tmp_path / "more").write_text(f"[alias]\nx = !{trap}\n")
    os.mkfifo(tmp_path / "pipe")  # whoever follows the include waits for ever
    (folder / "info").mkdir(exist_ok=True)
    (folder / "info" / "attributes").write_text("* diff=trap filter=trap\n")
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc"):
        shutil.copy(trap, folder / "hooks" / hook)
    assert records_of(tmp_path / "clone") == expected
    assert not mark.exists()


def test_missing_objects_of_a_partial_clone_are_not_fetched(odd_history, git, tmp_path: Path) -> None:
    git(odd_history.folder, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--bare", "--filter=blob:none", f"file://{odd_history.folder}", "partial.git")
    size = sum(file.stat().st_size for file in (tmp_path / "partial.git" / "objects").rglob("*") if file.is_file())
    (unit,) = list_histories(str(tmp_path / "partial.git"))
    with open_history(unit, Limits()) as history:
        reader = CommitReader(history.store, blank_record(unit, None))
        records = [reader.read_one(commit) for commit in odd_history.ids[:3]]
        reader.close()
    assert not any(isinstance(record, CommitRecord) for record in records)
    assert size == sum(file.stat().st_size for file in (tmp_path / "partial.git" / "objects").rglob("*") if file.is_file())


def test_alternates_are_refused(odd_history, git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", "--shared", str(odd_history.folder), "borrower.git")
    with pytest.raises(ValueError, match="dissociate"):
        records_of(tmp_path / "borrower.git")
    with pytest.raises(ValueError, match="dissociate"):
        records_of(pack_tar(tmp_path / "borrower.git", tmp_path / "borrower.tar", "borrower.git"))


@pytest.mark.parametrize("name", ["HEAD", "packed-refs", "refs/heads/main", "objects/pack/pack-0.pack", "shallow"])
def test_pipes_in_place_of_files_are_refused(odd_history, name: str) -> None:
    path = odd_history.folder / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(ValueError, match="copy the repository with"):
        records_of(odd_history.folder)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("ref: refs/heads/.invalid\n", "reftable"),
        ("ref: ../../secret\n", "HEAD names no reference"),
        ("ref: refs/heads/../../../secret\n", "HEAD names no reference"),
        ("ref: refs/heads/circle\n", "more than 5 symbolic references"),
        ("ref: refs/heads/odd\n", "holds no commit id"),
        ("", "holds no commit id"),
    ],
)
def test_heads_that_lead_nowhere_are_told(odd_history, tmp_path: Path, head: str, message: str) -> None:
    (tmp_path / "secret").write_text("0" * 40)
    (odd_history.folder / "refs" / "heads" / "circle").write_text("ref: refs/heads/circle\n")
    (odd_history.folder / "refs" / "heads" / "odd").write_text("a secret\n")
    (odd_history.folder / "HEAD").write_text(head)
    for path in (odd_history.folder, pack_tar(odd_history.folder, tmp_path / "odd.tar", "odd.git")):
        with pytest.raises(ValueError, match=message) as told:
            records_of(path)
        assert "a secret" not in str(told.value)


def test_head_is_what_git_says(odd_history, git) -> None:
    folder = odd_history.folder
    git(folder, "tag", "-a", "-m", "A tag", "v1")
    heads = {"packed": ["pack-refs", "--all"], "detached": ["update-ref", "--no-deref", "HEAD", odd_history.ids[3]]}
    for arguments in heads.values():
        git(folder, *arguments)
        assert records_of(folder)[-1].id == git(folder, "rev-parse", "HEAD").decode().strip()
    (folder / "HEAD").write_bytes(git(folder, "rev-parse", "v1"))
    assert records_of(folder)[-1].id == odd_history.ids[-1]
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (unit,) = list_histories(str(folder))
    with open_history(unit, Limits()) as history:
        assert history.head == ""


def test_archives_write_nothing_but_a_git_folder_and_leave_nothing(odd_history, tmp_path: Path, monkeypatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = tmp_path / "hostile.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(odd_history.folder, "repo/.git")
        for name in (
            "repo/.git/../../../escaped",
            "/repo/.git/objects/absolute",
            "repo/.git/refs/heads/../../../../up",
            "repo/.git/hooks/post-x",
        ):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
        link = tarfile.TarInfo("repo/.git/refs/heads/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (unit,) = list_histories(str(path))
    with open_history(unit, Limits()) as history:
        names = {str(file.relative_to(history.store.folder)) for file in Path(history.store.folder).rglob("*")}
        assert not any("escaped" in name or "hooks" in name or "link" in name or name.endswith(("up", "absolute")) for name in names)
        assert "safe.directory" not in Path(history.store.folder, "config").read_text()
        assert history.head == odd_history.ids[-1]
    assert os.listdir(scratch) == []
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path.parent / "escaped").exists()


def test_sizes_are_limited(odd_history, git, tmp_path: Path) -> None:
    git(odd_history.folder, "bundle", "create", "-q", str(tmp_path / "all.bundle"), "main")
    small = Limits(unpacked_bytes=1000)
    with pytest.raises(ArchiveLimitError, match="bundle of"):
        records_of(tmp_path / "all.bundle", small)
    with pytest.raises(ArchiveLimitError, match="archive of"):
        records_of(pack_tar(odd_history.folder, tmp_path / "odd.tar", "odd.git"), small)


def test_what_is_no_history_is_told(odd_history, git, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.py").write_text("x")
    (tmp_path / "damaged.bundle").write_bytes(b"# v2 git bundle\nnot one")
    git(odd_history.folder, "bundle", "create", "-q", str(tmp_path / "thin.bundle"), "main~2..main")
    pack_tar(tmp_path / "tree", tmp_path / "tree.tar", "tree")
    for path, message in {
        "tree.tar": "no git folder in it",
        "damaged.bundle": "git bundle failed",
        "thin.bundle": "prerequisite",
    }.items():
        with pytest.raises((ValueError, ObjectError), match=message):
            records_of(tmp_path / path)
    with pytest.raises(FileNotFoundError, match=r"no history at .*tree': files .* has no history; expected a git repository"):
        list_histories(str(tmp_path / "tree"))


def test_repositories_a_level_deeper_need_a_glob(odd_history, git, tmp_path: Path) -> None:
    (tmp_path / "host" / "owner").mkdir(parents=True)
    git(tmp_path, "clone", "-q", "--bare", str(odd_history.folder), "host/owner/odd.git")
    told = rf"tree '.*/owner' has no history; .* give a glob: --input='{tmp_path}/host/\*/\*'"
    with pytest.raises(FileNotFoundError, match=told):
        list_histories(str(tmp_path / "host"))
    for pattern in ("host/*/*", "host/*", "host/owner"):
        assert [(unit.kind, unit.repo) for unit in list_histories(str(tmp_path / pattern))] == [("git", "odd")]
    git(tmp_path, "clone", "-q", "--bare", str(odd_history.folder), "host/own.git")
    own, owner = list_histories(str(tmp_path / "host"))
    assert own.repo == "own"
    with pytest.raises(ValueError, match=told), open_history(owner, Limits()):
        pass


def test_remote_repositories_are_copied(odd_history, git, tmp_path: Path, emulated_bucket: str) -> None:
    bucket = f"{emulated_bucket}/in"
    expected = records_of(odd_history.folder)
    git(odd_history.folder, "bundle", "create", "-q", str(tmp_path / "all.bundle"), "main")
    pack_tar(odd_history.folder, tmp_path / "bare.tar", "odd.git")
    git(tmp_path, "clone", "-q", "--no-checkout", "--no-local", str(odd_history.folder), "work")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.py").write_text("x = 1\n")
    for file in [*(path for name in ("odd.git", "work", "tree") for path in (tmp_path / name).rglob("*")), *tmp_path.glob("*.*")]:
        if file.is_file():
            with storage.open_write(f"{bucket}/{file.relative_to(tmp_path)}") as out:
                out.write(file.read_bytes())
    units = list_histories(bucket)
    found = [("archive", "bare"), ("bundle", "all"), ("git", "odd"), ("tree", "tree"), ("tree", "work")]
    assert [(unit.kind, unit.repo) for unit in units] == found
    assert [unit.repo for unit in list_histories(f"{bucket}/*.bundle")] == ["all"]
    assert list_histories(f"{bucket}/*.git") == [units[2]] == list_histories(f"{bucket}/odd.git")
    assert [(unit.kind, unit.repo) for unit in list_histories(f"{bucket}/w*")] == [("tree", "work")]
    assert [(unit.kind, unit.repo) for unit in list_histories(f"{bucket}/work")] == [("tree", "work")]
    (plain,) = (unit for unit in units if unit.repo == "tree")
    with pytest.raises(ValueError, match="no git folder in it"):
        records_of(Path(), unit=plain)
    units.remove(plain)
    with pytest.raises(ArchiveLimitError, match="larger than the limits"):
        records_of(Path(), Limits(unpacked_bytes=1000), units[2])
    for unit in units:
        assert records_of(Path(), unit=unit) == expected
