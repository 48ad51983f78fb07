"""What a training ran on: kept beside its results, because they depend on it."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from imagette.training.hardware import processor


def environment() -> dict[str, Any]:
    """Versions of what computes, and the machine it runs on, as plain JSON values."""
    packages = ("imagette", "keras", "numpy", "onnx", "onnxruntime", "scikit-learn", "torch")
    torch = sys.modules.get("torch")  # a head in closed form needs none
    gpu = torch.cuda.get_device_name(0) if torch and torch.cuda.is_available() else None
    return {
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in packages},
        "machine": {
            "system": platform.platform(),
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads() if torch else os.cpu_count(),
            "gpu": gpu,
        },
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
