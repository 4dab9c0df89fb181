"""The main job on input that means harm, and on a machine that gives out."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sample_input

from pipelines import cli, github

REPOSITORY = Path(github.__file__).parents[1]


def make_hostile(root: Path) -> Path:
    source = sample_input.python_source
    sample_input.write(
        root / "nasty",
        {
            "nested.py": "x = " + "[" * 10_000 + "]" * 10_000 + "\n",
            "nul.py": b"print(1)\x00\n" * 10,
            "long_line.js": "var a = '" + "x" * 9_000_000 + "';\n",
            "wrong\\name.py": source(1),
            "utf16.py": source(2).encode("utf-16"),
            "mixed.py": "# caf\xe9\n".encode("latin-1") + "# café\n".encode() + source(3).encode(),
            "deep/" * 40 + "down.py": source(4),
            "fine.py": source(5),
        },
    )
    (root / "nasty" / "link.py").symlink_to("/etc/passwd")
    sample_input.write(root.parent / "first" / "same-name", {"a.py": source(6)})
    sample_input.write(root.parent / "second" / "same-name", {"a.py": source(7)})
    with zipfile.ZipFile(root / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        for number in range(40):
            bomb.writestr(f"zeros{number}.py", bytes(6_000_000))
    with tarfile.open(root / "tricks.tar.gz", "w:gz") as tar:
        for name in ("../outside.py", "/absolute.py", "ok.py", "ok.py"):
            info = tarfile.TarInfo(name)
            info.size = 8
            tar.addfile(info, io.BytesIO(b"a = b+c\n"))
        link = tarfile.TarInfo("hard.py")
        link.type, link.linkname = tarfile.LNKTYPE, "/etc/passwd"
        tar.addfile(link)
    pq.write_table(pa.table({"repo": ["r"], "path": ["p.py"], "content": [source(8)]}), root / "good.parquet")
    data = (root / "good.parquet").read_bytes()
    (root / "cut.parquet").write_bytes(data[: len(data) // 2])
    (root / "lines.jsonl.gz").write_bytes(b"\x1f\x8b not gzip at all")
    return root


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_nothing_is_lost_and_nothing_escapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_hostile(tmp_path / "in")
    inputs = [f"--input={folder}", f"--input={tmp_path / 'first'}", f"--input={tmp_path / 'second'}"]
    arguments = [*inputs, f"--output={tmp_path / 'out'}", "--workers=1", "--score=false"]
    assert github.main(arguments) == 1, "most of it fails, which no job is to pass over in silence"
    assert "not more failed than max_failed_share, 0.05, allows (30 of 59; their errors are in failed/)" in capsys.readouterr().err
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert github.main([*arguments, "--max-failed-share=0.9"]) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert all(invariant["holds"] for invariant in manifest["invariants"])
    kept = {(row["repo"], row["path"]) for row in rows(tmp_path / "out" / "corpora" / "file_level")}
    assert ("nasty", "fine.py") in kept
    assert ("nasty", "utf16.py") in kept
    assert ("r", "p.py") in kept
    same = {repo for repo, path in kept if repo.startswith("same-name@")}
    assert len(same) == 2, "two repositories of one name stay apart"
    rejected = {(row["path"], row["rule"]) for row in rows(tmp_path / "out" / "rejected")}
    assert {("nul.py", "binary"), ("long_line.js", "too-large"), ("link.py", "link")} <= rejected
    assert {"unsafe-path", "duplicate-member", "link"} <= {rule for _, rule in rejected}
    failed = rows(tmp_path / "out" / "failed")
    assert {"bomb", "cut", "lines"} <= {row["repo"] for row in failed}
    assert not any("root:" in row["content"] for row in rows(tmp_path / "out" / "documents"))


def test_a_table_without_a_needed_column_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"project": ["r"], "path": ["p.py"], "body": ["x = 1"]}), tmp_path / "table.parquet")
    arguments = ["github", f"--input={tmp_path / 'table.parquet'}", f"--output={tmp_path / 'out'}", "--score=false"]
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert "content" in told
    assert "project, path, body" in told
    assert cli.main([*arguments, "--columns=content=body,repo=project", "--workers=1"]) == 0


def test_a_full_disk_fails_clearly_and_a_second_run_completes(tmp_path: Path) -> None:
    sample_input.write(tmp_path / "in" / "one", {f"m{n}.py": sample_input.python_source(n, 40) for n in range(30)})
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "github",
        f"--input={tmp_path / 'in'}",
        f"--output={tmp_path / 'out'}",
        "--score=false",
    ]

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    failed = subprocess.run([*command, "--workers=1"], capture_output=True, text=True, check=False, cwd=REPOSITORY, preexec_fn=no_room)
    assert failed.returncode == 1
    (told,) = [line for line in failed.stderr.splitlines() if line.startswith("beam-seed github: error:")]
    assert "File too large" in told
    assert "goes on from there" in failed.stderr.splitlines()[-1]
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert github.main([*command[4:], "--workers=1"]) == 0
    assert (tmp_path / "out" / "manifest.json").exists()
