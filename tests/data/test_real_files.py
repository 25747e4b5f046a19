"""Real files, where this checkout stands beside some; skipped elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from gsmflow.data import load
from gsmflow.data.checks import duplicates
from gsmflow.data.formats import packed, xlsa17

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="no real data beside this checkout")


@pytest.mark.parametrize(
    ("layout", "name", "features", "semantics", "shape", "classes", "sizes"),
    [
        ("xlsa17", "CUB", "resnet_fc1000", "att", (11788, 1000, 312), (150, 50), (7057, 1764, 2967)),
        ("xlsa17", "CUB", "resnet_fc1000", "sent", (11788, 1000, 1024), (150, 50), (7057, 1764, 2967)),
        ("xlsa17", "CUB", "vgg_fc7", "sent", (11788, 4096, 1024), (150, 50), (7057, 1764, 2967)),
        ("xlsa17", "FLO", None, None, (5728, 512, 1024), (82, 20), (3865, 962, 901)),
        ("packed", "FLO", None, None, (5728, 512, 1024), (82, 20), (3865, 962, 901)),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_sizes(layout, name, features, semantics, shape, classes, sizes):
    data = load(name, root=SHARED / layout, features=features, semantics=semantics)
    assert (*data.features.shape, data.semantic_dim) == shape
    assert (len(data.seen), len(data.unseen)) == classes
    assert (len(data.trainval), len(data.test_seen), len(data.test_unseen)) == sizes
    assert data.provenance.layout == layout
    assert data.warnings == ()
    assert not duplicates(data.features, data.test_seen, data.test_unseen).size


def test_class_names_of_cub_are_in_the_order_of_labels():
    data = load("CUB", root=SHARED / "xlsa17", features="resnet_fc1000")
    assert len(set(data.class_names)) == 200
    assert all(isinstance(name, str) and len(name) > 3 for name in data.class_names)


def test_both_layouts_of_flo_are_the_same_problem():
    one, other = packed.read(SHARED / "packed" / "FLO"), xlsa17.read(SHARED / "xlsa17" / "FLO")
    np.testing.assert_array_equal(one.semantics, other.semantics)
    np.testing.assert_array_equal(one.unseen, other.unseen)
    ours, theirs = one.training(), other.training()
    np.testing.assert_array_equal(ours.features, theirs.features)
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    for name, array in vars(one.tests()).items():
        np.testing.assert_array_equal(array, getattr(other.tests(), name))
