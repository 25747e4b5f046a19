"""Recipes: each one loads, the published ones hold the authors' values, and a bad one is told in a sentence."""

import dataclasses
import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import yaml

from gsmflow import recipes
from gsmflow.errors import InputError
from gsmflow.recipes import ablations, check_settings, load_method, load_recipe, recipe_for, recipe_names
from gsmflow.settings import Settings, TrainingSettings

FOLDER = Path(recipes.__file__).parent

PUBLISHED = {
    # epochs, batch, blocks, prototype, pi, decay, gamma, samples, lr, epochs, batch, every, after, scaling, anchors
    "apy": (600, 200, 5, 3, 0.02, 1e-6, 0.55, 9_000, 1e-3, 20, 1200, 300, 5_000, "minmax", "all"),
    "awa2": (500, 256, 3, 10, 0.15, 3e-6, 0.92, 50_000, 1e-3, 30, 1200, 500, 30_000, "minmax", "seen"),
    "cub": (600, 256, 5, 1, 0.05, 1e-5, 0.8, 600, 1e-2, 30, 3000, 500, 2_000, "none", "seen"),
    "flo": (300, 256, 5, 3, 0.07, 1e-4, 0.8, 3_000, 5e-3, 30, 1000, 500, 2_000, "none", "seen"),
}


def published_values(s: Settings) -> tuple:
    return (
        *(s.training.epochs, s.training.batch, s.flow.blocks, s.flow.prototype, s.flow.pi, s.training.weight_decay),
        *(s.training.lr_gamma, s.softmax.samples, s.softmax.lr, s.softmax.epochs, s.softmax.batch),
        *(s.selection.every, s.selection.after, s.scaling, s.flow.anchors),
    )


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", recipe_names())
def test_integrity(name):
    recipe = load_recipe(name)
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert recipe.name == name
    assert recipe.about.endswith(".")
    assert recipe.source in ("published", "ours")
    assert recipe.source == "published" or "ours" in recipe.about
    assert (recipe.source == "published") == (name in PUBLISHED)
    assert {"about", "source", "known"} <= yaml.safe_load(text).keys()
    assert "\n# " in text, "a recipe says where its values come from"
    assert recipe == load_recipe(str(FOLDER / f"{name}.yaml"))  # a file is read as a name is
    for section in ("flow", "training", "softmax", "selection"):
        assert asdict(recipe.settings)[section].keys() >= yaml.safe_load(text).get(section, {}).keys()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name):
    settings = load_recipe(name).settings
    assert published_values(settings) == PUBLISHED[name]
    assert settings.seed == 6152
    assert (settings.generator, settings.recognizer) == ("gsmflow", "softmax")
    assert (settings.flow.hidden, settings.flow.position_dim, settings.flow.clamp) == (2048, 1024, 1.0)
    assert settings.flow.dropout == 0
    assert (settings.training.lr, settings.training.betas, settings.training.lr_step) == (3e-4, (0.9, 0.999), 15)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_value_of_a_published_recipe_has_its_source(name):
    lines = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    values = [line for line in lines[3:] if re.match(r" *\w+: +\S", line)]
    assert len(values) > 20
    assert all("#" in line for line in values)


def test_no_result_is_known_that_could_not_be_checked():
    assert all(load_recipe(name).known is None for name in PUBLISHED)


@pytest.mark.parametrize(
    ("dataset", "recipe", "published"),
    [
        ("AWA2", "default", "awa2"),
        ("cub", "default", "cub"),
        ("Digits", "digits", "digits-published"),
        ("mine", "default", "published"),
        ("gaussian", "default", "published"),  # a data set's name is not a recipe's
    ],
)
def test_recipe_of_a_data_set(dataset, recipe, published):
    assert (recipe_for(dataset), recipe_for(dataset, published=True)) == (recipe, published)
    assert load_recipe(recipe.upper()).name == recipe
    assert load_method("gsmflow", dataset).name == recipe
    assert load_method("gsmflow-published", dataset).name == published
    assert load_method("gaussian", dataset).name == "gaussian"


def test_a_file_of_ones_own(tmp_path):
    recipe = load_recipe(write(tmp_path, "training: {epochs: 7, betas: [0.5, 0.9]}\nscaling: none\n"))
    assert (recipe.name, recipe.source, recipe.about, recipe.known) == ("mine", "user", "mine.yaml", None)
    expected = TrainingSettings(epochs=7, betas=(0.5, 0.9))
    assert recipe.settings == Settings(scaling="none", training=expected)


def test_known_results_can_be_given(tmp_path):
    recipe = load_recipe(write(tmp_path, "known: {H: 68.8, T1: 72.1, of: SDGZSL}\nsource: ours\n"))
    assert (recipe.known.H, recipe.known.T1, recipe.known.U, recipe.known.of) == (68.8, 72.1, None, "SDGZSL")


BAD = {
    "unknown key in a section": ("flow: {block: 7}", "no setting 'flow.block'; the nearest known one is 'flow.blocks'"),
    "unknown key above": ("scalin: none", "no setting 'scalin'; the nearest known one is 'scaling'"),
    "unknown section": ("training2: {epochs: 3}", "no setting 'training2'; the nearest known one is 'training."),
    "key in the wrong section": ("flow: {epochs: 3}", "no setting 'flow.epochs'; the nearest known one is"),
    "nothing near": ("qqqq: 1", "no setting 'qqqq'; known are about, source, dataset, known"),
    "text for a number": ("training: {epochs: many}", "training.epochs: Input should be a valid integer"),
    "fraction for a number": ("training: {epochs: 2.5}", "training.epochs: Input should be a valid integer"),
    "no such choice": ("scaling: max", "scaling: Input should be 'minmax', 'none', 'l2' or 'sqrt-l2' (found 'max')"),
    "list for a section": ("flow: [1, 2]", "flow: Input should be"),
    "a list": ("- 1\n- 2", "must hold keys and values; it holds list"),
    "nothing": ("", "must hold keys and values; it holds NoneType"),
    "broken YAML": ("flow: {blocks: 7", "is not readable YAML: "),
    "a Python object": ("flow: !!python/object/apply:os.getcwd []", "is not readable YAML: could not determine a con"),
    "unknown key of a result": ("known: {H: 1, of: x, Q: 2}", "no setting 'known.Q'"),
}


@pytest.mark.parametrize(("text", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_file_is_told_in_one_sentence(tmp_path, text, sentence):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        load_recipe(path)
    assert path in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")


def test_unreadable_bytes(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"about: \xff\xfe\x00")
    with pytest.raises(InputError, match=r"mine\.yaml is not readable YAML"):
        load_recipe(str(path))


def test_no_such_recipe(tmp_path):
    with pytest.raises(InputError, match=r"There is no recipe 'cup': choose one of apy, .*, or a \.yaml file\.$"):
        load_recipe("cup")
    with pytest.raises(InputError, match=r"The recipe file .*none\.yaml does not exist\."):
        load_recipe(str(tmp_path / "none.yaml"))


def test_every_setting_is_forbidden_to_have_unknown_keys_and_is_frozen():
    kinds = [
        Settings,
        *(field.default_factory for field in fields(Settings) if isinstance(field.default_factory, type)),
    ]
    for kind in kinds:
        assert dataclasses.is_dataclass(kind)
        assert kind.__pydantic_config__ == {"extra": "forbid"}
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(kind(), fields(kind)[0].name, None)


@pytest.mark.parametrize("name", [name for name in recipe_names() if load_recipe(name).without])
def test_each_part_of_a_recipe_can_be_taken_out(name):
    whole = load_recipe(name)
    methods = ablations(name, "any")
    assert len(methods) == len(whole.without) > 0
    for method in methods:
        less = load_method(method, "any")
        check_settings(less.settings)
        assert less.settings != whole.settings


def test_a_part_that_is_not_there_cannot_be_taken_out():
    with pytest.raises(InputError, match="no part 'wings' to take out: choose one of flow, scaling"):
        load_method("default-without-wings", "any")
    with pytest.raises(InputError, match="it lists no parts"):
        load_method("cub-without-flow", "CUB")
