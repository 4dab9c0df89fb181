"""Near deduplication with rensa as its users write it: ``python rensa_minhash.py INPUT OUTPUT``, one process.

Exact copies by SHA-256; R-MinHash of 128, 16 bands; a document is dropped when a kept candidate's estimate reaches 0.7.
"""

import hashlib
import re
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rensa import RMinHash, RMinHashLSH

TOKEN = re.compile(r"[0-9A-Za-z_\u0080-\U0010ffff]+|[!-/:-@\[-^`{-~]")  # as in ../shingles.py
SHINGLE_TOKENS, NUM_PERM, BANDS, THRESHOLD = 5, 128, 16, 0.7


def shingles(text: str) -> list[str]:
    tokens = TOKEN.findall(text)
    return [" ".join(tokens[at : at + SHINGLE_TOKENS]) for at in range(max(1, len(tokens) - SHINGLE_TOKENS + 1))] if tokens else []


def main(source: Path, target: Path) -> None:
    (target / "kept").mkdir(parents=True)
    (target / "duplicates").mkdir()
    first: dict[bytes, str] = {}
    keeper_of: dict[str, tuple[str, float]] = {}
    index = RMinHashLSH(threshold=THRESHOLD, num_perm=NUM_PERM, num_bands=BANDS)
    names: list[str] = []
    sketches: list[RMinHash] = []
    for path in sorted(source.glob("*.parquet")):
        table = pq.read_table(path)
        mask = []
        for name, text in zip(table["id"].to_pylist(), table["content"].to_pylist(), strict=True):
            copy_of = first.setdefault(hashlib.sha256(text.encode()).digest(), name)
            if copy_of != name:
                keeper_of[name] = (keeper_of.get(copy_of, (copy_of, 1.0))[0], 1.0)
                mask.append(False)
                continue
            grams = shingles(text)
            if grams:
                sketch = RMinHash(num_perm=NUM_PERM, seed=42)
                sketch.update(grams)
                best = max(((sketch.jaccard(sketches[key]), -key) for key in index.query(sketch)), default=(0.0, 0))
                if best[0] >= THRESHOLD:
                    keeper_of[name] = (names[-best[1]], best[0])
                    mask.append(False)
                    continue
                index.insert(len(sketches), sketch)
                sketches.append(sketch)
                names.append(name)
            mask.append(True)
        pq.write_table(table.filter(pa.array(mask)), target / "kept" / path.name, compression="zstd")
    kept = [keeper for keeper, _ in keeper_of.values()]
    columns = {"id": list(keeper_of), "kept_id": kept, "similarity": [estimate for _, estimate in keeper_of.values()], "cluster_id": kept}
    pq.write_table(pa.table(columns), target / "duplicates" / "0.parquet")
    print(f"{len(keeper_of)} removed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
