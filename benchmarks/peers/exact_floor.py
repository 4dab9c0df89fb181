"""What exact deduplication costs at least: ``python exact_floor.py INPUT OUTPUT``: Parquet, SHA-256, a dict, Parquet."""

import hashlib
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def main(source: Path, target: Path) -> None:
    (target / "kept").mkdir(parents=True)
    (target / "duplicates").mkdir()
    first: dict[bytes, str] = {}
    removed, kept = [], []
    for path in sorted(source.glob("*.parquet")):
        table = pq.read_table(path)
        mask = []
        for name, text in zip(table["id"].to_pylist(), table["content"].to_pylist(), strict=True):
            keeper = first.setdefault(hashlib.sha256(text.encode()).digest(), name)
            mask.append(keeper == name)
            if keeper != name:
                removed.append(name)
                kept.append(keeper)
        pq.write_table(table.filter(pa.array(mask)), target / "kept" / path.name, compression="zstd")
    columns = {"id": removed, "kept_id": kept, "similarity": [1.0] * len(kept), "cluster_id": kept}
    pq.write_table(pa.table(columns), target / "duplicates" / "0.parquet")
    print(f"{len(removed)} removed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
