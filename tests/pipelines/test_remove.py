"""``beam-seed remove``: what is named is gone and does not come back; all else is where it was, byte for byte."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed import storage
from beam_seed.shards import remove
from beam_seed.shards.read import read_documents
from beam_seed.shards.sequences import count
from beam_seed.special_tokens import FILE, REPO, escape
from beam_seed.trainer.tokenizer import train_tokenizer
from pipelines import cli

LENGTH = 48


def text(number: int) -> str:
    return "".join(f"value_{number}_{line} = {line}\n" for line in range(number % 13 + 1))


def formatted(repo: str, files: dict[str, str]) -> str:
    return f"{REPO}{repo}\n" + "".join(f"{FILE}{escape(path)}\n{escape(content)}" for path, content in files.items())


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("inputs")
    code = {
        "repo": [f"Owner{number % 5}/repo{number % 10}" for number in range(150)],
        "path": [f"f{number}.py" for number in range(150)],
        "content": list(map(text, range(150))),
    }
    pq.write_table(pa.table(code), root / "code.parquet")
    long = {"repo": ["big/one", "big/two"], "path": ["", ""]}
    long["id"] = ["l1", "l2"]
    long["content"] = [formatted(repo, {f"m{n}.py": f"{repo} {n} <[end]>\n" * 9 for n in range(12)}) for repo in long["repo"]]
    pq.write_table(pa.table(long), root / "long.parquet")
    (root / "stage.yaml").write_text(
        f"sequence_length: {LENGTH}\nfim_rate: 0.5\nsources:\n"
        f"  code: {{epochs: 1.5, input: {root}/code.parquet}}\n  long: {{epochs: 1, formatted: true, input: {root}/long.parquet}}\n"
    )
    train_tokenizer(list(map(text, range(20))), 300).save(str(root / "tokenizer.json"))
    return root


def make(inputs: Path, output: Path, *more: str) -> Path:
    command = ["shards", f"--stage={inputs}/stage.yaml", f"--tokenizer={inputs}", "--shards=6", f"--output={output}", "--workers=1"]
    assert cli.main([*command, *more]) == 0
    return output


@pytest.fixture(scope="module")
def whole(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(inputs, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def shards(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "shards"))


def take_out(root: Path, tmp_path: Path, *more: str, **lists: list[str]) -> int:
    flags = []
    for name, lines in lists.items():
        (tmp_path / name).write_text("# a list\n\n" + "\n".join(lines) + "\n")
        flags.append(f"--{name}={tmp_path / name}")
    return cli.main(["remove", str(root), *flags, "--workers=1", *more])


def rows(root: Path) -> list[dict]:
    return [row for path in sorted((root / "shards").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def manifest(root: Path) -> dict:
    return json.loads((root / "manifest.json").read_text())


def digests(root: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (root / "shards").glob("*.parquet")}


def contents(root: Path) -> Counter:
    return Counter((document.repo, document.path, document.content) for document in read_documents(str(root)))


def long_file(repo: str, number: int) -> str:
    return hashlib.sha256((f"{repo} {number} <[end]>\n" * 9).encode()).hexdigest()


@pytest.mark.parametrize(
    ("lists", "goes"),
    [
        ({"repos": ["owner3/repo3"]}, lambda repo, path: repo == "Owner3/repo3"),
        ({"authors": ["owner2", "nobody"]}, lambda repo, path: repo.startswith("Owner2/")),
        ({"paths": ["Owner1/repo1/f1.py", "Owner2/repo2/f1.py"]}, lambda repo, path: path == "f1.py"),
        ({"digests": [hashlib.sha256(text(25).encode()).hexdigest()]}, lambda repo, path: path == "f25.py"),
        ({"paths": ["big/two/m3.py"], "repos": ["x"]}, lambda repo, path: repo == "big/two"),
        ({"digests": [long_file("big/one", 11)]}, lambda repo, path: repo == "big/one"),
    ],
)
def test_what_is_named_goes_and_all_else_stays(whole: Path, shards: Path, tmp_path: Path, lists: dict, goes) -> None:
    before, old, names = manifest(shards), rows(shards), digests(shards)
    assert take_out(shards, tmp_path, **lists) == 0
    everything = contents(whole)
    gone = Counter({key: number for key, number in everything.items() if goes(*key[:2])})
    assert gone
    assert contents(shards) == everything - gone
    # Every sequence is where it was, and those that held nothing of it are as they were.
    new, touched = rows(shards), set()
    assert [row["id"] for row in new] == [row["id"] for row in old]
    for position, (one, other) in enumerate(zip(old, new, strict=True)):
        kept = [piece for piece in one["pieces"] if not goes(piece["repo"], piece["path"])]
        assert other["pieces"] == kept
        held = sum(piece["length"] for piece in kept)
        assert len(other["tokens"]) == LENGTH
        assert set(other["tokens"][held:]) <= {before["padding"]}
        if len(kept) == len(one["pieces"]):
            assert one == other
        else:
            touched.add(position)
    # Just the shards that held it are new files.
    told = manifest(shards)
    (entry,) = told["removed"]
    assert {name for name, digest in digests(shards).items() if digest != names[name]} == {name[7:] for name in entry["shards"]}
    assert {shard["path"][7:]: shard["sha256"] for shard in told["shards"]} == digests(shards)
    assert (entry["documents"], entry["sequences"]) == (sum(gone.values()), len(touched))
    assert told["tokens"]["text"] == before["tokens"]["text"] - entry["tokens"]
    assert sum(told["tokens"].values()) == told["sequences"] * LENGTH
    pieces = [pq.read_table(path)["pieces"].combine_chunks() for path in (shards / "shards").glob("*")]
    counts = count(pa.chunked_array(pieces).combine_chunks())
    assert sum(each["documents"] for each in told["by_source"].values()) == sum((everything - gone).values())
    assert (told["by_source"], told["by_language"]) == (counts.by_source, counts.by_language)
    report = json.loads((shards / entry["report"]).read_text())
    assert {found["position"] for found in report["found"]} == touched
    assert all(old[found["position"]]["id"].hex() == found["sequence"] for found in report["found"])
    assert not (shards / "_removal").exists()


def test_it_does_not_come_back(inputs: Path, whole: Path, shards: Path, tmp_path: Path) -> None:
    assert take_out(shards, tmp_path, repos=["Owner3/repo3"], paths=["big/two/m3.py"]) == 0
    left = contents(shards)
    tombstones = shards / "tombstones.json"
    other = make(inputs, tmp_path / "other", f"--tombstones={tombstones}")
    assert contents(other) == left
    assert manifest(other)["skipped"] == {"code": {"removed": 15}, "long": {"removed": 1}}
    make(inputs, shards)  # a run into the same folder honours its own
    assert contents(shards) == left
    assert digests(shards) == digests(other)
    assert contents(make(inputs, tmp_path / "third")) == contents(whole)


def test_a_second_removal_adds_to_the_first(shards: Path, tmp_path: Path) -> None:
    assert take_out(shards, tmp_path, repos=["Owner3/repo3"]) == 0
    (tmp_path / "repos").unlink()
    assert take_out(shards, tmp_path, authors=["big"]) == 0
    assert [entry["documents"] for entry in manifest(shards)["removed"]][1] == 2
    assert json.loads((shards / "tombstones.json").read_text()) == {
        "repos": ["owner3/repo3"],
        "authors": ["big"],
        "paths": [],
        "digests": [],
    }
    # Sequences that held nothing else are empty, and still there.
    assert any(row["pieces"] == [] for row in rows(shards))
    assert {document.source for document in read_documents(str(shards))} == {"code"} == set(manifest(shards)["by_source"])
    before = digests(shards)
    assert take_out(shards, tmp_path, authors=["big"]) == 0
    assert digests(shards) == before
    assert manifest(shards)["removed"][2]["shards"] == []


def test_it_can_be_only_told(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in shards.rglob("*") if path.is_file()}
    assert take_out(shards, tmp_path, "--report-only", repos=["Owner3/repo3"]) == 0
    assert "found" in capsys.readouterr().out
    report = shards / "removals" / "report.json"
    assert {found["repo"] for found in json.loads(report.read_text())["found"]} == {"Owner3/repo3"}
    assert {path: path.read_bytes() for path in shards.rglob("*") if path.is_file() and path not in (report, shards / ".lock")} == {
        path: data for path, data in before.items() if path != shards / ".lock"
    }


def test_workers_change_nothing(shards: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(shards, tmp_path / "other"))
    lists = {"authors": ["owner1"], "paths": ["big/two/m3.py"]}
    assert take_out(shards, tmp_path, **lists) == 0
    assert take_out(other, tmp_path, "--workers=2", **lists) == 0
    assert digests(other) == digests(shards)
    assert manifest(other)["by_source"] == manifest(shards)["by_source"]


def test_a_removal_that_was_killed_is_finished(
    whole: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = []

    def killed(path: str, target: str) -> None:
        if len(moved) == 2:
            raise OSError("killed")
        moved.append(target)
        storage_move(path, target)

    storage_move = storage.move
    monkeypatch.setattr(remove.storage, "move", killed)
    assert take_out(shards, tmp_path, authors=["owner2"]) == 1
    monkeypatch.undo()
    assert len(moved) == 2
    assert take_out(shards, tmp_path, authors=["owner2"]) == 0
    assert "a removal that was cut short is finished" in capsys.readouterr().out
    assert {shard["path"][7:]: shard["sha256"] for shard in manifest(shards)["shards"]} == digests(shards)
    assert not any(document.repo.startswith("Owner2") for document in read_documents(str(shards)))
    assert [bool(entry["documents"]) for entry in manifest(shards)["removed"]] == [True, False]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["remove"], "no directory given"),
        (["remove", "{empty}", "--repos={list}"], r"holds no manifest.json; expected a directory that beam-seed shards has finished"),
        (["remove", "{empty}"], "nothing to remove"),
        (["remove", "{empty}", "--digests={list}"], "argument --digests: found 'abc' as a digest; expected 64 hex digits"),
        (["remove", "{empty}", "--paths=/nowhere"], "argument --paths: "),
    ],
)
def test_command_lines_that_cannot_be_run(command: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list").write_text("abc\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        cli.main([each.format(empty=tmp_path / "empty", list=tmp_path / "list") for each in command])
    assert message in capsys.readouterr().err


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "corpora" / "file_level"
    folder.mkdir(parents=True)
    code = [{"repo": f"o{n % 3}/r", "path": f"f{n}.py", "content": text(n), "stars": n} for n in range(20)]
    texts = [formatted("o9/r", {"a.py": "x\n"}), formatted("o9/r", {"b.py": "y\n"})]
    pq.write_table(pa.Table.from_pylist(code), folder / "a.parquet", row_group_size=6)
    pq.write_table(pa.table({"repo": ["o9/r", "o9/r"], "path": ["c1", "c2"], "content": texts}), folder / "b.parquet")
    pq.write_table(pa.table({"other": [1, 2]}), folder / "c.parquet")
    files = [{"path": f"corpora/file_level/{path.name}", "size": 0, "sha256": ""} for path in sorted(folder.glob("*.parquet"))]
    (tmp_path / "run" / "manifest.json").write_text(json.dumps({"corpora": {"file_level": files}, "kept": 22}))
    return folder


def test_rows_go_from_just_the_files_of_a_corpus_that_hold_them(corpus: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in corpus.glob("*.parquet")}
    old = pq.read_table(corpus / "a.parquet")
    wanted = {"authors": ["O1"], "digests": [hashlib.sha256(text(5).encode()).hexdigest(), hashlib.sha256(b"y\n").hexdigest()]}
    assert take_out(corpus, tmp_path, "--report-only", **wanted) == 0
    assert {path.name: path.read_bytes() for path in corpus.glob("*.parquet")} == before
    assert take_out(corpus, tmp_path, **wanted) == 0
    kept = [row for row in old.to_pylist() if row["repo"] != "o1/r" and row["path"] != "f5.py"]
    assert pq.read_table(corpus / "a.parquet").to_pylist() == kept
    assert pq.read_table(corpus / "a.parquet").schema == old.schema
    assert pq.read_table(corpus / "b.parquet")["path"].to_pylist() == ["c1"]
    assert (corpus / "c.parquet").read_bytes() == before["c.parquet"]
    run = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert run["kept"] == 22
    assert [entry["documents"] for entry in run["removed"]] == [20 - len(kept) + 1]
    for entry in run["corpora"]["file_level"]:
        data = (tmp_path / "run" / entry["path"]).read_bytes()
        assert (entry["size"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    report = json.loads((corpus / "removals" / "00000.json").read_text())
    assert {found["why"].split(":")[0] for found in report["found"]} == {"authors", "digests"}
    assert json.loads((corpus / "tombstones.json").read_text())["authors"] == ["o1"]
