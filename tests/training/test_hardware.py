"""Precision and memory as the machine has them."""

import platform

import numpy as np
import pytest
import torch

from imagette.training import hardware


def test_precision_follows_the_hardware(monkeypatch):
    cpu = torch.device("cpu")
    assert hardware.choose_precision(cpu, "float32") == torch.float32
    assert hardware.choose_precision(cpu, "bfloat16") == torch.bfloat16
    for flags, precision in (
        ("flags : fpu avx2", torch.float32),
        ("flags : fpu avx512f avx512_bf16", torch.bfloat16),
        ("flags : amx_tile amx_bf16 avx2", torch.bfloat16),
        ("", torch.float32),  # not Linux
    ):
        monkeypatch.setattr(hardware, "_cpuinfo", lambda flags=flags: flags)
        assert hardware.choose_precision(cpu, "auto") == precision
        assert hardware.has_amx() == ("amx" in flags)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other systems are left as they are")
def test_freed_memory_stays_at_hand():
    import resource

    hardware.keep_memory()
    faults = []
    # Until glibc 2.38 some aligned blocks are placed anew before one takes the place of another.
    for _ in range(40):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.zeros(10_000_000)  # 40 MB, let go of at once
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    # 40 MB in pages of 4 KiB are 9,800 faults, were they handed back.
    assert np.median(faults[-9:]) < 1_000
