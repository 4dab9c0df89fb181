"""Tokens per second, and model FLOP utilisation: the share of a device's peak that the model itself needs.

FLOPs of a token are 6 for each weight in a matrix product (2 forward, 4 backward; Kaplan et al. 2020, arXiv 2001.08361, section 2.1).
Attention of a piece of n tokens needs 2 products of n x n x width in each layer, half of it because it is causal:
``6 * layers * width * n**2`` with the backward pass. Counted is what the documents need: no padding, nothing across documents, nothing
that is computed twice (MFU of Chowdhery et al. 2022, arXiv 2204.02311, appendix B, which counts attention over the whole sequence).
"""

from __future__ import annotations

import time

from transformers import LlamaConfig

# Dense bfloat16 products, FLOPs per second, from NVIDIA's data sheets (which give twice as many "with sparsity"). The longest name that the
# device's begins with counts.
PEAKS = {
    "NVIDIA A100": 312e12,
    "NVIDIA H100": 989.4e12,  # SXM
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H200": 989.4e12,  # SXM
    "NVIDIA H200 NVL": 835e12,
    "NVIDIA L4": 121e12,
    "NVIDIA L40": 181e12,
    "NVIDIA L40S": 362e12,
}


def peak(device_name: str) -> float | None:
    """FLOPs per second of a GPU by its name, None where it is not known."""
    words = device_name.replace("-", " ").split()
    known = [name for name in PEAKS if words[: len(name.split())] == name.split()]
    return PEAKS[max(known, key=len)] if known else None


def flops(config: LlamaConfig, products: int, tokens: int, squares: int) -> int:
    """FLOPs of a forward and backward pass. products: weights in matrix products; squares: sum of the pieces' squared lengths."""
    width = config.num_attention_heads * config.head_dim
    return 6 * products * tokens + 6 * config.num_hidden_layers * width * squares


class Meter:
    """What was done since the last reading, and in what time; :meth:`pause` leaves out what is no training."""

    def __init__(self, config: LlamaConfig, products: int, devices: int, device_name: str):
        self._config, self._products, self._devices, self._peak = config, products, devices, peak(device_name)
        self._reset()

    def _reset(self) -> None:
        self._started, self._tokens, self._squares = time.perf_counter(), 0, 0

    def add(self, tokens: int, squares: int) -> None:
        self._tokens += tokens
        self._squares += squares

    def pause(self, seconds: float) -> None:
        self._started += seconds

    def read(self) -> dict[str, float]:
        """tokens_per_second of all devices, tflops of one device, and mfu where its peak is known."""
        seconds = time.perf_counter() - self._started
        each = flops(self._config, self._products, self._tokens, self._squares) / seconds / self._devices
        told = {"tokens_per_second": round(self._tokens / seconds, 1), "tflops": round(each / 1e12, 4)}
        self._reset()
        return told | ({"mfu": round(each / self._peak, 4)} if self._peak else {})
