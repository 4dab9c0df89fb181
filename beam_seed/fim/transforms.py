"""Fill-in-the-middle in a Beam pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import apache_beam as beam

from beam_seed.fim.split import FillInMiddle
from beam_seed.records import Document
from beam_seed.special_tokens import escape


@dataclass
class FillInTheMiddle(beam.PTransform):
    """Documents to the same documents, their content as it is trained on: escaped, and a share of them cut for fill-in-the-middle.

    For single files only; what carries markers already (commits, whole repositories) must not pass here. ``size`` and ``sha256`` stay those
    of the original, which :func:`beam_seed.fim.split.reassemble` and :func:`beam_seed.special_tokens.unescape` give back.
    """

    rate: float = 0.5  # the recipe's, of regular pretraining
    spm: float = 1.0
    seed: int = 0
    epoch: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._fim = FillInMiddle(self.rate, self.spm, self.seed)

    def expand(self, documents: beam.PCollection[Document]) -> beam.PCollection[Document]:
        return documents | "Cut and reorder" >> beam.Map(_rewrite, self._fim, self.epoch).with_output_types(Document)


def _rewrite(document: Document, fim: FillInMiddle, epoch: int) -> Document:
    _, text = fim.apply(escape(document.content), document.id, epoch)
    return Document(*document)._replace(content=text)
