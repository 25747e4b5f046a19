"""Tiny twins of the published file formats, so that no test downloads anything."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.io import savemat

MATLAB_HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 ."


def make_truth(seed: int = 0) -> SimpleNamespace:
    """Six classes of names out of order, of five samples each, in shuffled order; classes 1 and 4 are unseen.

    Two samples of each seen class are tested; three samples of class 0 are in no split.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.r_[np.repeat(np.arange(6), 5), 0, 0, 0])
    place = np.array([np.sum(labels[:i] == label) for i, label in enumerate(labels)])
    is_unseen = np.isin(labels, (1, 4))
    return SimpleNamespace(
        features=rng.normal(size=(len(labels), 7)).astype(np.float32),
        labels=labels,
        semantics=rng.uniform(size=(6, 3)).astype(np.float32),
        class_names=("zebra", "ant", "mole", "bat", "yak", "cow"),
        trainval=np.flatnonzero(~is_unseen & (place < 3)),
        test_seen=np.flatnonzero(~is_unseen & (place >= 3) & (place < 5)),
        test_unseen=np.flatnonzero(is_unseen),
    )


def xlsa17_keys(truth: SimpleNamespace) -> tuple[dict, dict]:
    """What ``res101.mat`` and ``att_splits.mat`` hold, as MATLAB shows it: (D, N), (S, K), counted from 1."""
    visual = {
        "features": truth.features.T.astype(np.float64),
        "labels": (truth.labels + 1.0)[:, None],
        "image_files": np.zeros((len(truth.labels), 1)),
    }
    names = np.empty((len(truth.class_names), 1), dtype=object)
    names[:, 0] = truth.class_names
    splits = {
        "att": truth.semantics.T.astype(np.float64),
        "original_att": truth.semantics.T * 100.0,
        "allclasses_names": names,
        "trainval_loc": (truth.trainval + 1).astype(np.uint16)[:, None],
        "test_seen_loc": (truth.test_seen + 1).astype(np.uint16)[:, None],
        "test_unseen_loc": (truth.test_unseen + 1).astype(np.uint16)[:, None],
        "train_loc": (truth.trainval[:4] + 1).astype(np.uint16)[:, None],
        "val_loc": (truth.test_seen + 1).astype(np.uint16)[:, None],  # the trap: val_loc overlaps test_seen_loc
    }
    return visual, splits


def packed_keys(truth: SimpleNamespace) -> tuple[dict, dict]:
    """What ``data.mat`` and ``label.mat`` hold: (N, D), training labels contiguous, test labels class ids from 1."""
    seen, unseen = np.unique(truth.labels[truth.trainval]), np.unique(truth.labels[truth.test_unseen])
    data = {
        "train_fea": truth.features[truth.trainval],
        "test_seen_fea": truth.features[truth.test_seen],
        "test_unseen_fea": truth.features[truth.test_unseen],
        "seen_pro": truth.semantics[seen],
        "unseen_pro": truth.semantics[unseen],
        "attribute": truth.semantics,
    }
    label = {
        "train_idx": np.searchsorted(seen, truth.labels[truth.trainval])[None] + 1.0,
        "test_seen_idex": truth.labels[truth.test_seen][:, None] + 1.0,
        "test_unseen_idex": truth.labels[truth.test_unseen][:, None] + 1.0,
    }
    return data, label


def save_v5(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content)


def save_v73(path: Path, content: dict) -> None:
    """Write HDF5 as MATLAB does: header, axes reversed, text as numbers, cells as references, empty ones as shapes."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = file.create_group("#refs#")
        for key, value in content.items():
            if value.dtype == object:
                references = np.empty(value.shape, dtype=h5py.ref_dtype)
                for place in np.ndindex(value.shape):
                    codes = np.array([[ord(letter)] for letter in value[place]], dtype=np.uint16)
                    cell = cells.create_dataset(f"{key}{place}", data=codes)
                    cell.attrs["MATLAB_class"] = np.bytes_("char")
                    references[place] = cell.ref
                file.create_dataset(key, data=references.T).attrs["MATLAB_class"] = np.bytes_("cell")
            elif value.dtype.kind == "U":
                codes = np.array([[ord(letter) for letter in row.ljust(value.itemsize // 4)] for row in value])
                file.create_dataset(key, data=codes.T).attrs["MATLAB_class"] = np.bytes_("char")
            elif value.size == 0:
                file.create_dataset(key, data=np.array(value.shape, np.uint64)).attrs["MATLAB_empty"] = np.uint8(1)
            else:
                file.create_dataset(key, data=value.T)
    with path.open("r+b") as file:
        file.write(MATLAB_HEADER.ljust(124) + b"\x00\x02IM")


SAVE = {"v5": save_v5, "v7.3": save_v73}


def write_xlsa17(folder: Path, truth: SimpleNamespace, version: str = "v5", **changed: np.ndarray | None) -> Path:
    """Write the twin of a standard benchmark; ``changed`` replaces variables, or drops them where it is None."""
    for name, content in zip(("res101.mat", "att_splits.mat"), xlsa17_keys(truth), strict=True):
        SAVE[version](folder / name, change(content, changed))
    return folder


def write_packed(folder: Path, truth: SimpleNamespace, version: str = "v5", **changed: np.ndarray | None) -> Path:
    """Write the twin of a packed benchmark; ``changed`` as above."""
    for name, content in zip(("data.mat", "label.mat"), packed_keys(truth), strict=True):
        SAVE[version](folder / name, change(content, changed))
    return folder


def change(content: dict, changed: dict) -> dict:
    content = content | {key: value for key, value in changed.items() if key in content}
    return {key: value for key, value in content.items() if value is not None}
