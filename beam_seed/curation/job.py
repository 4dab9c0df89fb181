"""The main job, as its books and its report know it."""

from __future__ import annotations

from beam_seed.curation.datasets import CORPUS
from beam_seed.report.job import Job

GITHUB = Job(
    name="github",
    variants=("file_level", "repo_level"),
    funnel=("read", "language", "rules", "exact_dedup", "near_dedup", "syntax", "decontamination", "quality"),
    corpus=CORPUS,
    categorical=("language", "license", "scorer"),
    repositories=("repo_level",),
)
