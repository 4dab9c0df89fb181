"""One input and one run of the main job, shared by all tests that only look at what came out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipelines import github


def _load(name: str, folder: Path = Path(__file__).parent, file: str = "") -> ModuleType:
    # Tests are imported by path, so that folders of tests need no packages; their helpers are loaded the same way.
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, folder / f"{file or name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


sample_input = _load("sample_input")
oracle = _load("oracle")
conftest_metrics = _load("conftest_metrics")
toy_job = _load("toy_job")
web_input = _load("web_input")
made_corpus = _load("made_corpus", file="test_high_quality")
commit_history = _load("commit_history", Path(__file__).parents[1] / "commits", "conftest")
tiny_scorer = _load("tiny_scorer", Path(__file__).parents[1] / "quality", "conftest")
scripted = _load("scripted_labels", Path(__file__).parents[1] / "labels", "conftest")
start_endpoint = scripted.start_endpoint


def inputs(root: Path) -> list[str]:
    return [f"--input={root / name}" for name in ("trees", "archives", "tables")]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_input.make_input(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_input.write_metadata(tmp_path_factory.mktemp("metadata") / "repos.jsonl")


@pytest.fixture(scope="session")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quality model of two layers with random weights: what it says means nothing, but it always says the same."""
    return tiny_scorer._scorer(tmp_path_factory.mktemp("tiny") / "scorer")


@pytest.fixture(scope="session")
def arguments(sample: Path, metadata: Path, scorer: Path) -> list[str]:
    return [*inputs(sample), f"--metadata={metadata}", f"--scorer={scorer}", "--drop-lowest=0.7"]


@pytest.fixture(scope="session")
def run(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of the main job on the sample, run in this process."""
    output = tmp_path_factory.mktemp("run")
    assert github.main([*arguments, f"--output={output}", "--workers=1"]) == 0
    return output
