"""What near deduplication costs at least: one compiled process, no Beam: ``python floor.py INPUT OUTPUT``.

Reads the Parquet, drops exact copies by SHA-256, hashes 5-token shingles, 128 permutations, 21 bands of 6, compares every
pair that shares a bucket exactly (>= 0.7), joins similar pairs by union-find, keeps the first of each set, writes the survivors.
Written plainly; tokens as in ../shingles.py, hashed the fastest way.
"""

import hashlib
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit

SHINGLE_TOKENS, NUM_PERM, BANDS, ROWS, THRESHOLD = 5, 128, 21, 6, 0.7

CLASSES = np.full(256, 2, dtype=np.uint8)  # 0 separates, 1 word, 2 punctuation
CLASSES[:33] = CLASSES[127] = 0
CLASSES[list(b"0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") + list(range(128, 256))] = 1
random = np.random.default_rng(1)
A = random.integers(1, 1 << 32, NUM_PERM, dtype=np.uint32) | np.uint32(1)
B = random.integers(0, 1 << 32, NUM_PERM, dtype=np.uint32)


@njit(cache=True)
def mix(value):
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@njit(cache=True)
def shingle(data, starts, ends, classes, out, offsets):
    """Shingle hashes of every text, repeats included."""
    used = 0
    base = np.uint64(0x9E3779B97F4A7C15)
    power = base * base * base * base * base
    ring = np.zeros(SHINGLE_TOKENS, dtype=np.uint64)
    for text in range(len(starts)):
        tokens, rolling = 0, np.uint64(0)
        ring[:] = 0
        at, end = starts[text], ends[text]
        while at < end:
            kind = classes[data[at]]
            if kind == 0:
                at += 1
                continue
            token = np.uint64(0xCBF29CE484222325) ^ np.uint64(data[at])
            at += 1
            while kind == 1 and at < end and classes[data[at]] == 1:
                token = (token * np.uint64(0x100000001B3)) ^ np.uint64(data[at])
                at += 1
            token = mix(token)
            slot = tokens % SHINGLE_TOKENS
            rolling = rolling * base + token - ring[slot] * power
            ring[slot] = token
            tokens += 1
            if tokens >= SHINGLE_TOKENS:
                out[used] = mix(rolling)
                used += 1
        if 0 < tokens < SHINGLE_TOKENS:
            out[used] = mix(rolling + np.uint64(tokens))
            used += 1
        offsets[text + 1] = used
    return used


@njit(cache=True)
def make_sets(hashes, offsets, wanted, ends):
    """Sorts the hashes of the wanted texts in place without repeats; the set of text ``i`` is ``hashes[offsets[i]:ends[i]]``."""
    for text in wanted:
        ordered = np.sort(hashes[offsets[text] : offsets[text + 1]])
        used = offsets[text]
        for index in range(len(ordered)):
            if index == 0 or ordered[index] != ordered[index - 1]:
                hashes[used] = ordered[index]
                used += 1
        ends[text] = used


@njit(cache=True)
def band_hashes(hashes, offsets, a, b):
    """[BANDS, texts]: the minima of each text under NUM_PERM permutations, band by band."""
    texts = len(offsets) - 1
    bands = np.empty((BANDS, texts), dtype=np.uint64)
    minima = np.empty(NUM_PERM, dtype=np.uint32)
    for text in range(texts):
        minima[:] = np.uint32(0xFFFFFFFF)
        for index in range(offsets[text], offsets[text + 1]):
            value = np.uint32(hashes[index])
            for perm in range(NUM_PERM):
                minima[perm] = min(minima[perm], np.uint32(a[perm] * value + b[perm]))
        for band in range(BANDS):
            total = np.uint64(band)
            for row in range(ROWS):
                total = mix(total ^ np.uint64(minima[band * ROWS + row]))
            bands[band, text] = total
    return bands


@njit(cache=True)
def pairs_of_band(order, hashes):
    """Every two texts of a bucket as left << 32 | right; ``order`` sorts ``hashes``, smaller texts first within a bucket."""
    pairs = [np.int64(0) for _ in range(0)]
    start = 0
    for end in range(1, len(order) + 1):
        if end < len(order) and hashes[order[end]] == hashes[order[start]]:
            continue
        for right in range(start + 1, end):
            for left in range(start, right):
                pairs.append(order[left] << 32 | order[right])
        start = end
    return np.array(pairs)


@njit(cache=True)
def is_similar(left, right):
    if min(len(left), len(right)) < THRESHOLD * max(len(left), len(right)):
        return -1.0
    i = j = common = 0
    while i < len(left) and j < len(right):
        common += left[i] == right[j]
        forward = left[i] <= right[j]
        j += right[j] <= left[i]
        i += forward
    return common / (len(left) + len(right) - common)


@njit(cache=True)
def join(pairs, hashes, starts, ends, root, similarity):
    for pair in pairs:
        left, right = pair >> 32, pair & 0xFFFFFFFF
        while root[left] != left:
            root[left] = root[root[left]]
            left = root[left]
        while root[right] != right:
            root[right] = root[root[right]]
            right = root[right]
        if left == right:
            continue
        one, other = pair >> 32, pair & 0xFFFFFFFF
        index = is_similar(hashes[starts[one] : ends[one]], hashes[starts[other] : ends[other]])
        if index >= THRESHOLD:
            root[max(left, right)] = min(left, right)
            similarity[max(left, right)] = index
    for text in range(len(root)):
        root[text] = root[root[text]]  # smaller ones are final already


def main(source: Path, target: Path) -> None:
    clock = [time.perf_counter()]
    stages = []

    def stage(name: str) -> None:
        clock.append(time.perf_counter())
        stages.append(f"{name} {clock[-1] - clock[-2]:.2f}")

    tables = [pq.read_table(path) for path in sorted(source.glob("*.parquet"))]
    table = pa.concat_tables(tables).combine_chunks()
    column = table["content"].combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    data = np.frombuffer(column.buffers()[2], dtype=np.uint8)
    bounds = np.frombuffer(column.buffers()[1], dtype=np.int32)[: len(table) + 1].astype(np.int64)
    stage("read")

    ids = table["id"].to_pylist()
    view, first, copies = memoryview(data), {}, []
    unique = []
    for row in range(len(table)):
        digest = hashlib.sha256(view[bounds[row] : bounds[row + 1]]).digest()
        earlier = first.setdefault(digest, row)
        if earlier == row:
            unique.append(row)
        else:
            copies.append((row, earlier))
    rows = np.array(unique)
    stage("sha256")

    hashes = np.empty(int(bounds[-1]) + len(rows), dtype=np.uint64)
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    used = shingle(data, bounds[rows], bounds[rows + 1], CLASSES, hashes, offsets)
    hashes = hashes[:used]
    stage("shingle")
    bands = band_hashes(hashes, offsets, A, B)
    bands = bands[:, np.diff(offsets) > 0]
    signed = np.flatnonzero(np.diff(offsets) > 0)
    stage("minhash")
    pairs = np.unique(np.concatenate([pairs_of_band(np.argsort(band, kind="stable"), band) for band in bands]))
    pairs = signed[pairs >> 32] << 32 | signed[pairs & 0xFFFFFFFF]
    stage("bands")
    root, similarity, ends = np.arange(len(rows)), np.ones(len(rows)), offsets[1:].copy()
    make_sets(hashes, offsets, np.unique(np.concatenate([pairs >> 32, pairs & 0xFFFFFFFF])), ends)
    join(pairs, hashes, offsets, ends, root, similarity)
    stage("verify")

    gone = rows[root != np.arange(len(rows))]
    keeper = dict(zip(gone.tolist(), rows[root[root != np.arange(len(rows))]].tolist(), strict=True))
    likeness = dict(zip(gone.tolist(), similarity[root != np.arange(len(rows))].tolist(), strict=True))
    keeper |= {row: keeper.get(earlier, earlier) for row, earlier in copies}
    mask = np.ones(len(table), dtype=bool)
    mask[list(keeper)] = False
    (target / "kept").mkdir(parents=True)
    (target / "duplicates").mkdir()
    start = 0
    for number, part in enumerate(tables):
        survivors = part.filter(pa.array(mask[start : start + len(part)]))
        pq.write_table(survivors, target / "kept" / f"{number}.parquet", compression="zstd")
        start += len(part)
    evidence = sorted(keeper.items())
    names = [ids[twin] for _, twin in evidence]
    columns = {"id": [ids[row] for row, _ in evidence], "kept_id": names, "similarity": [likeness.get(row, 1.0) for row, _ in evidence]}
    pq.write_table(pa.table(columns | {"cluster_id": names}), target / "duplicates" / "0.parquet")
    stage("write")
    print(f"{len(keeper)} of {len(table)} removed, {len(pairs)} candidate pairs; seconds: {', '.join(stages)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
