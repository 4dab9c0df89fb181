"""One input and one run of the main job, shared by all tests that only look at what came out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipelines import github


def _load(name: str) -> ModuleType:
    # Tests are imported by path, so that folders of tests need no packages; their helpers are loaded the same way.
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


sample_input = _load("sample_input")
oracle = _load("oracle")


def inputs(root: Path) -> list[str]:
    return [f"--input={root / name}" for name in ("trees", "archives", "tables")]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_input.make_input(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_input.write_metadata(tmp_path_factory.mktemp("metadata") / "repos.jsonl")


@pytest.fixture(scope="session")
def run(sample: Path, metadata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of the main job on the sample, run in this process."""
    output = tmp_path_factory.mktemp("run")
    assert github.main([*inputs(sample), f"--metadata={metadata}", f"--output={output}", "--workers=1"]) == 0
    return output
