"""Recipes: each one loads, the published ones hold the authors' values, and a bad one is told in a sentence."""

import dataclasses
import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import yaml

from gsmflow import recipes
from gsmflow.errors import InputError
from gsmflow.overrides import flat
from gsmflow.recipes import METHODS, ablations, load_method, load_recipe, method_name, recipe_for, recipe_names
from gsmflow.selection import check_settings
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
    check_settings(recipe.settings)


@pytest.mark.parametrize("name", recipe_names())
def test_every_value_of_the_file_is_in_the_settings_and_the_rest_are_defaults(name):
    """Read by YAML alone: nothing is dropped, put elsewhere, or changed on the way."""
    content = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    told = {
        key: value for key, value in content.items() if key not in ("about", "source", "dataset", "known", "without")
    }
    settings, defaults = (flat(asdict(one)) for one in (load_recipe(name).settings, Settings()))
    assert len(flat(told)) > 3
    for key, value in settings.items():
        assert value == flat(told).get(key, defaults[key]), key
    assert flat(told).keys() <= settings.keys()


def test_a_file_is_read_as_a_name_is(tmp_path):
    text = (FOLDER / "flo.yaml").read_text(encoding="utf-8")
    named, mine = load_recipe("flo"), load_recipe(write(tmp_path, text))
    assert dataclasses.replace(mine, name="flo") == named
    other = load_recipe(write(tmp_path, text.replace("pi: 0.07", "pi: 0.08")))
    assert (named.settings.flow.pi, other.settings.flow.pi) == (0.07, 0.08)


def test_the_settings_themselves_are_the_default_recipe():
    assert load_recipe("default").settings == Settings()


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
    assert load_method("default", dataset).name == recipe
    assert load_method("gsmflow", dataset).name == published
    assert load_method("gaussian", dataset).name == "gaussian"


@pytest.mark.parametrize("dataset", ["AWA1", "AWA2", "APY", "CUB", "SUN", "FLO", "digits", "mine"])
def test_methods_mean_one_generator_on_every_data_set(dataset):
    assert load_method("default", dataset).settings.generator == "linear-flow"
    assert load_method("gsmflow", dataset).settings.generator == "gsmflow"
    assert set(METHODS) == {"default", "gsmflow"}


def test_names_of_methods():
    names = {"gaussian": "gaussian", "a/b.yaml": "b", "default-without-flow": "default-without-flow"}
    names["a/b.yml-without-flow"] = "b-without-flow"
    assert {method: method_name(method) for method in names} == names


OLD = {
    "a section": ("residual: {decay: 2}", "the setting 'residual' is called 'linear_flow' now."),
    "a generator": ("generator: residual-flow", "the generator 'residual-flow' is called 'linear-flow' now."),
    "a part": (
        "without: {decay: {residual.decay: 0}}\nseed: 1",
        "the setting 'residual.decay' is called 'linear_flow.decay' now.",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), OLD.values(), ids=OLD)
def test_a_recipe_of_version_0_1_is_told_the_new_name(tmp_path, text, sentence):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=re.escape(sentence) + "$"):
        load_method(f"{path}-without-decay" if "without" in text else path, "any")


def test_a_method_of_version_0_1_is_told_the_new_name():
    with pytest.raises(InputError, match=r"^The method 'gsmflow-published' is called 'gsmflow' now\.$"):
        load_method("gsmflow-published", "CUB")


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
