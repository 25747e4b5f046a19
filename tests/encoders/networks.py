"""Tiny networks and pictures that tests write: none of them has learnt anything."""

from pathlib import Path

import numpy as np
from PIL import Image

from gsmflow.encoders.base import quietly

DIM = 6


def write_onnx(path: Path, *, shape=("n", 3, 8, 8), outputs=("features",), external=False, extra_input=False) -> Path:
    """A convolution over pictures.

    Args:
        path: of the file.
        shape: of its input, channels first or last.
        outputs: ``features`` (n, 6), ``other`` (the same twice), ``map`` (n, 6, h, w), ``tokens`` (n, places, 6).
        external: put the weights into a file of their own.
        extra_input: ask for something that is no picture.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    first = shape[1] in (1, 3)
    channels = shape[1] if first else shape[3]
    kernel = np.random.default_rng(0).normal(size=(DIM, channels, 2, 2)).astype(np.float32)
    weights = [numpy_helper.from_array(kernel, "kernel")]
    nodes = [] if first else [helper.make_node("Transpose", ["pixels"], ["turned"], perm=[0, 3, 1, 2])]
    source = "pixels" if first else "turned"
    nodes += [
        helper.make_node("Conv", [source, "kernel"], ["map" if first else "conv"], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["map" if first else "conv"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["features"]),
        helper.make_node("Add", ["features", "features"], ["other"]),
    ]
    if not first:
        nodes.append(helper.make_node("Transpose", ["conv"], ["map"], perm=[0, 2, 3, 1]))
    if "tokens" in outputs:
        weights.append(numpy_helper.from_array(np.array([0, DIM, -1], np.int64), "places"))
        nodes.append(helper.make_node("Reshape", ["map", "places"], ["tokens"]))
    axes = {"features": 2, "other": 2, "map": 4, "tokens": 3}
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)]
    if extra_input:
        inputs.append(helper.make_tensor_value_info("words", TensorProto.INT64, ["n", 7]))
    found = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * axes[name]) for name in outputs]
    graph = helper.make_graph(nodes, "tiny", inputs, found, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if external:
        save(model, str(path), save_as_external_data=True, location=f"{path.name}.data", size_threshold=0)
    else:
        save(model, str(path))
    return path


def picture(seed: int = 0, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Image.Image:
    """Smooth colours."""
    shape = (3, 4, 4) if mode == "RGBA" else (3, 4, 3)
    coarse = Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC).convert(mode)


def write_pictures(root: Path, classes=("cat", "dog"), each: int = 3) -> list[str]:
    """A folder of pictures for each class; their files, sorted."""
    files = [f"{name}/{k}.png" for name in classes for k in range(each)]
    for seed, file in enumerate(files):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(root / file)
    return files


def huggingface_model(kind: str, folder: Path) -> Path:
    """A model of transformers with random weights, and how it wants its pictures."""
    import torch
    import transformers as t

    torch.manual_seed(0)
    vision = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision |= {"image_size": 16, "patch_size": 8}
    text = {
        key: vision[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    }
    text |= {"vocab_size": 20, "max_position_embeddings": 8}
    cut = {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}}
    model, processor = {
        "resnet": lambda: (
            t.ResNetModel(
                t.ResNetConfig(
                    embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic", hidden_act="relu"
                )
            ),
            t.ConvNextImageProcessor(size={"shortest_edge": 16}),
        ),
        "dinov2": lambda: (t.Dinov2Model(t.Dinov2Config(**vision)), t.BitImageProcessor(**cut)),
        "clip": lambda: (
            t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=5)),
            t.CLIPImageProcessor(**cut),
        ),
        "siglip": lambda: (
            t.SiglipModel(t.SiglipConfig(text_config=text, vision_config=vision)),
            t.SiglipImageProcessor(size={"height": 16, "width": 16}),
        ),
        "vit": lambda: (t.ViTModel(t.ViTConfig(**vision)), t.ViTImageProcessor(size={"height": 16, "width": 16})),
        "vit without pooler": lambda: (
            t.ViTModel(t.ViTConfig(**vision), add_pooling_layer=False),
            t.ViTImageProcessor(size={"height": 16, "width": 16}),
        ),
        "dinov3": lambda: (t.DINOv3ViTModel(t.DINOv3ViTConfig(**vision)), None),
    }[kind]()
    with quietly():
        model.save_pretrained(folder)
        if processor is not None:
            processor.save_pretrained(folder)
    return folder
