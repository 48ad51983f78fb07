"""What a training runs on: which device, in which precision, with memory kept at hand."""

import ctypes
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def choose_device() -> "torch.device":
    """The GPU where there is one that PyTorch can use, otherwise the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(device: "torch.device", wanted: str) -> "torch.dtype":
    """The type that activations and gradients are computed in; weights are always float32.

    `wanted` is `float32`, `bfloat16`, or `auto`: bfloat16 where the hardware multiplies it (NVIDIA
    GPUs since Ampere, Intel and AMD CPUs with AVX-512 BF16 or AMX), float32 elsewhere. It has
    float32's range, so that no loss needs scaling.
    """
    import torch

    if wanted != "auto":
        return getattr(torch, wanted)
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())
    return torch.bfloat16 if fast else torch.float32


def has_amx() -> bool:
    """Whether the processor multiplies tiles of bfloat16, many times faster than float32."""
    return "amx_bf16" in _cpu_flags()


def configure(device: "torch.device") -> None:
    """Settings of PyTorch and of the C library for steps that are all alike."""
    import torch

    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # try the kernels of a convolution, keep the fastest
        torch.set_float32_matmul_precision("high")
    else:
        keep_memory()


def keep_memory() -> None:
    """Keep freed memory for the next step instead of handing it back to the operating system.

    A step allocates and frees the same hundreds of megabytes as the step before. The C library of
    most Linux systems hands blocks of that size back at once, and the kernel clears every page of
    the next: measured here, that made pooling, normalisation and activations two to four times
    slower. Nothing happens on other systems. The process keeps what it frees
    until it ends, or until `release_memory` hands it back.
    """
    if not (libc := _glibc()):
        return
    # Numbers from malloc.h: M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD (bytes).
    for parameter, value in ((-4, 0), (-1, -1), (-2, 256 * 2**20)):
        libc.mallopt(parameter, value)


def release_memory() -> None:
    """Hand back to the operating system what `keep_memory` has kept and nothing uses any more."""
    if libc := _glibc():
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def processor() -> str:
    """The processor's name; Linux tells it in a file of its own."""
    names = re.findall(r"model name\s*:\s*(.+)", _cpuinfo())
    return names[0] if names else platform.processor() or platform.machine()


def _cpu_flags() -> set[str]:
    flags = re.search(r"^flags\s*:(.+)$", _cpuinfo(), re.MULTILINE)
    return set(flags[1].split()) if flags else set()


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8") if path.is_file() else ""
