"""Draw the sample pictures that ship with the package, so that anybody can try the demo at once.

Nothing is taken from a photograph or from a dataset: every shape is drawn below, with Pillow and
NumPy, and every speckle comes from a fixed seed. Run it again after changing a picture:

    python tools/draw_samples.py

How a picture is made: a shape is a mask, an array `(N, N)` of 0–1; `paint` lays a colour over the
canvas through it. `rounded` gives a colour the light and shade of a soft, inflated body of that
shape, which is what makes flat outlines look like things. Coordinates are in pixels of the finished
picture, x to the right and y down; the canvas itself is `SCALE` times finer.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = 320
SCALE = 3
N = SIZE * SCALE

FOLDER = Path(__file__).parent.parent / "src" / "imagette" / "assets" / "samples"

Array = NDArray[np.float32]
Point = tuple[float, float]
Colour = tuple[float, float, float] | Array

Y, X = (np.mgrid[0:N, 0:N] / SCALE).astype(np.float32)

# --- shapes: masks of 0–1 ------------------------------------------------------------------------


def polygon(*points: Point) -> Array:
    image = Image.new("L", (N, N))
    ImageDraw.Draw(image).polygon([(x * SCALE, y * SCALE) for x, y in points], fill=255)
    return np.asarray(image, dtype=np.float32) / 255


def smooth(*points: Point) -> Array:
    """The closed curve that goes softly through all the points (Catmull–Rom)."""
    return polygon(*_curve(points, closed=True))


def ellipse(x: float, y: float, rx: float, ry: float, degrees: float = 0) -> Array:
    turns = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    outline = [(x + rx * np.cos(t), y + ry * np.sin(t)) for t in turns]
    return polygon(*turned(outline, degrees, (x, y)))


def stroke(*points: Point, width: float, end: float | None = None) -> Array:
    """A line through the points, `width` thick at the start and `end` thick at the end."""
    line = np.array(_curve(points, closed=False))
    widths = np.linspace(width, width if end is None else end, len(line)) / 2
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    across *= (widths / np.maximum(np.hypot(*along.T), 1e-6))[:, None]
    body = polygon(*map(tuple, line + across), *map(tuple, (line - across)[::-1]))
    tips = [ellipse(*line[i], widths[i], widths[i]) for i in (0, -1)]
    return np.maximum.reduce([body, *tips])


def below(y: float | Array) -> Array:
    return np.greater(Y, y).astype(np.float32)


def union(*masks: Array) -> Array:
    return np.maximum.reduce(masks)


def turned(points: list[Point], degrees: float, centre: Point) -> list[Point]:
    angle = np.radians(degrees)
    (cx, cy), cos, sin = centre, np.cos(angle), np.sin(angle)
    return [
        (cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos)
        for x, y in points
    ]


def mirrored(side: int, *points: Point) -> list[Point]:
    """Points given by their distance from the middle, on its left (-1) or its right (1)."""
    return [(SIZE / 2 + side * x, y) for x, y in points]


def _curve(points: tuple[Point, ...], closed: bool, steps: int = 12) -> list[Point]:
    p = np.array(points, dtype=float)
    p = np.concatenate([p[-1:], p, p[:2]] if closed else [p[:1], p, p[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        pieces.append(
            b + t * (c - a) / 2 + t**2 * (a - 2.5 * b + 2 * c - d / 2)
            + t**3 * (1.5 * b - a / 2 - 1.5 * c + d / 2)
        )  # fmt: skip
    return [tuple(point) for point in np.concatenate([*pieces, p[-2:-1]])]


# --- light, colour and texture -------------------------------------------------------------------


def blur(values: Array, radius: float) -> Array:
    """Gaussian-like blur: three box filters along each axis."""
    reach = max(1, round(radius * SCALE * 0.6))
    for axis in (0, 1, 0, 1, 0, 1):
        padding = [(0, 0)] * values.ndim
        padding[axis] = (reach + 1, reach)
        sums = np.cumsum(np.pad(values, padding, mode="edge"), axis=axis, dtype=np.float64)
        before = np.take(sums, range(N), axis=axis)
        after = np.take(sums, range(2 * reach + 1, 2 * reach + 1 + N), axis=axis)
        values = ((after - before) / (2 * reach + 1)).astype(np.float32)
    return values


def noise(seed: int, across: int, down: int, octaves: int = 3) -> Array:
    """Soft random texture around 0, about ±1, with that many blotches across and down."""
    random, total = np.random.default_rng(seed), np.zeros((N, N), np.float32)
    for octave in range(octaves):
        shape = (min(N, down * 2**octave), min(N, across * 2**octave))
        grid = Image.fromarray(random.uniform(-1, 1, shape).astype(np.float32))
        total += np.asarray(grid.resize((N, N), Image.Resampling.BICUBIC)) / 2**octave
    return total


def flat(colour: Colour) -> Array:
    return np.broadcast_to(np.asarray(colour, dtype=np.float32), (N, N, 3))


def mix(first: Colour, second: Colour, amount: Array | float) -> Array:
    """`first` where the amount is 0, `second` where it is 1."""
    share = np.clip(amount, 0, 1)
    share = share[..., None] if isinstance(share, np.ndarray) else share
    return flat(first) * (1 - share) + flat(second) * share


def fade(top: Colour, bottom: Colour, from_y: float, to_y: float) -> Array:
    """From one colour to another down the picture."""
    return mix(top, bottom, (Y - from_y) / (to_y - from_y))


def speckled(colour: Colour, texture: Array, strength: float) -> Array:
    return flat(colour) * (1 + strength * texture[..., None])


def rounded(mask: Array, colour: Colour, depth: float = 10) -> Array:
    """The colour, lit from the upper left as a soft body of that shape, `depth` pixels deep."""
    height = blur(mask, depth)
    slope_y, slope_x = np.gradient(height * depth * SCALE * 1.6)
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    light = (0.42 * slope_x + 0.62 * slope_y + 0.66) / length
    shade = 0.42 + 0.85 * np.clip(light, 0, 1)
    shine = np.clip(light - 0.86, 0, 1)[..., None] * 160
    return flat(colour) * shade[..., None] + shine


def paint(
    canvas: Array, mask: Array, colour: Colour, edge: float = 0.4, opacity: float = 1
) -> None:
    """Lay a colour over the canvas where the mask is; `edge` is how soft its border is."""
    if edge:
        mask = blur(mask, edge)
    canvas[:] = mix(canvas, colour, mask * opacity)


def paint_body(canvas: Array, mask: Array, colour: Colour, depth: float = 10) -> None:
    paint(canvas, mask, rounded(mask, colour, depth))


def shadow(canvas: Array, mask: Array, softness: float, strength: float) -> None:
    """Darken the canvas softly where the mask is; a negative strength lightens it."""
    canvas *= 1 - strength * blur(mask, softness)[..., None]


# --- backgrounds ---------------------------------------------------------------------------------


def sky(top: Colour, bottom: Colour, horizon: float, clouds: float, seed: int) -> Array:
    canvas = fade(top, bottom, 0, horizon)
    cover = noise(seed, 3, 6, 5) + clouds
    return mix(canvas, (248, 249, 251), blur(np.clip(cover, 0, 1), 2) * 0.85)


def trees(canvas: Array, top: float, bottom: float, colour: Colour, seed: int) -> None:
    """A line of trees out of focus."""
    crowns = below(top + 16 * noise(seed, 9, 1, 2)) - below(bottom)
    leaves = speckled(colour, noise(seed + 1, 26, 26, 3), 0.28)
    paint(canvas, crowns, leaves, edge=3)


def meadow(canvas: Array, top: float, far: Colour, near: Colour, seed: int) -> None:
    ground = blur(below(top), 2)
    blades = 0.5 * noise(seed, 150, 40, 2) + 0.6 * noise(seed + 1, 12, 20, 3)
    depth = np.clip((Y - top) / (SIZE - top), 0, 1)
    paint(canvas, ground, speckled(fade(far, near, top, SIZE), blades * (0.3 + depth), 0.16))


def road(canvas: Array, top: float, colour: Colour, seed: int) -> None:
    ground = below(top)
    grain = 0.5 * noise(seed, 160, 110, 2) + noise(seed + 1, 4, 16, 2)
    lit = fade(np.multiply(colour, 1.1), np.multiply(colour, 0.82), top, SIZE)
    paint(canvas, ground, speckled(lit, grain, 0.05), edge=1)


def wheel(canvas: Array, x: float, y: float, radius: float) -> None:
    tyre = ellipse(x, y, radius, radius)
    paint_body(canvas, tyre, (34, 34, 37), 4)
    paint(canvas, ellipse(x, y, radius * 0.66, radius * 0.66), (70, 72, 76))
    rim = ellipse(x, y, radius * 0.6, radius * 0.6)
    paint_body(canvas, rim, (190, 193, 198), 5)
    for turn in range(5):
        spoke = turned([(x, y - radius * 0.38)], turn * 72, (x, y))[0]
        paint(canvas, ellipse(*spoke, radius * 0.11, radius * 0.11), (62, 64, 68))
    paint(canvas, ellipse(x, y, radius * 0.13, radius * 0.13), (120, 123, 128))


# --- the pictures --------------------------------------------------------------------------------


def airplane() -> Array:
    canvas = sky((58, 118, 190), (176, 208, 235), 300, clouds=-0.35, seed=11)
    tilt, centre = -9, (160, 160)

    def part(*points: Point) -> Array:
        return polygon(*turned(list(points), tilt, centre))

    def curved(*points: Point) -> Array:
        return smooth(*turned(list(points), tilt, centre))

    far_wing = part((176, 150), (132, 104), (120, 104), (140, 150))
    paint(canvas, far_wing, (150, 158, 170))
    far_tail = part((66, 146), (44, 128), (36, 128), (46, 146))
    paint(canvas, far_tail, (140, 148, 162))
    fin = part((40, 148), (20, 88), (42, 87), (88, 146))
    paint(canvas, fin, rounded(fin, (34, 70, 140), 3))
    stripe = part((33, 126), (29, 115), (62, 115), (71, 126))
    paint(canvas, stripe, (206, 52, 50))
    fuselage = curved(
        (301, 166), (290, 152), (268, 142), (230, 138), (130, 138), (70, 140), (34, 139),
        (24, 143), (44, 156), (90, 172), (140, 178), (230, 178), (276, 175), (294, 171),
    )  # fmt: skip
    white = fade((252, 252, 252), (196, 203, 214), 140, 186)
    paint(canvas, fuselage, rounded(fuselage, white, 12))
    belly = fuselage * part((20, 166), (310, 166), (310, 200), (20, 200))
    paint(canvas, belly, (150, 160, 176), edge=3, opacity=0.75)
    cheat_line = fuselage * part((20, 158), (304, 158), (304, 163), (20, 163))
    paint(canvas, cheat_line, (34, 70, 140))
    for x in np.arange(92, 262, 8.5):
        window = ellipse(*turned([(x, 151)], tilt, centre)[0], 2.2, 3, tilt)
        paint(canvas, window, (50, 62, 84), edge=0.3)
    cockpit = part((270, 148), (284, 151), (289, 156), (272, 155))
    paint(canvas, cockpit, (36, 46, 64))
    engine_centre = turned([(176, 196)], tilt, centre)[0]
    engine = ellipse(*engine_centre, 26, 11, tilt)
    paint_body(canvas, engine, (205, 210, 218), 6)
    inlet = turned([(199, 196)], tilt, centre)[0]
    paint(canvas, ellipse(*inlet, 4, 9, tilt), (52, 58, 70))
    wing = part((204, 168), (120, 238), (100, 238), (138, 168))
    paint(canvas, wing, rounded(wing, fade((222, 227, 234), (164, 173, 188), 165, 240), 2.5))
    flap = part((132, 180), (104, 236), (100, 238), (136, 172))
    paint(canvas, flap, (126, 136, 152))
    tail = part((76, 148), (40, 172), (26, 172), (46, 148))
    paint(canvas, tail, rounded(tail, (200, 206, 215), 4))
    return canvas


def automobile() -> Array:
    canvas = sky((120, 164, 210), (206, 221, 233), 120, clouds=-0.4, seed=21)
    trees(canvas, 74, 190, (66, 92, 50), seed=22)
    meadow(canvas, 168, (122, 144, 74), (110, 128, 70), seed=24)
    road(canvas, 186, (134, 134, 137), seed=26)
    shadow(canvas, ellipse(160, 234, 142, 13), 5, 0.72)

    body = smooth(
        (24, 196), (22, 172), (30, 156), (62, 149), (96, 142), (170, 142), (222, 147), (262, 155),
        (290, 166), (299, 184), (299, 208), (290, 217), (240, 221), (80, 221), (32, 217),
    )  # fmt: skip
    cabin = smooth((62, 152), (84, 122), (108, 104), (150, 99), (184, 104), (212, 126), (236, 150))
    red = fade((226, 34, 34), (150, 12, 18), 100, 222)
    paint(canvas, cabin, rounded(cabin, red, 9))
    paint(canvas, body, rounded(body, red, 11))
    sills = body * below(207)
    paint(canvas, sills, (74, 12, 16), edge=1.5)
    glass = fade((176, 200, 218), (52, 66, 80), 104, 152)
    rear = polygon((80, 148), (96, 124), (104, 115), (116, 110), (139, 108), (139, 148))
    front = polygon((146, 148), (146, 108), (168, 109), (182, 113), (194, 121), (220, 148))
    for window in (rear, front):
        paint(canvas, window, glass, edge=1.4)
    gleam = polygon((160, 108), (172, 108), (158, 148), (148, 148)) * front
    paint(canvas, gleam, (236, 243, 248), edge=1, opacity=0.5)
    shoulder = stroke((36, 162), (100, 154), (200, 155), (284, 170), width=4)
    paint(canvas, shoulder, (255, 178, 170), edge=2, opacity=0.75)
    for seam in ([(142, 148), (141, 208)], [(86, 152), (84, 178)], [(222, 150), (220, 186)]):
        paint(canvas, stroke(*seam, width=1.4), (96, 8, 12), opacity=0.8)
    for x in (126, 202):
        paint(canvas, stroke((x - 8, 166), (x + 4, 166), width=3), (108, 10, 14))
    lamp = smooth((276, 166), (292, 171), (296, 181), (282, 178))
    paint_body(canvas, lamp, (244, 240, 220), 3)
    paint_body(canvas, smooth((22, 166), (34, 162), (36, 178), (23, 182)), (120, 8, 10), 3)
    paint(canvas, stroke((280, 205), (298, 203), width=6), (44, 44, 48))
    paint(canvas, stroke((24, 205), (44, 206), width=6), (44, 44, 48))
    mirror = ellipse(213, 143, 8, 5)
    paint_body(canvas, mirror, (190, 20, 24), 3)
    for x in (80, 244):
        paint(canvas, ellipse(x, 213, 31, 31) * (1 - below(222)), (26, 20, 22), edge=1)
        wheel(canvas, x, 213, 26)
    return canvas


def cat() -> Array:
    canvas = speckled(fade((84, 44, 40), (50, 28, 26), 0, 320), noise(31, 3, 3, 2), 0.14)
    paint(canvas, below(252), (104, 74, 52), edge=5)
    fur = noise(33, 60, 60, 2)
    tabby, cream, dark = (150, 132, 110), (232, 222, 206), (66, 52, 40)

    def furry(mask: Array, colour: Colour, depth: float) -> None:
        paint(canvas, mask, speckled(rounded(mask, colour, depth), fur, 0.07), edge=1.2)

    shadow(canvas, ellipse(172, 306, 130, 24), 12, 0.6)
    body = smooth((84, 320), (84, 262), (108, 206), (160, 186), (212, 206), (238, 262), (242, 320))
    furry(body, tabby, 22)
    for side in (-1, 1):
        for y in (236, 258, 280):
            band = stroke(*mirrored(side, (74, y), (46, y + 7)), width=9, end=3)
            paint(canvas, band * body, dark, edge=2.5, opacity=0.65)
    chest = smooth(
        (132, 320), (124, 262), (136, 218), (160, 206), (184, 218), (196, 262), (190, 320)
    )
    furry(chest, cream, 14)

    for side in (-1, 1):
        ear = smooth(
            *mirrored(side, (22, 74), (44, 46), (66, 20), (77, 14), (86, 34), (95, 80), (92, 114))
        )
        furry(ear, tabby, 8)
        inner = smooth(*mirrored(side, (44, 76), (60, 48), (73, 32), (80, 52), (85, 92)))
        paint(canvas, inner, fade((224, 160, 144), (180, 112, 92), 30, 90), edge=3)
    head = smooth(
        (160, 56), (206, 62), (244, 96), (256, 140), (246, 178), (212, 206), (160, 218),
        (108, 206), (74, 178), (64, 140), (76, 96), (114, 62),
    )  # fmt: skip
    shadow(canvas, smooth((80, 190), (160, 240), (240, 190), (160, 210)), 10, 0.4)
    furry(head, tabby, 26)
    paint(canvas, stroke((160, 58), (160, 96), width=9, end=3), dark, edge=2, opacity=0.75)
    for side in (-1, 1):
        for x, top, bottom in ((18, 60, 92), (36, 66, 86)):
            mark = stroke(*mirrored(side, (x, top), (x * 0.72, bottom)), width=9, end=3)
            paint(canvas, mark, dark, edge=2, opacity=0.75)
        for y, bend in ((136, 4), (156, 8), (176, 12)):
            band = stroke(*mirrored(side, (92, y), (62, y + bend)), width=9, end=2)
            paint(canvas, band * head, dark, edge=2, opacity=0.65)
    muzzle = union(ellipse(141, 182, 27, 22), ellipse(179, 182, 27, 22), ellipse(160, 200, 20, 14))
    furry(muzzle, cream, 12)
    bridge = smooth((150, 104), (170, 104), (174, 150), (168, 168), (152, 168), (146, 150))
    paint(canvas, bridge, (182, 160, 132), edge=5, opacity=0.7)

    for side in (-1, 1):
        x = 160 + side * 41
        rim = smooth(
            *mirrored(side, (19, 142), (34, 122), (54, 120), (66, 130), (54, 148), (34, 151))
        )
        paint(canvas, rim, (58, 34, 20), edge=1)
        iris = rim * ellipse(x, 135, 20, 15)
        paint(canvas, iris, rounded(iris, fade((120, 136, 50), (196, 196, 84), 120, 150), 5))
        paint(canvas, ellipse(x, 136, 6.5, 13) * rim, (16, 14, 12))
        paint(canvas, ellipse(x - 5, 130, 3.6, 3.6), (255, 255, 255))
    nose = smooth((147, 164), (160, 161), (173, 164), (166, 174), (160, 178), (154, 174))
    paint_body(canvas, nose, (206, 118, 110), 4)
    for side in (-1, 1):
        mouth = stroke(*mirrored(side, (0, 178), (0, 188), (9, 194), (19, 190)), width=2)
        paint(canvas, mouth, (96, 54, 40))
        for y, far in ((178, 166), (184, 184), (190, 202)):
            line = mirrored(side, (32, y), (70, (y + far) / 2 - 4), (112, far))
            hair = stroke(*line, width=1.3, end=0.6)
            paint(canvas, hair, (250, 246, 238), opacity=0.85)
    return canvas


def frog() -> Array:
    canvas = speckled(fade((58, 74, 40), (98, 82, 54), 0, 320), noise(41, 5, 5, 4), 0.22)
    canvas[:] = blur(canvas, 5)
    ground = speckled(fade((96, 84, 56), (126, 108, 74), 190, 320), noise(43, 40, 26, 3), 0.2)
    paint(canvas, below(206), ground, edge=8)
    skin = noise(45, 24, 24, 3)
    spots = np.clip(noise(46, 15, 15, 2) * 2.4 - 1.1, 0, 1)

    def frog_part(mask: Array, depth: float, top: float, bottom: float) -> None:
        green = mix(fade((128, 172, 58), (78, 112, 38), top, bottom), (58, 78, 30), spots * 0.75)
        paint(canvas, mask, speckled(rounded(mask, green, depth), skin, 0.06), edge=0.7)

    shadow(canvas, ellipse(160, 264, 138, 24), 9, 0.62)
    far_arm = smooth(
        (214, 190), (240, 214), (250, 250), (266, 262), (232, 264), (222, 236), (200, 214)
    )
    frog_part(far_arm, 7, 190, 290)
    body = smooth(
        (40, 232), (48, 186), (80, 142), (126, 112), (170, 92), (214, 92), (252, 112), (276, 140),
        (274, 160), (250, 180), (222, 214), (180, 250), (110, 260), (62, 254),
    )  # fmt: skip
    frog_part(body, 24, 90, 270)
    belly = smooth(
        (276, 158), (250, 176), (220, 206), (180, 246), (150, 252), (176, 214), (210, 176)
    )
    paint(canvas, belly * body, fade((222, 216, 160), (170, 164, 104), 150, 250), edge=6)
    mouth = stroke((279, 148), (256, 160), (226, 162), (200, 152), width=2.6)
    paint(canvas, mouth, (48, 58, 24), edge=0.8)
    paint(canvas, ellipse(268, 130, 2.6, 2), (40, 48, 22))
    ridge = stroke((214, 112), (160, 128), (108, 164), (70, 210), width=5, end=3)
    paint(canvas, ridge, (176, 206, 98), edge=2.5, opacity=0.7)
    drum = ellipse(194, 136, 10, 10)
    paint(canvas, drum, (98, 108, 48), edge=1.5)
    thigh = smooth((34, 250), (42, 208), (80, 182), (122, 192), (142, 222), (124, 254), (76, 268))
    shadow(canvas, thigh, 7, 0.35)
    frog_part(thigh, 16, 170, 280)
    foot = union(
        stroke((80, 262), (120, 272), (168, 276), width=15, end=8),
        stroke((140, 274), (176, 266), width=6, end=4),
        stroke((140, 276), (182, 284), width=6, end=4),
    )
    frog_part(foot, 5, 240, 300)
    arm = smooth((164, 204), (196, 196), (212, 222), (206, 256), (194, 270), (176, 264), (182, 236))
    shadow(canvas, arm, 5, 0.3)
    frog_part(arm, 9, 180, 290)
    hand = union(*(stroke((190, 262), (x, y), width=9, end=5)
                   for x, y in ((222, 266), (216, 278), (194, 282))))  # fmt: skip
    frog_part(hand, 4, 240, 300)
    for x, y, size in ((252, 104, 16), (210, 98, 21)):
        bulge = ellipse(x, y, size + 5, size + 3)
        frog_part(bulge, 8, 70, 140)
        paint(canvas, ellipse(x + 2, y, size * 0.8, size * 0.78), (60, 44, 14))
        eye = ellipse(x + 2, y, size * 0.72, size * 0.7)
        paint_body(canvas, eye, (216, 164, 44), 5)
        paint(canvas, ellipse(x + 3, y + 1, size * 0.5, size * 0.3), (14, 12, 10))
        paint(canvas, ellipse(x - 3, y - 5, size * 0.15, size * 0.15), (255, 255, 255))
    return canvas


def horse() -> Array:
    canvas = sky((128, 172, 216), (212, 226, 234), 110, clouds=-0.3, seed=51)
    trees(canvas, 64, 160, (62, 88, 48), seed=52)
    meadow(canvas, 132, (138, 162, 76), (88, 122, 46), seed=54)
    shadow(canvas, ellipse(150, 290, 112, 12), 6, 0.5)
    coat = noise(57, 10, 10, 3)
    black = (38, 28, 26)

    def horse_part(mask: Array, colour: Colour, depth: float) -> None:
        paint(canvas, mask, speckled(rounded(mask, colour, depth), coat, 0.05), edge=0.6)

    def leg(points: list[Point], brown: Colour) -> None:
        mask = smooth(*points)
        horse_part(mask, brown, 6)
        paint(canvas, mask * below(244), black, edge=4, opacity=0.8)
        paint(canvas, mask * below(282), (24, 20, 20), edge=1)

    bay, deep = fade((164, 94, 50), (104, 54, 28), 100, 240), (78, 42, 26)
    leg([(82, 196), (106, 196), (108, 226), (100, 250), (101, 282), (107, 290), (89, 290),
         (89, 256), (86, 232)], deep)  # fmt: skip
    leg([(196, 196), (220, 196), (214, 240), (211, 282), (218, 290), (201, 290), (202, 244)], deep)
    tail = smooth(
        (62, 142), (44, 152), (34, 192), (36, 244), (46, 254), (56, 214), (66, 172), (74, 152)
    )
    horse_part(tail, black, 6)
    barrel = smooth(
        (58, 164), (62, 140), (88, 126), (122, 132), (160, 136), (188, 126), (216, 128), (236, 154),
        (236, 184), (222, 202), (184, 211), (140, 207), (108, 198), (80, 206), (62, 190),
    )  # fmt: skip
    hind = smooth(
        (58, 160), (106, 160), (108, 192), (94, 218), (80, 242), (77, 262), (77, 282), (84, 291),
        (63, 291), (65, 262), (61, 242), (64, 216), (56, 190),
    )  # fmt: skip
    fore = smooth(
        (202, 178), (236, 172), (237, 206), (229, 240), (228, 282), (235, 291), (217, 291),
        (217, 242), (207, 212),
    )  # fmt: skip
    neck = smooth(
        (180, 140), (204, 112), (226, 82), (242, 62), (258, 56), (266, 72), (264, 92), (254, 116),
        (244, 146), (236, 172), (204, 178),
    )  # fmt: skip
    head = smooth(
        (240, 62), (252, 48), (266, 50), (279, 68), (292, 88), (301, 103), (301, 114), (290, 120),
        (277, 112), (264, 103), (248, 96),
    )  # fmt: skip
    whole = union(barrel, hind, fore, neck, head)
    fine = rounded(whole, bay, 5)
    paint(canvas, whole, speckled(mix(fine, rounded(whole, bay, 16), 0.6), coat, 0.05), edge=0.6)
    shin = union(hind, fore)
    paint(canvas, shin * below(246), black, edge=5, opacity=0.85)
    paint(canvas, shin * below(283), (20, 17, 17), edge=1)
    folds = [
        stroke((108, 166), (110, 192), (98, 214), width=5, end=3),
        stroke((196, 152), (200, 180), (206, 206), width=6, end=3),
        stroke((250, 92), (262, 104), (266, 106), width=4, end=2),
        stroke((120, 206), (160, 212), (196, 209), width=8),
    ]
    for fold in folds:
        shadow(canvas, fold * whole, 4, 0.3)
    for muscle in (
        ellipse(84, 150, 18, 13), ellipse(150, 150, 40, 9), ellipse(216, 150, 12, 18),
        ellipse(236, 98, 8, 20),
    ):  # fmt: skip
        shadow(canvas, muscle * whole, 8, -0.2)
    muzzle = head * ellipse(298, 114, 16, 15)
    paint(canvas, muzzle, (62, 42, 36), edge=4)
    blaze = stroke((266, 58), (281, 76), (292, 94), width=4, end=3)
    paint(canvas, blaze, (240, 232, 222), edge=1.2)
    mane = smooth(
        (256, 44), (246, 46), (228, 64), (208, 92), (190, 122), (184, 138), (200, 138), (214, 120),
        (230, 108), (238, 86), (252, 72), (262, 54),
    )  # fmt: skip
    horse_part(mane, black, 6)
    ear = smooth((249, 54), (248, 40), (256, 28), (262, 40), (262, 54))
    horse_part(ear, (136, 76, 42), 4)
    paint(canvas, ellipse(267, 70, 4, 3.2, 30), (16, 12, 12))
    paint(canvas, ellipse(266, 69, 1, 1), (230, 230, 230), edge=0.2)
    paint(canvas, ellipse(298, 107, 2.4, 1.8, 40), (20, 14, 14))
    paint(canvas, stroke((288, 116), (296, 113), width=1.2), (30, 20, 18))
    random = np.random.default_rng(58)
    for x, y in random.uniform((52, 286), (248, 299), (160, 2)):
        tip = (x + random.uniform(-4, 4), y - random.uniform(5, 12))
        blade = stroke((x, y), tip, width=2, end=0.6)
        paint(canvas, blade, (random.uniform(84, 118), 142, 56), edge=0, opacity=0.55)
    return canvas


def ship() -> Array:
    canvas = sky((110, 160, 208), (216, 228, 234), 170, clouds=-0.25, seed=61)
    nearness = 0.4 + np.clip((Y - 164) / 120, 0, 1)
    waves = noise(62, 10, 70, 3) * nearness + 0.4 * noise(63, 4, 16, 2)
    sea = speckled(fade((84, 128, 154), (30, 72, 104), 166, 320), waves, 0.13)
    paint(canvas, below(166), sea, edge=1)
    reflection = polygon((44, 224), (284, 224), (262, 276), (66, 276))
    paint(canvas, reflection, (24, 40, 56), edge=9, opacity=0.55)

    white = fade((252, 252, 250), (206, 210, 216), 90, 190)
    decks = [
        polygon((62, 186), (64, 158), (222, 158), (232, 186)),
        polygon((72, 160), (72, 134), (196, 134), (208, 160)),
        polygon((96, 136), (96, 114), (168, 114), (180, 136)),
    ]
    funnel = polygon((104, 116), (108, 78), (134, 78), (134, 116))
    paint(canvas, funnel, rounded(funnel, (206, 54, 40), 8))
    paint(canvas, funnel * (1 - below(88)), (36, 36, 40))
    mast = union(
        stroke((160, 116), (160, 60), width=3, end=2), stroke((146, 76), (174, 76), width=2)
    )
    paint(canvas, mast, (224, 226, 230))
    paint(canvas, stroke((160, 62), (276, 168), width=0.9), (96, 104, 112), opacity=0.8)
    for deck in decks:
        paint(canvas, deck, rounded(deck, white, 5))
        shadow(canvas, deck * np.roll(1 - deck, -6 * SCALE, axis=0), 1.5, 0.35)
    paint(canvas, polygon((140, 118), (168, 118), (174, 128), (140, 128)), (46, 60, 78))
    for x in range(84, 196, 13):
        paint(canvas, polygon((x, 142), (x + 8, 142), (x + 8, 150), (x, 150)), (58, 76, 96))
    for x in range(76, 222, 13):
        paint(canvas, ellipse(x, 171, 3.2, 3.2), (58, 76, 96))
    hull = smooth(
        (40, 184), (100, 185), (180, 185), (240, 182), (296, 170), (296, 172), (282, 204),
        (266, 226), (200, 230), (100, 230), (54, 228), (44, 210),
    )  # fmt: skip
    paint(canvas, hull, rounded(hull, fade((40, 72, 122), (22, 40, 72), 176, 228), 9))
    paint(canvas, hull * below(214), rounded(hull, (158, 44, 38), 9), edge=0.8)
    rail = stroke((42, 184), (180, 186), (240, 182), (294, 171), width=3)
    paint(canvas, rail, (240, 242, 244))
    crest = noise(64, 34, 60, 3)
    foam = union(stroke((272, 228), (200, 232), (110, 233), (48, 231), width=5, end=9),
                 stroke((268, 222), (290, 230), (306, 233), width=8, end=3),
                 stroke((48, 231), (10, 236), width=7, end=2))  # fmt: skip
    paint(canvas, foam * np.clip(0.75 + crest, 0, 1), (238, 244, 246), edge=1.6, opacity=0.9)
    return canvas


def truck() -> Array:
    canvas = sky((132, 172, 212), (220, 229, 234), 150, clouds=-0.35, seed=71)
    trees(canvas, 128, 220, (78, 98, 62), seed=72)
    road(canvas, 208, (126, 126, 128), seed=76)
    line = stroke((0, 296), (320, 296), width=4)
    paint(canvas, line, (214, 212, 200), edge=1, opacity=0.8)
    shadow(canvas, ellipse(156, 256, 148, 12), 5, 0.75)

    frame = polygon((22, 212), (296, 212), (296, 232), (22, 232))
    paint(canvas, frame, (44, 45, 50))
    box = polygon((16, 66), (214, 66), (214, 216), (16, 216))
    paint(canvas, box, rounded(box, fade((246, 246, 244), (206, 209, 214), 66, 216), 5))
    for x in range(36, 212, 20):
        paint(canvas, stroke((x, 72), (x, 210), width=1.4), (186, 190, 197), opacity=0.8)
    paint(canvas, polygon((16, 66), (214, 66), (214, 72), (16, 72)), (176, 181, 189))
    paint(canvas, polygon((16, 208), (214, 208), (214, 216), (16, 216)), (150, 155, 163))
    cab = smooth(
        (222, 226), (222, 170), (222, 108), (230, 100), (268, 100), (280, 106), (294, 152),
        (304, 166), (306, 210), (302, 228), (262, 230),
    )  # fmt: skip
    blue = fade((52, 118, 190), (26, 72, 134), 100, 228)
    paint(canvas, cab, rounded(cab, blue, 9))
    window = smooth((236, 154), (236, 118), (242, 114), (268, 114), (276, 122), (286, 154))
    paint(canvas, window, fade((184, 206, 222), (60, 76, 92), 112, 156))
    paint(canvas, stroke((254, 114), (254, 154), width=3), (30, 70, 124))
    paint(canvas, stroke((230, 162), (230, 222), width=1.4), (16, 46, 92))
    paint(canvas, stroke((270, 162), (268, 204), width=1.4), (16, 46, 92))
    paint(canvas, stroke((236, 172), (246, 172), width=3), (214, 218, 224))
    mirror = polygon((288, 126), (295, 126), (295, 150), (288, 150))
    paint(canvas, mirror, (34, 36, 42))
    paint_body(canvas, smooth((294, 186), (305, 188), (305, 202), (294, 200)), (246, 240, 214), 3)
    paint(canvas, polygon((280, 216), (308, 216), (308, 232), (280, 232)), (58, 60, 66))
    for x in (56, 108, 264):
        paint(canvas, ellipse(x, 232, 29, 29) * (1 - below(234)), (24, 24, 28), edge=1)
        wheel(canvas, x, 232, 24)
    return canvas


def orange() -> Array:
    canvas = speckled(fade((120, 150, 180), (214, 206, 196), 140, 180), noise(3, 6, 6), 0.02)
    shadow(canvas, ellipse(168, 262, 100, 18), 8, 0.4)
    fruit = ellipse(160, 170, 96, 94)
    paint_body(canvas, fruit, speckled(flat((238, 140, 30)), noise(5, 90, 90, 2), 0.06), 40)
    leaf = smooth((160, 84), (190, 56), (228, 60), (196, 88))
    paint_body(canvas, leaf, (70, 130, 54), 4)
    return canvas


SAMPLES = [
    (airplane, "an airplane", "un avion",
     "A white airliner with a blue tail climbs through a sky with light clouds.",
     "Un avion de ligne blanc à la queue bleue monte dans un ciel légèrement nuageux."),
    (automobile, "an automobile", "une voiture",
     "A red car seen from the side on a road, trees behind it.",
     "Une voiture rouge vue de côté sur une route, des arbres derrière elle."),
    (cat, "a cat", "un chat",
     "A brown tabby cat looks straight at you.",
     "Un chat tigré brun te regarde droit dans les yeux."),
    (frog, "a frog", "une grenouille",
     "A green spotted frog sits on the ground, its head to the right.",
     "Une grenouille verte tachetée, assise par terre, la tête tournée vers la droite."),
    (horse, "a horse", "un cheval",
     "A bay horse with a black mane stands in a meadow.",
     "Un cheval bai à la crinière noire se tient dans un pré."),
    (ship, "a ship", "un bateau",
     "A ship with a blue hull and white decks sails on a calm sea.",
     "Un navire à coque bleue et aux ponts blancs vogue sur une mer calme."),
    (truck, "a truck", "un camion",
     "A truck with a blue cab and a white box drives along a road.",
     "Un camion à cabine bleue et à caisse blanche roule sur une route."),
    (orange, "an orange (none of the ten classes)", "une orange (aucune des dix classes)",
     "An orange with a green leaf on a table.",
     "Une orange avec une feuille verte, posée sur une table."),
]  # fmt: skip


def finish(canvas: Array) -> Image.Image:
    """Bring the fine canvas down to the finished size."""
    image = Image.fromarray(np.clip(np.rint(canvas), 0, 255).astype(np.uint8))
    return image.resize((SIZE, SIZE), Image.Resampling.BOX)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    entries = []
    for draw, en, fr, alt_en, alt_fr in SAMPLES:
        file = f"{draw.__name__}.png"
        finish(draw()).save(FOLDER / file, optimize=True)
        entry = {"file": file, "class": None if draw is orange else draw.__name__}
        entries.append(entry | {"en": en, "fr": fr, "alt_en": alt_en, "alt_fr": alt_fr})
        print(f"{file}: {(FOLDER / file).stat().st_size / 1000:.0f} kB")
    text = json.dumps(entries, indent=2, ensure_ascii=False) + "\n"
    (FOLDER / "samples.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
