import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch


def _load(name: str) -> ModuleType:
    # Tests are imported by path, so that folders of tests need no packages; their helpers are loaded the same way.
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


processes = _load("processes")
training_shards = _load("training_shards")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Models this small only wait for each other's threads."""
    torch.set_num_threads(1)
