import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Models this small only wait for each other's threads."""
    torch.set_num_threads(1)
