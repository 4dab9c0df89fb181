"""How fast the scorer is: ``python benchmarks/scorer.py TABLES [--scorer=DIR] [--files=2000] [--rounds=3] [--model=1.3b --device=cuda]``.

TABLES are Parquet files with columns path and content (``benchmarks/corpus.py`` makes some). Three ways over the same files,
tokenising included, in turn, the fastest round of each counting: a plain loop over batches of like length, the Beam transform
(RunInference; a job over one file, which is mostly loading the model, is subtracted), and the same loop over batches in the order
of arrival, padded to their longest file. ``--model=1.3b`` takes random weights of that size and 2,048 tokens instead of a trained
scorer. Model FLOP utilisation is against what the device does in products of large matrices in the same run. Prints JSON.
"""

from __future__ import annotations

import argparse
import glob
import json
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apache_beam as beam
import pyarrow.parquet as pq
import torch
from apache_beam.options.pipeline_options import PipelineOptions

from beam_seed.languages.detect import detect
from beam_seed.quality.encoding import Shape, batches, pad
from beam_seed.quality.package import DEFAULT_SCORER, InputFormat, write_card
from beam_seed.quality.scorer import BATCH_TOKENS, Scorer
from beam_seed.quality.transforms import ScoreQuality
from beam_seed.records import Document, document_id

GPU_BATCH_TOKENS = 65_536


def read(patterns: list[str], files: int) -> list[Document]:
    """Every n-th file, so that all tables and sizes are in."""
    tables = [pq.read_table(path, columns=["path", "content"]) for pattern in patterns for path in sorted(glob.glob(pattern))]
    rows = [row for table in tables for row in table.slice(0, len(table)).to_pylist() if row["content"]]
    return [_document(row["path"], row["content"]) for row in rows[:: max(1, len(rows) // files)][:files]]


def _document(path: str, content: str) -> Document:
    language = detect(path, content).language or ""
    return Document(document_id("", "", path), "", "", path, "", content, len(content.encode()), "", "", None, None, "", language)


def random_scorer(directory: Path) -> Path:
    """A 1.3 B model of Llama-2 structure with random weights and the default scorer's tokenizer."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=2048,
        intermediate_size=5504,
        num_hidden_layers=24,
        num_attention_heads=16,
        max_position_embeddings=2048,
        num_labels=1,
        problem_type="regression",
        pad_token_id=0,
        dtype="bfloat16",
    )
    torch.set_default_dtype(torch.bfloat16)
    LlamaForSequenceClassification(config).save_pretrained(directory)
    torch.set_default_dtype(torch.float32)
    (directory / "tokenizer.json").write_bytes((DEFAULT_SCORER / "tokenizer.json").read_bytes())
    write_card(directory, InputFormat("{language}\n", 8192, 2048))
    return directory


def padded_tokens(scorer: Scorer, documents: list[Document]) -> int:
    lengths = [len(scorer.encoder.encode(document)) for document in documents]
    shapes = [scorer.shapes.of(max(lengths[n] for n in batch)) for batch in batches(lengths, scorer.shapes)]
    return sum(shape.rows * shape.length for shape in shapes)


def naive(scorer: Scorer, documents: list[Document]) -> None:
    """As many files a batch as of the longest shape, in the order of arrival, padded to the longest of them."""
    rows = scorer.shapes.shapes[-1].rows
    for start in range(0, len(documents), rows):
        tokens = [scorer.encoder.encode(document) for document in documents[start : start + rows]]
        scorer.forward(pad(tokens, Shape(len(tokens), max(map(len, tokens))), scorer.padding))


def through_beam(location: str, batch_tokens: int, accelerator: str, path: str) -> None:
    """Score the documents in a pickle file: in the graph itself they would be pickled by Beam, several times."""
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        keyed = pipeline | beam.Create([path]) | beam.FlatMap(_keyed)
        keyed | ScoreQuality(location, batch_tokens, accelerator=accelerator)


def _keyed(path: str) -> Iterator[tuple[str, Document]]:
    return ((document.id, document) for document in pickle.loads(Path(path).read_bytes()))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_flops(device: str) -> float:
    """Floating-point operations a second in products of large matrices, in the precision the scorer uses."""
    dtype, size = (torch.bfloat16, 8192) if device == "cuda" else (torch.float32, 2048)
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))

    def multiply() -> None:
        for _ in range(10):
            left @ right
        if device == "cuda":
            torch.cuda.synchronize()

    multiply()
    return 10 * 2 * size**3 / min(seconds(multiply) for _ in range(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+")
    parser.add_argument("--scorer", default="")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", choices=["", "1.3b"], default="")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    arguments = parser.parse_args()
    documents = read(arguments.tables, arguments.files)
    with tempfile.TemporaryDirectory() as folder:
        many, one = Path(folder) / "many.pickle", Path(folder) / "one.pickle"
        many.write_bytes(pickle.dumps(documents))
        one.write_bytes(pickle.dumps(documents[:1]))
        location = str(random_scorer(Path(folder))) if arguments.model else arguments.scorer
        print(json.dumps(measure(location, documents, [str(many), str(one)], arguments.device, arguments.rounds), indent=1))


def measure(location: str, documents: list[Document], files: list[str], device: str, rounds: int) -> dict[str, float]:
    batch_tokens = GPU_BATCH_TOKENS if device == "cuda" else BATCH_TOKENS
    accelerator = "type:any;count:1" if device == "cuda" else ""
    scorer = Scorer.load(location, device, batch_tokens)
    tokens = sum(len(scorer.encoder.encode(document)) for document in documents)
    padded = padded_tokens(scorer, documents)
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: scorer.score(documents),
        "beam": lambda: through_beam(location, batch_tokens, accelerator, files[0]),
        "beam of one file": lambda: through_beam(location, batch_tokens, accelerator, files[1]),
        "naive padding": lambda: naive(scorer, documents),
    }
    scorer.score(documents[:64])
    times = [[seconds(way) for way in ways.values()] for _ in range(rounds)]
    best = {name: min(found) for name, found in zip(ways, zip(*times, strict=True), strict=True)}
    beam_seconds = best["beam"] - best["beam of one file"]
    flops = 2 * padded * sum(weight.numel() for name, weight in scorer.model.named_parameters() if "embed" not in name)
    return {
        "files": len(documents),
        "tokens": tokens,
        "padding": round(padded / tokens, 3),
        "plain files/s": round(len(documents) / best["plain"], 1),
        "plain tokens/s": round(tokens / best["plain"]),
        "beam files/s": round(len(documents) / beam_seconds, 1),
        "beam / plain": round(best["plain"] / beam_seconds, 3),
        "bucketing / naive padding": round(best["naive padding"] / best["plain"], 2),
        "model FLOP utilisation": round(flops / best["plain"] / peak_flops(device), 3),
    }


if __name__ == "__main__":
    main()
