import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from gsmflow.encoders.pixels import Preprocessing, in_colour
from gsmflow.overrides import validate
from tests.encoders.networks import picture

AS_IT_IS = Preprocessing((2, 2), (0.0,) * 3, (1.0,) * 3)
RED, HALF_RED = (255, 0, 0), (255, 0, 0, 128)


def saved(image: Image.Image, kind: str, **options) -> Image.Image:
    """As it comes back from a file."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return Image.open(io.BytesIO(content.getvalue()))


def palette_with_a_hole() -> Image.Image:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    return saved(image, "PNG", transparency=1)


CASES = {
    "RGB": (Image.new("RGB", (2, 2), RED), RED),
    "palette": (saved(Image.new("RGB", (2, 2), RED).quantize(2), "PNG"), RED),
    "transparent colour of a palette": (palette_with_a_hole(), (255, 255, 255)),
    "half transparent": (saved(Image.new("RGBA", (2, 2), HALF_RED), "PNG"), (255, 127, 127)),
    "transparent colour": (saved(Image.new("RGB", (2, 2), RED), "PNG", transparency=RED), (255, 255, 255)),
    "grey, half transparent": (saved(Image.new("LA", (2, 2), (0, 128)), "PNG"), (127,) * 3),
    "grey": (Image.new("L", (2, 2), 7), (7,) * 3),
    "black and white": (saved(Image.new("1", (2, 2), 1), "PNG"), (255,) * 3),
    "grey of 16 bits": (saved(Image.fromarray(np.full((2, 2), 257 * 9, np.uint16)), "PNG"), (9,) * 3),
    "grey of 16 bits in 32": (Image.fromarray(np.full((2, 2), 257 * 9, np.int32)), (9,) * 3),
    "CMYK": (saved(Image.new("CMYK", (2, 2), (0, 255, 255, 0)), "TIFF"), RED),
    "animated": (
        saved(Image.new("RGB", (2, 2), RED), "GIF", save_all=True, append_images=[Image.new("RGB", (2, 2))]),
        RED,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_all_kinds_of_pictures_become_colours(case):
    image, colour = CASES[case]
    pixels = AS_IT_IS(image)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, np.broadcast_to(np.array(colour)[:, None, None], (3, 2, 2)), atol=1)


@pytest.mark.parametrize("values", [np.ones((2, 2), np.float32), np.full((2, 2), 70000, np.int32)])
def test_numbers_of_which_none_is_white_are_refused(values):
    with pytest.raises(ValueError, match="32 bits"):
        in_colour(Image.fromarray(values))


def test_a_picture_is_upright():
    image = Image.new("RGB", (4, 2))
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: the first row is the right side
    turned = in_colour(saved(image, "PNG", exif=exif))
    assert turned.size == (2, 4)
    assert turned.getpixel((1, 0)) == RED


def test_a_damaged_note_of_what_is_up_harms_nothing(monkeypatch):
    def damaged(image):
        raise struct.error("unpack requires a buffer of 2 bytes")

    monkeypatch.setattr(ImageOps, "exif_transpose", damaged)
    assert in_colour(saved(Image.new("RGB", (4, 2), RED), "PNG")).getpixel((0, 0)) == RED


def test_mean_and_std_are_those_of_each_channel():
    pixels = Preprocessing((2, 3), (1.0, 2.0, 3.0), (1.0, 2.0, 4.0))(Image.new("RGB", (3, 2), (7, 8, 11)))
    np.testing.assert_array_equal(pixels, np.broadcast_to(np.array([6, 3, 2])[:, None, None], (3, 2, 3)))


def test_grey_has_one_channel():
    assert Preprocessing((2, 2), (0.0,), (1.0,))(picture()).shape == (1, 2, 2)


@pytest.mark.parametrize(("size", "box"), [((40, 20), (10, 0, 30, 20)), ((20, 40), (0, 10, 20, 30))])
def test_the_middle_is_cut_out_of_the_longer_side(size, box):
    image = picture(1, size)
    found = Preprocessing((20, 20), (0.0,) * 3, (1.0,) * 3, shortest=20)(image)
    np.testing.assert_array_equal(found, np.asarray(image.crop(box), np.float32).transpose(2, 0, 1))


def test_a_strip_that_would_fill_the_memory_is_refused():
    with pytest.raises(ValueError, match="too narrow"):
        Preprocessing((224, 224), (0.0,) * 3, (1.0,) * 3, shortest=256)(Image.new("RGB", (1, 5000)))


def test_what_is_recorded_is_read_back():
    found = Preprocessing((8, 9), (1.5, 2.0, 3.0), (4.0,) * 3, 10, "bilinear")
    assert validate(Preprocessing, found.as_json(), "there") == found
    assert {"background": "white", "orientation": "exif"}.items() <= found.as_json().items()
