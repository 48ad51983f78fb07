"""Any picture to pixels: one way for training and for answering, so that both see the same.

What happens to a picture, in this order and nowhere else:

1. **open** (`open.py`, `tiff.py`; `array.py` for arrays): the contents decide the format, whatever
   the name says.
2. **check** (`open.py`): too many pixels (decompression bombs), or none, are refused before any is
   decoded.
3. **decode** the first frame (`decode.py`). Where the result may be much smaller than the picture,
   a JPEG is decoded at a half, a quarter or an eighth of its size, which is several times as fast
   (`jpeg.py`).
4. **to 8 bits a channel**: 16-bit, 32-bit and floating greys are scaled (`greyscale.py`), palettes
   looked up (`colour.py`).
5. **reduce** by the mean over whole blocks of pixels, transparent ones counting for nothing. Steps
   4 and 5 go through a large picture in strips, so that no second copy of it is made (`strips.py`).
6. **turn upright**, as EXIF says (`decode.py`).
7. **colour to sRGB** by the ICC profile in the file, and **transparency** over a neutral grey
   (`colour.py`).
8. **resize** what is looked at with an antialiasing (bicubic) filter (`views.py`).

`opened.py` is what others call: `open_image` for steps 1 and 2, `OpenedImage.views` for the rest.
Whoever changes what comes out raises `PREPROCESS_VERSION` there, which every cache of pixels has in
its keys. `batches.py` says how many pictures a network is given at once.
"""
