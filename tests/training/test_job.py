"""What a training stage makes of its command line: which contrasts, which patients, which files."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline_lib.errors import InputError
from pipeline_lib.models.perceptual import LAYERS
from pipeline_lib.slices.datasets import UnpairedSlices
from pipeline_lib.training import job
from pipeline_lib.training.job import Job, folders_by_split
from tests.models import test_resvit as resvit
from tests.training.stores import CONTRASTS
from tests.training.systems import (
    ALL_PAIRS,
    ONE_PAIR,
    SPLITS,
    arguments,
    family,
    make_data,
    run_here,
    tiny,
)

ANY_PAIR = ["unet", "simko", "simko_regressing", "crl_paper", "paramnet"]
ONE = ["unet_plain", "alkan", "pgan", "resvit", "ptnet"]
NAMES = list(CONTRASTS)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("job"))


class Begun(BaseException):
    """A training that is about to begin."""


@pytest.fixture
def begun(data, monkeypatch):
    """Give dataset and validation of the training that a stage would begin."""
    monkeypatch.setattr(job, "preflight", lambda *_: job.Preflight({}, 0.0, 0.0))

    def begin(method, dataset, validation, *_):
        raise Begun(dataset, validation)

    monkeypatch.setattr(job, "Training", begin)

    def begin_training(system, **options):
        model = tiny(system, **options.pop("model", {}))
        with pytest.raises(Begun) as told:
            run_here(arguments(data, model, system, **options))
        return told.value.args

    return begin_training


def contrasts_of(dataset):
    """Give the contrasts that 60 samples show and ask for."""
    samples = [dataset[number] for number in range(60)]
    sources = {NAMES[sample.source_contrast] for sample in samples}
    targets = {NAMES[target] for sample in samples for target in sample.target_contrasts}
    sequences = {
        s for sample in samples for s in (sample.source_sequence, *sample.target_sequences)
    }
    assert sequences == {CONTRASTS[name] for name in sources | targets}
    return sources, targets


@pytest.mark.parametrize("system", ANY_PAIR)
@pytest.mark.parametrize("unseen", [[], ["T2w"]])
def test_unseen_contrasts_are_neither_trained_nor_validated(begun, system, unseen):
    dataset, validation = begun(system, unseen=unseen, pairs=ALL_PAIRS)
    seen = set(NAMES) - set(unseen)
    assert contrasts_of(dataset) == (seen, seen)
    validated = [[NAMES[of], NAMES[to]] for of, to in validation.pairs]
    assert validated == [pair for pair in ALL_PAIRS if set(pair) <= seen]


def test_where_every_pair_is_of_unseen_contrasts_the_seen_ones_are_validated(begun):
    _, validation = begun("unet", unseen=["T2w"], pairs=[["PDw", "T2w"], ["T1w", "T2w"]])
    assert validation.pairs == [(0, 2), (2, 0)]


@pytest.mark.parametrize(
    ("system", "targets", "drawn"),
    [("unet", 0, 3), ("unet", 2, 2), ("unet", 9, 3), ("crl_paper", None, 3), ("paramnet", None, 1)],
)
def test_a_sample_asks_for_so_many_contrasts(begun, system, targets, drawn):
    dataset, _ = begun(system, model={} if targets is None else {"targets": targets})
    assert {len(dataset[number].target_contrasts) for number in range(20)} == {drawn}
    assert contrasts_of(dataset) == (set(NAMES), set(NAMES))


@pytest.mark.parametrize("system", ONE)
def test_a_system_of_one_pair_sees_that_pair_alone(begun, system):
    dataset, validation = begun(system, pairs=[["T1w", "PDw"]])
    assert contrasts_of(dataset) == ({"T1w"}, {"PDw"})
    assert validation.pairs == [(2, 0)]


@pytest.mark.parametrize("system", ONE)
@pytest.mark.parametrize(
    ("pairs", "unseen"), [(ALL_PAIRS, []), ([], []), (ONE_PAIR, ["T2w"]), (ONE_PAIR, ["PDw"])]
)
def test_a_system_of_one_pair_refuses_several_and_unseen_ones(data, system, pairs, unseen):
    with pytest.raises(InputError, match=f"{system} transfers one pair of contrasts"):
        run_here(arguments(data, tiny(system), "refused", pairs=pairs, unseen=unseen))
    assert not (data / "refused").exists()


def test_default_to_param_starts_from_its_one_source(begun):
    dataset, _ = begun("paramnet", model={"default_source": "T1w"})
    assert contrasts_of(dataset) == ({"T1w"}, set(NAMES))


@pytest.mark.parametrize(("source", "unseen"), [("T1w", ["T1w"]), ("T3w", [])])
def test_default_to_param_refuses_a_source_that_is_not_trained(data, source, unseen):
    model = tiny("paramnet", default_source=source)
    with pytest.raises(InputError, match=f"starts from '{source}', which is no contrast"):
        run_here(arguments(data, model, "refused", unseen=unseen))


@pytest.mark.parametrize(
    ("system", "neighbours", "tissues"),
    [("pgan", 1, ()), ("alkan", 0, ("muscle", "bladder")), ("resvit", 0, ()), ("unet", 0, ())],
)
def test_training_and_validation_are_shown_the_same_channels(begun, system, neighbours, tissues):
    dataset, validation = begun(system)
    channels = dataset.selection.channels
    assert channels == validation.channels
    assert (channels.neighbours, channels.tissues) == (neighbours, tissues)


@pytest.mark.parametrize(
    ("system", "augmentation"),
    [("unet", "mirror"), ("unet_plain", "mirror"), ("crl_code", "dihedral"), ("alkan", "none"),
     ("paramnet", "none"), ("pgan", "none"), ("resvit", "none"), ("ptnet", "none")],
)  # fmt: skip
def test_images_are_augmented_as_the_papers_do(begun, system, augmentation):
    dataset, _ = begun(system)
    assert dataset.selection.augmentation == augmentation
    assert (dataset.selection.patches is None) == (family(system) not in ("crl", "alkan"))


def test_simko_alone_is_trained_without_pairs(begun):
    for system in (*ANY_PAIR, *ONE):
        dataset, _ = begun(system)
        assert isinstance(dataset, UnpairedSlices) == (family(system) == "simko")


def test_training_reads_its_own_patients_alone(begun):
    dataset, validation = begun("unet")
    assert [folder.name for folder in dataset.folders] == ["sub-01", "sub-02"]
    assert [patient.patient for patient in validation.patients] == ["sub-03"]


def test_a_fold_or_patient_that_is_missing_is_told(data):
    folders = [data / "slices" / patient for patient in SPLITS]
    found = folders_by_split(folders, data / "split.csv", 0)
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        "train": ["sub-01", "sub-02"], "validation": ["sub-03"], "test": ["sub-04"], "seen": [],
    }  # fmt: skip
    with pytest.raises(InputError, match="has no fold 7"):
        folders_by_split(folders, data / "split.csv", 7)
    with pytest.raises(InputError, match="names sub-04, of which there are no slices"):
        folders_by_split(folders[:3], data / "split.csv", 0)


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"fold": 1}, {"experiment": "other"}, {"model": {"name": "other"}}]
)
def test_a_run_draws_by_seed_fold_and_names_alone(change):
    kept = {"seed": 1, "fold": 0, "experiment": "disc", "model": {"name": "unet"}}
    rest = {
        "slices": (), "split": Path(), "pairs": (), "unseen": (), "code": "",
        "checkpoints": Path(), "output": Path(),
    }  # fmt: skip
    one = Job(**kept, **rest)
    assert one.run_seed == Job(**kept, **{**rest, "code": "new"}).run_seed
    assert one.run_seed != Job(**{**kept, **change}, **rest).run_seed


def test_a_published_transformer_is_where_resvit_starts_from(data):
    arrays = resvit.published()
    model = tiny(
        "resvit", transformer_weights=str(resvit.written(data, arrays)), channels=resvit.CHANNELS,
        width=resvit.WIDTH, layers=resvit.LAYERS, heads=resvit.HEADS, grid=resvit.GRID, steps=1,
        convolutional_steps=1, learning_rate=0.0,
    )  # fmt: skip
    run_here(arguments(data, model, "published"))
    bias = load_file(data / "published" / "model.safetensors")["aggregation.0.embed.bias"]
    assert torch.equal(bias, torch.from_numpy(arrays["embedding/bias"]))


def test_pgan_is_trained_with_the_features_of_a_vgg16_where_there_is_one(data):
    tensors = {f"{name}.weight": torch.rand(out, into, 3, 3) for name, into, out in LAYERS}
    tensors |= {f"{name}.bias": torch.rand(out) for name, _, out in LAYERS}
    save_file(tensors, data / "vgg16.safetensors")
    model = tiny("pgan", steps=1, perceptual_weights=str(data / "vgg16.safetensors"))
    run_here(arguments(data, model, "vgg"))
    assert {path.name for path in (data / "vgg").iterdir()} == {
        "card.json", "losses.csv", "model.safetensors", "discriminator.safetensors",
    }  # fmt: skip


def checkpoint_of(data, monkeypatch, words):
    """Settings and checkpoint's name of the training that a command line would begin."""
    found = []
    monkeypatch.setattr(job, "preflight", lambda *_: job.Preflight({}, 0.0, 0.0))

    def begin(method, dataset, validation, settings, seed, checkpoint, *_):
        found.extend([checkpoint.digest, settings])
        raise Begun

    monkeypatch.setattr(job, "Training", begin)
    with pytest.raises(Begun):
        run_here(words)
    return found


def test_what_a_training_takes_of_the_machine_leaves_its_checkpoint(data, monkeypatch):
    words = arguments(data, tiny("unet"), "machine")
    first, _ = checkpoint_of(data, monkeypatch, words)
    own = [*words, "--workers", "2", "--checkpoint-seconds", "7.5"]
    second, settings = checkpoint_of(data, monkeypatch, own)
    assert second == first
    assert (settings.workers, settings.checkpoint_seconds) == (2, 7.5)
    other, _ = checkpoint_of(data, monkeypatch, arguments(data, tiny("unet", steps=3), "machine"))
    assert other != first


def test_a_system_without_pairs_asks_for_the_table_of_draws(data):
    words = arguments(data, tiny("simko"), "without")
    place = words.index("--unpaired")
    with pytest.raises(InputError, match="name the table of draws with --unpaired"):
        run_here([*words[:place], *words[place + 2 :]])
