"""Shards made on, read from and taken out of ``gs://``, against an emulator on loopback."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed import storage
from beam_seed.curation.datasets import write_table
from beam_seed.shards.read import read_documents
from beam_seed.trainer.tokenizer import train_tokenizer
from pipelines import remove, shards


@pytest.fixture
def root(emulated_bucket: str) -> str:
    return f"{emulated_bucket}/root"


def test_shards_live_in_a_bucket(root: str, tmp_path: Path) -> None:
    texts = [f"value_{number} = {number}\n" * 3 for number in range(30)]
    table = pa.table({"repo": [f"o/r{n % 3}" for n in range(30)], "path": [f"{n}.py" for n in range(30)], "content": texts})
    write_table(storage.join(root, "corpus", "a.parquet"), table)
    train_tokenizer(texts, 300).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "s.yaml").write_text(f"sequence_length: 64\nfim_rate: 0.5\nsources:\n  code: {{epochs: 1, input: {root}/corpus}}\n")
    command = [f"--stage={tmp_path / 's.yaml'}", f"--tokenizer={tmp_path}", f"--output={root}/out", "--shards=3", "--workers=1"]
    assert shards.main(command) == 0
    assert sorted(document.content for document in read_documents(f"{root}/out")) == sorted(texts)
    found = {info.path.removeprefix(f"{root}/out/") for info in storage.match(f"{root}/out/**")}
    assert found == {
        *(f"shards/0000{n}.parquet" for n in range(3)),
        *(f"tokenizer/{name}.json" for name in ("tokenizer", "tokenizer_config")),
        *("manifest.json", "schema.pbtxt", "statistics.pbtxt"),
    }
    with storage.open_read(f"{root}/out/shards/00000.parquet") as file:
        assert pq.ParquetFile(file).metadata.num_columns > 2
    (tmp_path / "repos").write_text("o/r1\n")
    assert remove.main([f"{root}/out", f"--repos={tmp_path / 'repos'}", "--workers=1"]) == 0
    assert {document.repo for document in read_documents(f"{root}/out")} == {"o/r0", "o/r2"}
    assert storage.exists(f"{root}/out/tombstones.json")
    assert not storage.match(f"{root}/out/_removal/**")
