"""Any problem that a format can hold is read back as it was written. Most of them look odd: their warnings pass."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gsmflow.data import FORMATS, ZeroShotDataset, load_folder
from gsmflow.data.formats.files import check_names
from gsmflow.errors import InputError


def kept(name: str) -> bool:
    try:
        check_names("ANY", (name,))
    except InputError:
        return False
    return True


names_kept = st.text(max_size=8).filter(kept)


@st.composite
def problems(draw) -> ZeroShotDataset:
    """Any problem in split order, of values and sizes that files may stumble over."""
    classes, dim, width = draw(st.integers(2, 5)), draw(st.integers(2, 4)), draw(st.integers(1, 3))
    unseen = draw(st.integers(0, classes - 1))
    order = draw(st.permutations(range(classes)))
    seen_ids, unseen_ids = order[unseen:], order[:unseen]
    trainval = [*seen_ids, *draw(st.lists(st.sampled_from(seen_ids), max_size=4))]
    test_seen = draw(st.lists(st.sampled_from(seen_ids), max_size=4))
    test_unseen = [*unseen_ids, *(draw(st.lists(st.sampled_from(unseen_ids), max_size=3)) if unseen else [])]
    labels = [*trainval, *test_seen, *test_unseen]
    values = st.floats(width=32, allow_nan=False, allow_infinity=False)
    ends = np.cumsum([len(trainval), len(test_seen), len(test_unseen)])
    return ZeroShotDataset(
        "ANY",
        draw(arrays(np.float32, (len(labels), dim), elements=values)),
        labels,
        [[k, *range(k + 1, k + width)] for k in range(classes)],
        draw(st.lists(names_kept, min_size=classes, max_size=classes, unique=True)),
        *(np.arange(end - size, end) for end, size in zip(ends, np.diff(ends, prepend=0), strict=True)),
        semantic_names=[f"s{k}" for k in range(width)],
    )


@pytest.mark.parametrize("layout", FORMATS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=problems())
def test_any_problem_is_read_back(tmp_path_factory, layout, data):
    folder = tmp_path_factory.mktemp("any")
    FORMATS[layout].write(data, folder)
    found = load_folder(folder)
    assert found.fingerprint() == data.fingerprint()
    assert found.class_names == data.class_names
    assert found.semantic_names == (data.semantic_names if layout in ("folder", "numpy") else ())
