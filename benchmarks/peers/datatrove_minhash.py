"""Near deduplication with datatrove, 14 buckets of 8: ``python datatrove_minhash.py INPUT OUTPUT``, two workers.

Everything is datatrove's but the tokens, which are the benchmark's (as shipped, it replaces every number by 0 and merges
unrelated code). Both of the two cores are used; its CPU time over all processes is what is compared.
"""

import os
import re
import struct
import sys
from pathlib import Path

os.environ["DATATROVE_COLORIZE_LOGS"] = "0"

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.text import ngrams
from datatrove.utils.word_tokenizers import WordTokenizer

WORKERS, BUCKETS = 2, 14
SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string()), ("repo", pa.string()), ("path", pa.string()), ("file_path", pa.string())])


class CodeTokens(WordTokenizer):
    TOKEN = re.compile(r"[0-9A-Za-z_\u0080-\U0010ffff]+|[!-/:-@\[-^`{-~]")  # as in ../shingles.py

    def __init__(self) -> None:
        pass

    def word_tokenize(self, text: str) -> list[str]:
        return self.TOKEN.findall(text)

    def sent_tokenize(self, text: str) -> list[str]:
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


class CodeSignature(MinhashDedupSignature):
    def get_shingles(self, text: str) -> np.ndarray:
        grams = ngrams(self.word_tokenizer.word_tokenize(text), self.config.n_grams)
        return np.fromiter([self._hash_func(" ".join(gram)) for gram in grams], dtype=np.uint64).reshape((-1, 1))


def main(source: Path, target: Path) -> None:
    files = sorted(source.glob("*.parquet"))
    config = MinhashConfig(num_buckets=BUCKETS, hashes_per_bucket=8)

    def reader() -> ParquetReader:
        return ParquetReader(str(source), text_key="content", id_key="id", glob_pattern="*.parquet")

    def run(name: str, pipeline: list, tasks: int) -> None:
        LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=min(WORKERS, tasks), logging_dir=str(target / "logs" / name)).run()

    signatures, buckets, clusters = (str(target / name) for name in ("signatures", "buckets", "clusters"))
    run("signatures", [reader(), CodeSignature(signatures, config, language=CodeTokens())], len(files))
    run("buckets", [MinhashDedupBuckets(signatures, buckets, config=config)], BUCKETS)
    run("cluster", [MinhashDedupCluster(buckets, clusters, config=config, save_cluster_id=True)], 1)
    writer = ParquetWriter(str(target / "kept"), compression="zstd", expand_metadata=True, schema=SCHEMA)
    run("filter", [reader(), MinhashDedupFilter(clusters), writer], len(files))
    write_duplicates(files, target)


def write_duplicates(files: list[Path], target: Path) -> None:
    """The removed documents and their clusters from datatrove's files, in the form that every system here writes."""
    members, removed = [], set()
    for rank, path in enumerate(files):
        ids = pq.read_table(path, columns=["id"])["id"].to_pylist()
        listed = target / "clusters" / f"{rank:06d}.clusters"
        if listed.exists():
            members += [(ids[row], cluster) for row, cluster in struct.iter_unpack("<2I", listed.read_bytes())]
        dropped = target / "clusters" / f"{rank:06d}.remove"
        if dropped.exists():
            removed |= {ids[row] for (row,) in struct.iter_unpack("<I", dropped.read_bytes())}
    keeper = {cluster: name for name, cluster in members if name not in removed}
    rows = [(name, keeper[cluster]) for name, cluster in members if name in removed]
    kept = [twin for _, twin in rows]
    columns = {"id": [name for name, _ in rows], "kept_id": kept, "similarity": pa.nulls(len(rows), pa.float64()), "cluster_id": kept}
    (target / "duplicates").mkdir()
    pq.write_table(pa.table(columns), target / "duplicates" / "0.parquet")
    print(f"{len(rows)} removed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
