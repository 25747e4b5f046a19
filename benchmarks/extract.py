"""How fast do features come out of pictures: `gsmflow extract` beside a plain loop over onnxruntime.

The peer decodes a picture after the other with Pillow, and runs the model on each full batch with onnxruntime as it is
set by default. Ours writes the whole folder as well. The pictures and the network are made here, or given.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import Row, alternate, arguments, finish
from gsmflow.encoders.extraction import extract_features
from gsmflow.encoders.images import load_image_encoder
from gsmflow.encoders.pictures import list_pictures

BATCH = 64


def write_pictures(folder: Path, count: int) -> None:
    """Photographs of nothing, 500 x 375, of four classes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for k in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        path = folder / f"class {k % 4}" / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse.resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)


def write_network(path: Path, widths: Sequence[int]) -> None:
    """Convolutions of stride 2, the mean over all places: about the work of a small network of today."""
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(0)
    nodes, weights, name = [], [], "pixels"
    for k, (before, width) in enumerate(zip((3, *widths), widths, strict=False)):
        kernel = rng.normal(0, (2 / before / 9) ** 0.5, (width, before, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{k}"))
        nodes.append(helper.make_node("Conv", [name, f"w{k}"], [f"c{k}"], strides=[2, 2], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{k}"], [f"r{k}"]))
        name = f"r{k}"
    nodes.append(helper.make_node("GlobalAveragePool", [name], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["features"]))
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 224, 224])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", widths[-1]])
    graph = helper.make_graph(nodes, "network", [pixels], [features], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def plain_loop(paths: Sequence[Path], model: Path) -> np.ndarray:
    """What one would write by hand."""
    import onnxruntime
    from PIL import Image

    session = onnxruntime.InferenceSession(str(model))
    name = session.get_inputs()[0].name
    rows = []
    for start in range(0, len(paths), BATCH):
        pixels = []
        for path in paths[start : start + BATCH]:
            picture = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
            pixels.append(((np.asarray(picture, np.float32) - 127) / 128).transpose(2, 0, 1))
        rows.append(session.run(None, {name: np.stack(pixels)})[0])
    return np.concatenate(rows)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--images", type=Path, help="a folder of pictures of one's own, with --model")
    parser.add_argument("--model", type=Path, help="an ONNX file that takes 224 x 224 pixels")
    parser.add_argument("--count", type=int, default=512, help="pictures of it that are taken")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # the network has no JSON beside it: what is assumed is what the peer does
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        images, model = asked.images or here / "images", asked.model or here / "network.onnx"
        if asked.images is None:
            write_pictures(images, 12 if asked.tiny else asked.count)
        if asked.model is None:
            write_network(model, (8, 16) if asked.tiny else (32, 64, 128, 256, 512))
        chosen = list_pictures(images).files[:: max(1, len(list_pictures(images)) // asked.count)][: asked.count]
        (here / "list.txt").write_text("\n".join(chosen))
        pictures = list_pictures(images, here / "list.txt")
        times = compare(pictures, model, here, 1 if asked.tiny else asked.rounds)
    speed = {side: len(pictures) / seconds for side, seconds in times.items()}
    measured = f"{speed['ours'] / speed['plain']:.2f}: {speed['ours']:.0f} and {speed['plain']:.0f} images a second"
    rows = [Row(f"extract: {len(pictures):,} pictures", "a plain onnxruntime loop", ">= 0.9 of it", measured)]
    finish(rows, asked)


def compare(pictures, model: Path, here: Path, rounds: int) -> dict[str, float]:
    """Median seconds of both, each with loading the model; that they give the same is seen first."""
    count = 0

    def ours() -> Path:
        nonlocal count
        count += 1
        out = here / f"out{count}"
        extract_features(pictures, load_image_encoder(model), out, batch=BATCH)
        return out

    found = np.concatenate([np.load(path) for path in sorted((ours() / "features").iterdir())])
    np.testing.assert_allclose(found, plain_loop(pictures.paths, model), atol=1e-3)
    return alternate({"plain": lambda: plain_loop(pictures.paths, model), "ours": ours}, rounds, warm_up=0)


if __name__ == "__main__":
    main()
