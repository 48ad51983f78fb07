"""How much memory there is, and giving it back."""

import platform
import subprocess
import sys

import pytest

from imagette.serving import memory
from imagette.serving.settings import Settings

GIBIBYTE = 1 << 30


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 64 GiB without limits; a function puts files of control groups on it."""
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_GROUP_OF_THIS", tmp_path / "group")
    monkeypatch.setattr(memory, "_machine_memory", lambda: 64 * GIBIBYTE)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", raising=False)

    def put(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return put


def test_the_limit_of_a_container_is_shared_among_the_workers(machine):
    unlimited = Settings(workers=2).decoding_bytes
    machine("group", "0::/\n")
    machine("memory.max", f"{2 * GIBIBYTE}\n")
    two, one = (Settings(workers=count).decoding_bytes for count in (2, 1))
    assert 500e6 < two < one / 2 < 1e9 < unlimited
    machine("memory.max", "max\n")
    assert Settings(workers=2).decoding_bytes == unlimited
    assert Settings(workers=2, decoding_bytes=12_345_678).decoding_bytes == 12_345_678


@pytest.mark.parametrize(
    ("groups", "limit"),
    [
        ("0::/service/api\n", "service/memory.max"),  # of a group around its own
        ("0::/service/api\n", "service/api/memory.max"),
        ("4:memory:/docker/abc\n0::/\n", "memory/memory.limit_in_bytes"),  # seen from within
        ("5:cpu,memory:/service\n", "memory/service/memory.limit_in_bytes"),
    ],
)
def test_the_lowest_limit_of_any_group_counts(machine, groups, limit):
    machine("group", groups)
    machine("memory/memory.limit_in_bytes", "9223372036854771712\n")  # none, of version 1
    unlimited = memory.default_decoding_bytes(1)
    machine(limit, f"{GIBIBYTE}\n")
    assert memory.default_decoding_bytes(1) < GIBIBYTE < unlimited


def test_aws_lambda_tells_in_the_environment(machine, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
    assert GIBIBYTE < memory.default_decoding_bytes(1) < 1769 << 20


def test_with_hardly_any_memory_small_pictures_are_still_answered(machine, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
    assert memory.default_decoding_bytes(4) > 10_000_000


LEFT = r"""
import re, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from PIL import Image
from imagette.serving.memory import hand_back_freed_memory

if sys.argv[1] == "given back":
    hand_back_freed_memory()

def held():
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def work(_):
    return Image.new("RGB", (2000, 1000), 7).resize((10, 10)).size

with ThreadPoolExecutor(4) as pool:
    before = held()
    for _ in range(3):
        list(pool.map(work, range(8)))
    print(held() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries do without")
def test_what_threads_have_freed_goes_back():
    kept, given_back = (
        int(subprocess.check_output([sys.executable, "-c", LEFT, how]))
        for how in ("kept", "given back")
    )
    assert given_back < kept / 4
