"""What values a network is given for the pixels of a picture, as `--pixels` says it."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImagetteError

_NUMBER = r"-?(?:\d+(?:\.\d+)?|\.\d+)"


@dataclass(frozen=True)
class PixelValues:
    """What becomes of a pixel's level, 0–255, before a network is given it.

    Attributes:
        said: in words, as after "pixels in".
        factor: what levels are multiplied by, one number or one a channel.
        offset: what is added then, likewise.
        bgr: whether the network takes the channels as blue, green, red; `factor` and `offset` are
            in its order.
    """

    said: str
    factor: tuple[float, ...]
    offset: tuple[float, ...]
    bgr: bool = False

    def of(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the network is given for images uint8 `(n, height, width, channels)`: float32, of
        the same shape.

        Raises:
            ImagetteError: these values are for colours, and the images have one channel.
        """
        if images.shape[-1] == 1 and (self.bgr or max(len(self.factor), len(self.offset)) > 1):
            raise ImagetteError(
                f"The network takes one channel, and pixels in {self.said} have three.",
                f"Choose one of these for --pixels: {ways_to_say(1)}",
            )
        pixels = (images[..., ::-1] if self.bgr else images).astype(np.float32)
        return pixels * np.array(self.factor, np.float32) + np.array(self.offset, np.float32)


def ways_to_say(channels: int = 3) -> str:
    """The values of `--pixels`, for the remedy of an error."""
    if channels == 1:
        return "1 (0 to 1), 255 (0 to 255), -1..1, or mean=M:std=S, such as mean=0.13:std=0.31."
    return (
        "1 (0 to 1), 255 (0 to 255), -1..1, imagenet (as torchvision and timm normalise), caffe"
        " (as Keras prepares pixels for VGG16 and ResNet50), or mean=R,G,B:std=R,G,B."
    )


def from_range(low: float, high: float, bgr: bool = False) -> PixelValues:
    """Levels 0–255 brought to `low`–`high`, perhaps in the order blue, green, red."""
    said = f"{low:g}…{high:g}".replace("-", "−") if low < 0 else f"{low:g}–{high:g}"
    said += ", in the order blue, green, red" if bgr else ""
    return PixelValues(said, ((high - low) / 255,), (float(low),), bgr)


def parse_pixel_values(text: str | int) -> PixelValues:
    """Read a value of `--pixels`; `ways_to_say` lists them.

    Raises:
        ImagetteError: it is none.
    """
    said = re.sub(r"[\s()\[\]]", "", str(text)).lower()
    if said == "imagenet":
        return _normalised(said, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    if said == "caffe":  # the means of ImageNet in blue, green, red
        return PixelValues(said, (1.0,), (-103.939, -116.779, -123.68), bgr=True)
    if re.fullmatch(_NUMBER, said):
        said = f"0..{said}"
    if limits := re.fullmatch(rf"({_NUMBER})(?:\.\.\.?|…|–|-|,)({_NUMBER})", said):
        low, high = (float(each) for each in limits.groups())
        if low < high:
            return from_range(low, high)
    numbers = rf"({_NUMBER}(?:,{_NUMBER}){{2}}|{_NUMBER})"
    if given := re.fullmatch(rf"mean={numbers}[:;/&,]*std={numbers}", said):
        mean, std = (tuple(map(float, each.split(","))) for each in given.groups())
        if min(std) > 0:
            return _normalised(said, mean, std)
    raise ImagetteError(
        f"{text} is not a range of pixel values.",
        f"Choose one of these for --pixels: {ways_to_say()}",
    )


def _normalised(said: str, mean: tuple[float, ...], std: tuple[float, ...]) -> PixelValues:
    """Pixels less a mean, by a deviation: of pixels 0–1, or 0–255 where a number exceeds 1."""
    top = 255.0 if max(*mean, *std) > 1 else 1.0
    factor = 1 / (np.array(std) * (255 / top))
    offset = -np.array(mean) / np.array(std)
    return PixelValues(said, tuple(factor.tolist()), tuple(offset.tolist()))
