"""The scikit-learn estimator: scikit-learn's own checks, and what it says of classes without samples."""

import pickle
import warnings
from contextlib import nullcontext
from copy import deepcopy
from itertools import product

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import gsmflow
from gsmflow import ZeroShotClassifier
from gsmflow.data import ZeroShotDataset, digits, pseudo_unseen, synthetic
from gsmflow.errors import DataWarning, InputError
from gsmflow.estimator import can_be_cut
from gsmflow.recipes import load_recipe
from gsmflow.settings import SelectionSettings

NUMBERS = ["nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
QUICK = ZeroShotClassifier("gaussian", protocol="fixed")


@parametrize_with_checks([QUICK, ZeroShotClassifier("prototype")])
def test_scikit_learn(estimator, check):
    """Every check passes: none is expected to fail."""
    check(estimator)


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_classifiers_classes,
        estimator_checks.check_dict_unchanged,
        estimator_checks.check_estimators_dtypes,
        estimator_checks.check_estimators_pickle,
        estimator_checks.check_fit2d_1sample,
        estimator_checks.check_fit_idempotent,
        estimator_checks.check_methods_sample_order_invariance,
        estimator_checks.check_methods_subset_invariance,
    ],
    ids=lambda check: check.__name__,
)
@pytest.mark.filterwarnings("ignore::gsmflow.errors.DataWarning")  # one sample a class
def test_scikit_learn_on_the_default_method(check):
    check("ZeroShotClassifier", ZeroShotClassifier())


@pytest.fixture(scope="module")
def data() -> ZeroShotDataset:
    return digits()


@pytest.fixture(scope="module")
def seen(data) -> tuple[np.ndarray, np.ndarray]:
    return data.features[data.trainval], data.labels[data.trainval]


@pytest.fixture(scope="module")
def semantics(data) -> dict[int, np.ndarray]:
    return dict(enumerate(data.semantics))


@pytest.fixture(scope="module")
def fitted(seen, semantics) -> ZeroShotClassifier:
    return ZeroShotClassifier("gaussian", random_state=0).fit(*seen, semantics=semantics)


@pytest.fixture
def small() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Samples of six seen classes, and semantics of eight."""
    data = synthetic(classes=8, unseen=2, samples=12, dim=6, seed=0)
    names = np.array(data.class_names)
    return (
        data.features[data.trainval],
        names[data.labels[data.trainval]],
        dict(zip(names, data.semantics, strict=True)),
    )


# An ordinary classifier


def test_it_is_as_good_as_discriminant_analysis():
    assert cross_val_score(ZeroShotClassifier("gaussian"), *load_iris(return_X_y=True)).mean() > 0.95
    for load in (load_wine, load_digits):
        X, y = load(return_X_y=True)
        ours, theirs = (
            cross_val_score(make_pipeline(StandardScaler(), one), X, y).mean()
            for one in (ZeroShotClassifier("gaussian"), LinearDiscriminantAnalysis())
        )
        assert ours > theirs - 0.01


@pytest.mark.parametrize("protocol", ["validated", "fixed"])
def test_without_semantics_nothing_is_chosen_and_nothing_warned_of(protocol):
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = ZeroShotClassifier("gaussian", protocol=protocol).fit(X, y)
    assert fitted.result_.config.protocol == "fixed"
    assert fitted.model_.is_seen.all()
    assert not fitted.model_.constant


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["b", "ccc", "a"]),
        np.array(["b", "ccc", "a"], dtype=object),
        np.array([7, -2, 40], dtype=np.int32),
        np.array([1.0, 0.0, 3.0]),
        np.array([True, False, True]),
    ],
    ids=lambda labels: labels.dtype.name,
)
def test_labels_come_back_as_they_were_given(labels):
    X, y = load_iris(return_X_y=True)
    given = labels[y]
    predicted = clone(QUICK).fit(X, given).predict(X)
    assert predicted.dtype == given.dtype
    assert (predicted == given).mean() > 0.6
    semantics = dict(zip(np.unique(labels), np.eye(3)[: len(np.unique(labels)), :2] + 0.1 * np.arange(2), strict=True))
    assert clone(QUICK).fit(X, given, semantics).predict(X).dtype == given.dtype


def test_one_sample_a_class_is_its_mean():
    X, y = np.array([[0.0, 1, 5], [4, 0, 1], [0, 9, 0]]), ["a", "b", "c"]
    with pytest.warns(DataWarning, match="3 seen classes have a single training sample"):
        fitted = clone(QUICK).fit(X, y)
    assert fitted.predict(X + 0.3).tolist() == y


# Classes without samples


def test_unseen_classes_are_recognised(data, fitted):
    X, y = data.features, data.labels
    assert fitted.classes_.tolist() == list(range(10))
    assert fitted.model_.unseen.tolist() == [3, 6]
    assert fitted.result_.config.protocol == "validated"
    assert fitted.score(X[data.test_unseen], y[data.test_unseen]) > 0.7  # chance: 0.1
    assert fitted.score(X[data.test_seen], y[data.test_seen]) > 0.7


def test_it_is_what_train_gives(data, seen, fitted):
    X, y = seen
    with pytest.warns(DataWarning):
        whole = ZeroShotDataset("data", X, y, data.semantics, trainval=np.arange(len(y)))
    model = gsmflow.train(whole, "gaussian", seed=0).model
    assert fitted.model_.settings == model.settings
    assert fitted.model_.constant == model.constant
    np.testing.assert_array_equal(fitted.predict(data.features), model.predict_ids(data.features))
    np.testing.assert_allclose(fitted.predict_proba(X), model.predict_proba(X), atol=1e-6)


def test_probabilities_follow_classes(data, fitted):
    probabilities = fitted.predict_proba(data.features)
    assert probabilities.shape == (len(data.features), 10)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(1)], fitted.predict(data.features))


def test_semantics_may_come_in_any_order(data, seen, fitted):
    X, y = seen[0], np.array(NUMBERS)[seen[1]]
    order = np.random.default_rng(0).permutation(10)
    names = np.array(NUMBERS)[order]
    by_row = clone(fitted).fit(X, y, semantics=data.semantics[order], class_names=names)
    by_name = clone(fitted).fit(X, y, semantics=dict(zip(NUMBERS, data.semantics.tolist(), strict=True)))
    assert by_row.classes_.tolist() == sorted(NUMBERS)
    np.testing.assert_array_equal(by_row.predict_proba(X), by_name.predict_proba(X))
    some = data.features[data.test_unseen]
    assert (by_row.predict(some) == np.array(NUMBERS)[data.labels[data.test_unseen]]).mean() > 0.7


def test_the_constant_can_be_given(data, seen, semantics):
    unseen = data.features[data.test_unseen]
    shares = [
        np.isin(
            ZeroShotClassifier("gaussian", protocol="fixed", constant=c).fit(*seen, semantics).predict(unseen), [3, 6]
        )
        for c in (-1e6, 0, 1e6)
    ]
    assert [share.mean() for share in (shares[0], shares[2])] == [0, 1]
    assert 0 < shares[1].mean() < 1


def test_seeds(small):
    X, y, semantics = small

    def seed(random_state) -> int:
        return ZeroShotClassifier("prototype", random_state=random_state).fit(X, y, semantics).model_.settings.seed

    assert [seed(None), seed(7), seed(np.int64(8))] == [0, 7, 8]
    drawn = [seed(np.random.RandomState(0)) for _ in range(2)]
    assert drawn[0] == drawn[1] > 0


def test_classes_come_and_go(data, seen, semantics):
    known = {k: row for k, row in semantics.items() if k != 6}
    fitted = clone(QUICK).fit(*seen, known)
    assert 6 not in fitted.classes_
    fitted.add_classes({6: semantics[6], 11: semantics[6] + 1})
    assert fitted.classes_.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9, 6, 11]
    assert 6 in fitted.predict(data.features)
    with pytest.raises(InputError, match="There is no class '12'"):
        fitted.remove_classes([11, 12])
    fitted.remove_classes([11, 3])
    assert fitted.classes_.tolist() == [0, 1, 2, 4, 5, 7, 8, 9, 6]
    assert fitted.predict_proba(data.features[:4]).shape == (4, 9)
    with pytest.raises(InputError, match="knows a class '6' already"):
        fitted.add_classes({6: semantics[6]})
    with pytest.raises(InputError, match="are texts, such as ape, and those in y are numbers"):
        fitted.add_classes({"ape": semantics[6]})


# Too few classes to take any for unseen


@pytest.mark.parametrize(("classes", "samples"), [(2, 12), (6, 1)])
def test_nothing_is_chosen_where_no_classes_can_be_cut(small, classes, samples):
    X, y, semantics = small
    rows = np.concatenate([np.flatnonzero(y == name)[:samples] for name in np.unique(y)[:classes]])
    with pytest.warns(DataWarning) as warned:
        fitted = ZeroShotClassifier("prototype").fit(X[rows], y[rows], semantics)
    sentences = [str(one.message) for one in warned if "protocol fixed" in str(one.message)]
    enough = classes if samples > 1 else 0
    assert sentences == [
        f"{classes} seen classes, {enough} of them with two samples, are too few to take any for unseen: the protocol "
        "fixed is used, which chooses nothing."
    ]
    assert {one.filename for one in warned} == {__file__}
    assert fitted.result_.config.protocol == "fixed"
    assert len(fitted.classes_) == 8


@pytest.mark.filterwarnings("ignore::gsmflow.errors.DataWarning")
def test_what_can_be_cut_is_what_pseudo_unseen_cuts():
    """And two seen classes are left in each fold, with a sample held back."""
    rng = np.random.default_rng(0)
    cut = []
    for seen, unseen, folds, ratio in product(range(1, 8), (0, 3, 9), (1, 3), (None, 0.6)):
        counts = np.r_[rng.integers(1, 4, seen), np.zeros(unseen, int)]
        can = can_be_cut(counts, SelectionSettings(folds=folds, ratio=ratio))
        cut.append(can)
        if can:
            labels = np.repeat(np.arange(len(counts)), counts)
            features = rng.normal(size=(len(labels), 2))
            whole = ZeroShotDataset(
                "all", features, labels, rng.random((len(counts), 3)), trainval=np.arange(len(labels))
            ).training()
            share = unseen / (seen + unseen) if ratio is None else ratio
            problems = [pseudo_unseen(whole, ratio=share, fold=fold) for fold in range(folds)]
            assert all(len(one.seen) >= 2 and len(one.test_seen) for one in problems)
    assert 20 < sum(cut) < len(cut) - 20


# In scikit-learn's company


@pytest.mark.parametrize("method", ["default", load_recipe("gaussian"), load_recipe("gaussian").settings], ids=type)
def test_clones_and_parameters(method):
    one = ZeroShotClassifier(method, protocol="fixed", random_state=3, threads=1)
    assert clone(one).get_params() == one.get_params()
    assert one.set_params(method="gaussian").method == "gaussian"
    assert ZeroShotClassifier().get_params() == {
        "constant": None,
        "device": "auto",
        "method": "default",
        "protocol": "validated",
        "random_state": None,
        "threads": None,
    }


def test_pickles(data, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(data.features), fitted.predict_proba(data.features))
    again.add_classes({10: data.semantics[:2].mean(0)})  # recognizer and generator are still of one model
    assert again.predict_proba(data.features[:2]).shape == (2, 11)


def test_the_model_goes_alone(data, fitted, tmp_path):
    fitted.model_.save(tmp_path / "model.safetensors")
    model = gsmflow.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(model.predict(data.features), fitted.predict(data.features).astype(str))


def test_pipeline(data, seen, semantics):
    pipeline = make_pipeline(StandardScaler(), clone(QUICK))
    pipeline.fit(*seen, zeroshotclassifier__semantics=semantics)
    assert pipeline.score(data.features[data.test_unseen], data.labels[data.test_unseen]) > 0.4
    assert pipeline.classes_.tolist() == list(range(10))


@pytest.mark.parametrize("is_routed", [False, True])
def test_search(small, is_routed):
    X, y, semantics = small
    with config_context(enable_metadata_routing=True) if is_routed else nullcontext():
        one = clone(QUICK).set_fit_request(semantics=True) if is_routed else clone(QUICK)
        search = GridSearchCV(one, {"method": ["gaussian", "dap"]}, cv=3, error_score="raise")
        search.fit(X, y, semantics=semantics)
    assert search.best_score_ > 0.6  # chance: 0.125
    assert search.classes_.tolist() == sorted(semantics)  # the unseen ones too
    assert search.predict_proba(X).shape == (len(X), 8)


def test_it_learns_and_adapts_as_its_model_does(fitted, seen):
    (X, y), fitted = seen, deepcopy(fitted)  # others use it too
    same = deepcopy(fitted.model_)
    assert fitted.learn(X[:20], y[:20], evidence="some") == "some"
    same.learn(X[:20], [str(label) for label in y[:20]], evidence="some")
    assert not fitted.adapt(X[:2]).believed
    np.testing.assert_array_equal(fitted.model_.predict_proba(X), same.predict_proba(X))
    with pytest.raises(InputError, match="There is no class '77'"):
        fitted.learn(X[:1], [77])


# Refusals


def refused() -> dict[str, tuple[dict, str]]:
    rows, three = np.eye(3)[:, :2] + 0.5, ["a", "b", "c"]
    return {
        "names without semantics": ({"class_names": three}, "there are none: give semantics too"),
        "names twice": (
            {"semantics": dict(zip(three, rows, strict=True)), "class_names": three},
            "leave class_names out",
        ),
        "rows without names": ({"semantics": rows}, "say by class_names which class each row is of"),
        "too few names": ({"semantics": rows, "class_names": ["a", "b"]}, "3 rows of semantics but 2 class_names"),
        "a name again": ({"semantics": rows, "class_names": ["a", "b", "b"]}, "1 of 3 class_names stand there before"),
        "numbers": ({"semantics": {0: [0, 1], 1: [1, 0]}}, "are numbers, such as 0, and those in y are texts"),
        "lacking": ({"semantics": {"a": [0, 1], "z": [1, 0]}}, "2 classes in y have no semantics: b, c; give them"),
        "no classes": ({"semantics": {}}, "semantics|Expected 2D array"),
        "rows that differ": ({"semantics": {"a": [0, 1], "b": [1], "c": [1, 1]}}, "inhomogeneous"),
        "NaN": ({"semantics": {"a": [0, 1], "b": [np.nan, 1], "c": [1, 2]}}, "Input semantics contains NaN"),
        "no description": ({"semantics": {"a": [0, 1], "b": [0, 0], "c": [1, 2]}}, "semantics of 1 classes are zero"),
    }


@pytest.mark.parametrize(("given", "sentence"), refused().values(), ids=refused())
def test_labels_and_semantics_that_do_not_belong_together(given, sentence):
    X = np.random.default_rng(0).normal(size=(9, 2))
    with pytest.raises(ValueError, match=sentence):
        clone(QUICK).fit(X, np.repeat(["a", "b", "c"], 3), **given)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"method": "nothing"}, "There is no recipe 'nothing'"),
        ({"protocol": "nothing"}, "There is no protocol 'nothing'"),
        ({"protocol": "published"}, "a test set is empty"),
        ({"device": "nothing"}, "There is no device 'nothing'"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"random_state": -1}, "seed"),
        ({"random_state": "nothing"}, "cannot be used to seed"),
    ],
    ids=str,
)
def test_parameters_are_checked_when_it_is_fitted(parameters, sentence):
    one = clone(QUICK).set_params(**parameters)
    with pytest.raises(ValueError, match=sentence):
        one.fit(*load_iris(return_X_y=True))
    with pytest.raises(NotFittedError):
        one.predict([[0, 0, 0, 0]])


def test_a_fit_that_is_refused_leaves_what_was_learnt(fitted, seen):
    with pytest.raises(ValueError, match="no semantics"):
        fitted.fit(*seen, {0: [0, 1], 1: [1, 0]})
    assert len(fitted.classes_) == len(fitted.model_.class_names) == 10
