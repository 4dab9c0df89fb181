"""The trainer's own program with FSDP on CPUs: torch can shard there, accelerate only looks for it where there are GPUs."""

import sys
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import DistributedType
from torch.distributed.fsdp import FSDPModule

from beam_seed.trainer import scorer


class Trainer(scorer.Trainer):
    def __init__(self, **given):
        PartialState().distributed_type = DistributedType.MULTI_XPU  # any that is no CPU
        super().__init__(**given)

    def train(self, **given):
        super().train(**given)
        names = [name for name, module in self.model.named_modules() if name and isinstance(module, FSDPModule)]
        Path(self.args.output_dir).parent.joinpath("sharded.txt").write_text(" ".join(names))


scorer.Trainer = Trainer
scorer.main(sys.argv[1:])
