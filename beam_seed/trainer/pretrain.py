"""Pretrain on shards: ``torchrun --nproc-per-node=N -m beam_seed.trainer.pretrain --shards=DIR --model=PRESET --output=DIR``.

A Llama model (recipe section 7) over training shards, each sequence seen once an epoch. The loop is our own, over torch's parts (FSDP2,
distributed checkpoints, DataLoader) and transformers' model: what transformers' ``Trainer`` keeps of a data set's progress is batches of
a number of processes, and here a run must go on from the middle of a shard with any number. Its whole state besides weights and
optimizer is :class:`beam_seed.trainer.checkpoints.Progress`. A killed run is started again with the same command.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from tokenizers import Tokenizer
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import LlamaForCausalLM
from transformers.utils import logging

from beam_seed.options import not_negative, option, parse, positive, share
from beam_seed.shards.format import Manifest
from beam_seed.trainer import checkpoints, language_model
from beam_seed.trainer.batches import NO_LABEL, Batch, Batches
from beam_seed.trainer.checkpoints import Progress
from beam_seed.trainer.reader import Shards, chain
from beam_seed.trainer.run_folder import check_local, claim
from beam_seed.trainer.schedule import SCHEDULES, Schedule
from beam_seed.trainer.throughput import Meter
from beam_seed.trainer.training_log import TrainingLog

# Options that change speed and memory but not what is learned; a run may go on with others.
_FREE = ("shards", "output", "device_batch", "workers", "log_steps", "save_steps", "keep", "activation_checkpointing", "compile")

# As in Llama 2 (arXiv 2307.09288, section 2.2), which Llama 3 does not change.
_BETAS = (0.9, 0.95)


@dataclass
class Options:
    """Pretrain a Llama model on training shards."""

    shards: str = option("", "Directory of training shards, local or gs://.")
    output: str = option("", "Local folder, the same for all machines: checkpoints, logs and model; a run cut short is continued there.")
    model: str = option(
        "", "seed-coder-8b, 1b, tiny, a YAML or JSON file of LlamaConfig's keys, or a local Hugging Face directory's shape."
    )
    init_from: str = option(
        "", "Start with the weights of a checkpoint of ours (.../checkpoints/step-N) or a local Hugging Face directory."
    )
    rope_theta: float = option(0.0, "Base of the rotary embeddings; 0: the model's own.", check=not_negative)
    batch: int = option(256, "Sequences of a step, over all processes.", check=positive)
    device_batch: int = option(1, "Sequences of a forward pass of one process; a step accumulates as many as it needs.", check=positive)
    epochs: int = option(1, "Times that each sequence is seen.", check=positive)
    steps: int = option(0, "Steps of the run; 0: until all epochs are done.", check=not_negative)
    learning_rate: float = option(3e-4, "Peak learning rate.", check=positive)
    floor: float = option(0.1, "Share of the peak that the learning rate falls to.", check=share)
    schedule: str = option("cosine", "How the learning rate falls.", choices=SCHEDULES)
    warmup_steps: int = option(100, "Steps until the peak.", check=not_negative)
    decay: float = option(0.1, "Share of the steps in which wsd falls.", check=share)
    weight_decay: float = option(0.1, "Of matrices; norms' weights have none.", check=not_negative)
    clip: float = option(1.0, "Largest norm of a step's gradient.", check=positive)
    seed: int = option(0, "Decides initial weights; the order of sequences is that of the shards.")
    save_steps: int = option(500, "Steps between checkpoints.", check=positive)
    keep: int = option(2, "Checkpoints that are kept.", check=positive)
    log_steps: int = option(10, "Steps between lines of the log.", check=positive)
    workers: int = option(1, "Processes that read ahead, for each training process; 0: it reads itself.", check=not_negative)
    activation_checkpointing: bool = option(False, "Keep only what goes into each layer and compute the rest again: slower, less memory.")
    compile: bool = option(False, "Compile the layers (GPUs only).")


def train(options: Options) -> Path:
    """Train and export; returns the model's directory. Raises ValueError or FileNotFoundError on what cannot be trained."""
    check_local(options.output, "model")
    if bool(options.model) == bool(options.init_from):
        raise ValueError(f"model is {options.model!r}, init_from {options.init_from!r}; expected one of them: the other has its own shape")
    device = _join()
    try:
        if options.compile and device.type == "cpu":
            raise ValueError("compile is for GPUs and there is none; expected no --compile")
        logging.disable_progress_bar()
        model = _Run(options, device).train()
        dist.barrier()  # nobody takes the connections down while another still needs them
        return model
    finally:
        dist.destroy_process_group()


def _join() -> torch.device:
    """Meet the other processes, by torchrun's environment where there is one."""
    gpu = torch.cuda.is_available()
    backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
    if "RANK" in os.environ:
        dist.init_process_group(backend)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    if not gpu:
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    torch.set_float32_matmul_precision("high")
    return device


class _Run:
    def __init__(self, options: Options, device: torch.device):
        self.options, self.device, self.output = options, device, Path(options.output)
        self.rank, self.ranks = dist.get_rank(), dist.get_world_size()
        self.shards = Shards(options.shards)
        self.stop, self.schedule = plan(options, self.shards.manifest)
        self.device_batch = device_batch(options, self.ranks)
        config = language_model.configuration(options.model or options.init_from, self.shards.manifest, options.rope_theta)
        if options.init_from:
            _check_tokenizer(Path(options.init_from), self.shards)
        if self.rank == 0:
            decisive = {name: value for name, value in asdict(options).items() if name not in _FREE}
            claim(self.output, decisive | {"shards": fingerprint(self.shards.manifest)})
        self.model = language_model.shard(config, device, options.activation_checkpointing, options.compile)
        self.optimizer = _optimizer(self.model, options.weight_decay, device)
        self.progress = self._begin()
        products = language_model.count_parameters(config)[1]
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        self.meter = Meter(config, products, self.ranks, name)
        self.log = TrainingLog(self.output, self.progress.step) if self.rank == 0 else None
        if self.log:
            print(f"{language_model.describe(config)}; {self.schedule.steps} steps, from step {self.progress.step}", flush=True)

    def _begin(self) -> Progress:
        last = [self._last_checkpoint()]
        dist.broadcast_object_list(last)  # all go on from the same one; a machine that does not see it fails
        if last[0] is not None:
            return checkpoints.load(last[0], self.model, self.optimizer)
        source = self.options.init_from
        if source and checkpoints.is_checkpoint(Path(source)):
            checkpoints.load_weights(Path(source), self.model)
        else:
            language_model.initialise(self.model, source, self.options.seed)
        return Progress(tokenizer=self.shards.manifest.tokenizer)

    def _last_checkpoint(self) -> Path | None:
        if self.rank:
            return None
        checkpoints.remove_cut_short(self.output / "checkpoints")
        return next(reversed(checkpoints.whole(self.output / "checkpoints")), None)

    def train(self) -> Path:
        options, folder = self.options, self.output / "checkpoints"
        dataset = Batches(options.shards, self.progress.sequences, self.stop, options.batch, self.rank, self.ranks)
        saved = self.progress.step
        for batch in DataLoader(dataset, batch_size=None, num_workers=options.workers, pin_memory=self.device.type == "cuda"):
            rate = self.schedule.rate(self.progress.step)
            loss, norm = self._step(batch, rate)
            step = self.progress.step
            last = step == self.schedule.steps
            logs, saves = last or step % options.log_steps == 0, last or step % options.save_steps == 0
            if (logs or saves) and not math.isfinite(norm.item()):
                raise FloatingPointError(f"gradient norm is {norm.item()} at step {step}; expected a number: try a lower learning rate")
            if logs:
                self._tell(loss, norm, rate)
            if saves:
                started, saved = time.perf_counter(), step
                checkpoints.save(folder, self.model, self.optimizer, self.progress, options.keep)
                self.meter.pause(time.perf_counter() - started)
        assert saved == self.progress.step == self.schedule.steps
        language_model.export(self.model, self.shards.tokenizer() if self.rank == 0 else b"", self.output / "model")
        if self.log:
            self.log.close()
        return self.output / "model"

    def _step(self, batch: Batch, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """One step; returns this process' part of its loss, and the norm of its gradient."""
        labels = self._account(batch)
        total = torch.zeros((), device=self.device)
        for start in range(0, len(batch.tokens), self.device_batch):
            rows = slice(start, start + self.device_batch)
            loss = summed_loss(self.model, *(each[rows].to(self.device, non_blocking=True) for each in batch[1:4])) / labels
            (loss * self.ranks).backward()  # FSDP takes the mean over the processes
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total, norm.full_tensor()  # type: ignore[attr-defined]

    def _account(self, batch: Batch) -> int:
        """Put the step's sequences, of all processes, into the books; returns its labels, of all processes."""
        counted = [(batch.labels != NO_LABEL).sum(dim=1), batch.text, batch.squares]
        part = torch.column_stack([batch.ids.view(torch.int64), *counted])
        step = part.new_empty((self.options.batch, part.shape[1]))
        dist.all_gather_single(step, part)
        sequences = min(self.options.batch, self.stop - self.progress.sequences)
        labels, text, squares = (int(each) for each in step[:, 2:].sum(dim=0))
        ids = [row.tobytes() for row in step[:sequences, :2].numpy()]
        self.meter.add(text, squares)
        self.progress = self.progress._replace(
            step=self.progress.step + 1,
            sequences=self.progress.sequences + sequences,
            text=self.progress.text + text,
            digest=chain(bytes.fromhex(self.progress.digest), ids).hex(),
        )
        return max(1, labels)

    def _tell(self, loss: torch.Tensor, norm: torch.Tensor, rate: float) -> None:
        dist.all_reduce(loss)
        figures: dict[str, Any] = {"loss": loss.item(), "gradient_norm": norm.item(), "learning_rate": rate}
        speed = self.meter.read()
        if self.log:
            self.log.write({"step": self.progress.step} | figures | speed | _told(self.progress))


def summed_loss(model: LlamaForCausalLM, tokens: torch.Tensor, positions: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum of the cross entropies of all labels. Positions that begin anew keep documents apart: transformers makes the mask from them."""
    logits = model(input_ids=tokens, position_ids=positions, use_cache=False).logits
    following = functional.pad(labels[:, 1:], (0, 1), value=NO_LABEL)  # shifting logits instead would copy them, and they are large
    return functional.cross_entropy(logits.flatten(0, 1).float(), following.flatten(), ignore_index=NO_LABEL, reduction="sum")


def plan(options: Options, manifest: Manifest) -> tuple[int, Schedule]:
    """The position where the run ends, and the learning rate of its steps. Raises ValueError where the data ends before the steps."""
    there = manifest.sequences * options.epochs
    most = math.ceil(there / options.batch)
    if options.steps > most:
        raise ValueError(
            f"steps is {options.steps} and {options.epochs} epochs of {manifest.sequences} sequences are {most} steps of {options.batch}; "
            "expected fewer steps, or more epochs"
        )
    steps = options.steps or most
    decay = max(1, round(options.decay * steps))
    rates = Schedule(
        options.schedule, options.learning_rate, options.floor * options.learning_rate, steps, min(options.warmup_steps, steps // 2), decay
    )
    return min(there, steps * options.batch), rates


def device_batch(options: Options, ranks: int) -> int:
    """Sequences of a forward pass. Raises ValueError where a step cannot be divided so."""
    size = int(min(options.device_batch, max(1, options.batch // ranks)))
    if options.batch % (ranks * size):
        raise ValueError(f"batch is {options.batch}; expected a multiple of {ranks} processes times device_batch {size}")
    return size


def fingerprint(manifest: Manifest) -> str:
    """What the shards were made of, and how, wherever they are; a takedown leaves every sequence its id and position, and this as it is."""
    sequences = [shard.sequences for shard in manifest.shards]
    made = [manifest.format, manifest.sequence_length, sequences, manifest.tokenizer, manifest.stage, manifest.inputs]
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def _optimizer(model: LlamaForCausalLM, weight_decay: float, device: torch.device) -> torch.optim.AdamW:
    weights = list(model.parameters())
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": weight_decay},
        {"params": [weight for weight in weights if weight.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=_BETAS, fused=device.type == "cuda")


def _check_tokenizer(source: Path, shards: Shards) -> None:
    """Raises ValueError where the ids that a checkpoint or model directory was trained on mean something else in the shards.

    A Hugging Face directory's tokenizer may lack tokens that the shards' has besides, such as ours.
    """
    wanted = shards.manifest.tokenizer
    if checkpoints.is_checkpoint(source):
        same = checkpoints.progress_of(source).tokenizer == wanted
    elif (path := source / "tokenizer.json").is_file():
        theirs, ours = Tokenizer.from_file(str(path)).get_vocab(), Tokenizer.from_str(shards.tokenizer().decode()).get_vocab()
        same = all(ours.get(token) == number for token, number in theirs.items())
    else:
        raise FileNotFoundError(f"{source} is no checkpoint of ours and has no tokenizer.json; expected one of them")
    if not same:
        raise ValueError(f"{source} was trained with another tokenizer than the shards' (SHA-256 {wanted}); expected the same ids")


def _told(progress: Progress) -> dict[str, Any]:
    return {"sequences": progress.sequences, "tokens": progress.text, "digest": progress.digest}


def main(argv: Sequence[str] | None = None) -> None:
    options, _ = parse(Options, sys.argv[1:] if argv is None else argv, "beam_seed.trainer.pretrain")
    train(options)


if __name__ == "__main__":
    main()
