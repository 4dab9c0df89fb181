"""Train a scorer on labels: ``torchrun --nproc-per-node=N -m beam_seed.trainer.scorer --labels=DIR --output=DIR``.

Seed-Coder's way (arXiv 2506.03524): a language model of Llama structure gets a regression head and is trained for one epoch with the mean
squared error on ratings rescaled to [0, 1]. The loop is transformers' ``Trainer``; ours are the order of the documents, which depends on
nothing but the seed, and the loss, which is the mean over the whole step however the step is divided between processes.
A run that was killed is started again with the same command, and ends with the same weights as if it had not been.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
)
from transformers.utils import logging

from beam_seed.options import not_negative, option, parse, positive, proper_share
from beam_seed.quality.encoding import Encoder
from beam_seed.quality.package import InputFormat
from beam_seed.trainer.bag import fit_bag
from beam_seed.trainer.labels import Label, read_labels, split
from beam_seed.trainer.packaging import package, progress
from beam_seed.trainer.run_folder import check_local, claim
from beam_seed.trainer.tokenizer import train_tokenizer

# Documents of 50 steps are sorted by length before they are cut into batches: padding falls to about 1.1 x and batches stay mixed.
_STEPS_SORTED = 50

# A vocabulary does not change any more after so many documents of two kilobytes.
_TOKENIZER_DOCUMENTS = 10_000


@dataclass
class Options:
    """Train a scorer on labels: one epoch of regression on ratings rescaled to [0, 1]."""

    labels: list[str] = option([], "Parquet files, patterns or folders, local or gs://, with content, language, path and rating (0 to 10).")
    output: str = option("", "Local folder of the scorer; a run that was cut short is continued from its checkpoints there.")
    model: str = option(
        "", "Local Hugging Face directory of the model to fine-tune; empty: a small one from scratch, with its own tokenizer."
    )
    hidden_size: int = option(128, "Width of a model from scratch, a multiple of 32.", check=positive)
    layers: int = option(4, "Layers of a model from scratch.", check=positive)
    vocabulary: int = option(16_384, "Tokens of a tokenizer from scratch.", check=positive)
    max_length: int = option(512, "Tokens of a document that the model sees.", check=positive)
    max_characters: int = option(2_048, "Characters of a document that are read.", check=positive)
    pieces: int = option(1, "Pieces that a longer document is represented by: 1 = its head, else evenly spaced ones.", check=positive)
    bag_epochs: int = option(3, "Epochs that the bag-of-tokens part of a model from scratch is trained for first.", check=not_negative)
    prefix: str = option("{language}\n", "What stands before the content; may name {language} and {path}.")
    batch: int = option(32, "Documents of a step, over all processes.", check=positive)
    device_batch: int = option(
        32, "Documents of a forward pass of one process; a step accumulates as many passes as it needs.", check=positive
    )
    learning_rate: float = option(1e-3, "Peak learning rate; 1e-5 is usual where a large model is fine-tuned.", check=positive)
    held_out: float = option(0.1, "Share of the projects that the scorer is evaluated on instead of trained on.", check=proper_share)
    save_steps: int = option(500, "Steps between checkpoints.", check=positive)
    seed: int = option(0, "Decides initial weights and the order of the documents.")
    fsdp: bool = option(False, "Shard the model over several GPUs (FSDP), where it does not fit on each; slower where it does.")


def train(options: Options) -> Path:
    """Train, package and evaluate; returns the scorer's directory, which the first process finishes.

    Raises ValueError or FileNotFoundError on what cannot be trained.
    """
    logging.disable_progress_bar()  # one for every file of every checkpoint
    state = PartialState(cpu=not torch.cuda.is_available())
    _check_places(options)
    training, held_out = split(read_labels(options.labels), options.held_out)
    steps = len(training) // options.batch
    if not steps or not held_out:
        raise ValueError(
            f"{len(training)} labels to train on, {len(held_out)} held out; expected a batch of {options.batch} and one at least"
        )
    output, form = Path(options.output), InputFormat(options.prefix, options.max_characters, options.max_length, options.pieces)
    with state.main_process_first():
        if state.is_main_process:
            _prepare(output, options, form, training)
    encoder = Encoder(output, form)
    rows: list[dict[str, Any]] = [{"tokens": encoder.encode(label.document), "label": label.rating / 10} for label in training]
    order = training_order([len(row["tokens"]) for row in rows], options.batch, options.seed)
    initial = Path(options.model or output / "initial")
    with state.main_process_first():
        if not initial.exists():
            model = _from_scratch(options, encoder.vocabulary_size)
            fit_bag(model, [row["tokens"] for row in rows], [row["label"] for row in rows], options.bag_epochs, options.seed)
            model.save_pretrained(output / "initial.tmp")
            os.replace(output / "initial.tmp", initial)
    model = _load(initial, options.seed, form.max_length)
    trainer = Trainer(
        model=model,
        args=_arguments(options, output / "checkpoints", state.num_processes),
        train_dataset=[rows[position] for position in order],
        data_collator=_Collator(model.config.pad_token_id),
        compute_loss_func=_step_loss,
    )
    if options.fsdp and not trainer.is_fsdp_enabled:
        raise ValueError(f"fsdp shards a model over GPUs and there are {torch.cuda.device_count()}; expected two at least, else no --fsdp")
    trainer.train(resume_from_checkpoint=_last_checkpoint(output / "checkpoints"))
    trainer.save_model(str(output))
    if state.is_main_process:  # the others are done: evaluation may take longer than a barrier waits
        facts = {name: getattr(options, name) for name in ("batch", "learning_rate", "seed")}
        facts |= {"start": Path(options.model).name or "from scratch", "projects_held_out": options.held_out}
        package(output, form, training, held_out, facts | progress(trainer.state.log_history))
        _remove_leftovers(output)
    return output


def training_order(lengths: Sequence[int], batch: int, seed: int) -> list[int]:
    """Positions of the documents in the order they are trained on: shuffled, near neighbours of like length, a multiple of ``batch``.

    What is left over after the last full batch is left out, so that every step counts the same number of documents.
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(lengths))[: len(lengths) // batch * batch]
    batches: list[Any] = []
    for start in range(0, len(shuffled), batch * _STEPS_SORTED):
        part = shuffled[start : start + batch * _STEPS_SORTED]
        part = part[np.argsort([lengths[position] for position in part], kind="stable")]
        pieces = part.reshape(-1, batch)
        batches += list(pieces[random.permutation(len(pieces))])
    return [int(position) for piece in batches for position in piece]


class _Collator:
    def __init__(self, padding: int):
        self._padding = padding

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        padded = np.full((len(rows), max(len(row["tokens"]) for row in rows)), self._padding, np.int64)
        for line, row in zip(padded, rows, strict=True):
            line[: len(row["tokens"])] = row["tokens"]
        tokens = torch.from_numpy(padded)
        labels = torch.tensor([row["label"] for row in rows], dtype=torch.float32)
        return {"input_ids": tokens, "attention_mask": (tokens != self._padding).long(), "labels": labels}


def _step_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
    """This pass's part of the mean squared error over all documents of the step (``num_items_in_batch`` of them)."""
    squares = (outputs.logits[:, 0].float() - labels) ** 2
    return squares.sum() / (len(labels) if num_items_in_batch is None else num_items_in_batch)


def _arguments(options: Options, checkpoints: Path, processes: int) -> TrainingArguments:
    device_batch = min(options.device_batch, options.batch // processes)
    if device_batch * processes * (options.batch // (device_batch * processes)) != options.batch:
        raise ValueError(f"batch is {options.batch}; expected a multiple of {processes} processes times device_batch {device_batch}")
    gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=device_batch,
        gradient_accumulation_steps=options.batch // (device_batch * processes),
        num_train_epochs=1,
        learning_rate=options.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        weight_decay=0.05,
        optim="adamw_torch_fused",
        bf16=gpu,
        fsdp=options.fsdp or None,  # FSDP2, one unit for each decoder layer (the model's own _no_split_modules)
        fsdp_config={"state_dict_type": "FULL_STATE_DICT"} if options.fsdp else None,  # one file, which is the scorer's
        ddp_find_unused_parameters=False,
        use_cpu=not gpu,
        seed=options.seed,
        full_determinism=not gpu,
        train_sampling_strategy="sequential",
        dataloader_pin_memory=gpu,
        remove_unused_columns=False,
        logging_steps=math.gcd(10, options.save_steps),  # a mean over steps before and after a checkpoint would not survive a kill
        include_num_input_tokens_seen="non_padding",  # and with it tokens per second in every line of the log
        save_steps=options.save_steps,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
    )


def _prepare(output: Path, options: Options, form: InputFormat, training: Sequence[Label]) -> None:
    """Make the folder, or check that it is this run's; put the tokenizer there."""
    claim(output, asdict(options))
    (output / "checkpoints").mkdir(exist_ok=True)
    tokenizer = output / "tokenizer.json"
    if options.model:
        shutil.copyfile(Path(options.model) / "tokenizer.json", tokenizer)
    elif not tokenizer.exists():
        texts = (form.text(label.document) for label in training[:_TOKENIZER_DOCUMENTS])
        train_tokenizer(texts, options.vocabulary).save(str(output / "tokenizer.tmp"))
        os.replace(output / "tokenizer.tmp", tokenizer)


def _from_scratch(options: Options, vocabulary: int) -> LlamaForSequenceClassification:
    torch.manual_seed(options.seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=options.hidden_size,
        intermediate_size=3 * options.hidden_size,
        num_hidden_layers=options.layers,
        num_attention_heads=max(1, options.hidden_size // 32),
        max_position_embeddings=options.max_length,
        num_labels=1,
        problem_type="regression",
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
    )
    return LlamaForSequenceClassification(config)


def _check_places(options: Options) -> None:
    check_local(options.output, "scorer")
    missing = [name for name in ("config.json", "tokenizer.json") if options.model and not (Path(options.model) / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{options.model} has no {' and no '.join(missing)}; expected a local Hugging Face directory with both")


def _load(directory: Path, seed: int, max_length: int) -> PreTrainedModel:
    torch.manual_seed(seed)  # a model without a regression head gets a random one
    config = AutoConfig.from_pretrained(directory, local_files_only=True, num_labels=1, problem_type="regression")
    if config.pad_token_id is None:  # language models have none; some have several ends of text
        config.pad_token_id = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    if config.pad_token_id is None:
        raise ValueError(f"{directory / 'config.json'} has neither pad_token_id nor eos_token_id; expected one to pad with")
    if config.max_position_embeddings < max_length:
        raise ValueError(
            f"{directory / 'config.json'} has max_position_embeddings {config.max_position_embeddings}; expected at least the "
            f"{max_length} of --max-length"
        )
    return AutoModelForSequenceClassification.from_pretrained(directory, config=config, local_files_only=True, dtype=torch.float32)


def _last_checkpoint(folder: Path) -> str | None:
    """The latest checkpoint that was written to its end; transformers' own choice may be one that a kill cut short."""
    complete = []
    for path in folder.glob("checkpoint-*"):
        with contextlib.suppress(OSError, ValueError):  # the last file to be written
            complete.append((json.loads((path / "trainer_state.json").read_text())["global_step"], str(path)))
    return max(complete)[1] if complete else None


def _remove_leftovers(output: Path) -> None:
    for folder in ("checkpoints", "initial"):
        shutil.rmtree(output / folder, ignore_errors=True)
    for name in ("run.json", "training_args.bin"):
        (output / name).unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> None:
    options, _ = parse(Options, sys.argv[1:] if argv is None else argv, "beam_seed.trainer.scorer")
    train(options)


if __name__ == "__main__":
    main()
