"""The papers' own formulas, beside what their code calls and by hand."""

import numpy as np
import pytest
from skimage import filters, metrics

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.formulas import FORMULAS, paper_scores


def images(slices=3):
    """A bright disc on a noisy background, and a prediction of it."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:40, :36]
    disc = np.hypot(rows - 20, columns - 17) < 12
    target = 0.05 * rng.random((slices, 40, 36)) + disc * (0.6 + 0.5 * rng.random((slices, 40, 36)))
    prediction = target + 0.1 * rng.standard_normal(target.shape)
    return prediction.astype(np.float32), target.astype(np.float32)


def test_simkos_values_are_those_of_scikit_image_on_images_times_the_targets_mask():
    prediction, target = images()
    expected = {"mse": [], "nrmse": [], "psnr": [], "ssim": []}
    for predicted, true in zip(prediction.astype(float), target.astype(float), strict=True):
        mask = true > filters.threshold_otsu(true)
        one, other = predicted * mask, true * mask
        largest = np.ceil(max(one.max(), other.max()) - min(one.min(), other.min()))
        assert largest == 2  # R is of both images, and rounded up
        expected["mse"].append(metrics.mean_squared_error(one, other))
        expected["nrmse"].append(metrics.normalized_root_mse(one, other))
        expected["psnr"].append(metrics.peak_signal_noise_ratio(other, one, data_range=largest))
        expected["ssim"].append(metrics.structural_similarity(one, other, data_range=largest))
    found = paper_scores("simko2021", prediction, target, 0.7)
    assert found == pytest.approx(
        {f"simko2021_{name}": np.mean(values) for name, values in expected.items()}, rel=1e-6
    )


def test_simkos_nrmse_is_divided_by_the_prediction():
    _, target = images()
    double = paper_scores("simko2021", 2 * target, target, 1.0)["simko2021_nrmse"]
    half = paper_scores("simko2021", target / 2, target, 1.0)["simko2021_nrmse"]
    assert (double, half) == (pytest.approx(0.5), pytest.approx(1.0))


def test_simkos_means_leave_out_slices_without_anatomy():
    prediction, target = images()
    expected = paper_scores("simko2021", prediction[:2], target[:2], 1.0)
    target[2] = 0
    assert paper_scores("simko2021", prediction, target, 1.0) == pytest.approx(expected)
    alone = paper_scores("simko2021", prediction[2:], target[2:], 1.0)
    assert np.isnan(list(alone.values())).all()


def test_crls_values_are_of_the_whole_frame_between_the_targets_extremes():
    prediction, target = images()
    lowest, highest = float(target.min()), float(target.max())
    scaled = [(x.astype(float) - lowest) / (highest - lowest) for x in (target, prediction)]
    pairs = list(zip(*scaled, strict=True))
    psnr = [metrics.peak_signal_noise_ratio(*pair, data_range=1) for pair in pairs]
    ssim = [
        metrics.structural_similarity(
            *pair, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for pair in pairs
    ]
    found = paper_scores("crl2024", prediction, target, 0.7)
    assert found == {
        "crl2024_psnr": pytest.approx(np.mean(psnr)),
        "crl2024_ssim": pytest.approx(100 * np.mean(ssim)),
    }


def test_narangs_psnr_is_of_batches_of_eight_grey_images():
    # In a window up to 2 the target is grey level 128 (127.5 rounded to even) throughout, and the
    # prediction off by 10 levels in slices 0 to 7, and by 40 in the ninth.
    target = np.ones((9, 4, 4))
    prediction = target * (138 / 255 * 2)
    prediction[8] = 168 / 255 * 2
    found = paper_scores("narang2022", prediction, target, 2.0)
    expected = np.mean([20 * np.log10(255 / 10), 20 * np.log10(255 / 40)])
    assert found["narang2022_psnr"] == pytest.approx(expected)
    assert found["narang2022_mae"] == pytest.approx((8 * 10 + 40) / 9)


def test_narangs_window_clips():
    target = np.full((1, 4, 4), 0.5)
    assert paper_scores("narang2022", 3 * target, target, 0.5)["narang2022_mae"] == 0
    assert paper_scores("narang2022", -target, target, 0.5)["narang2022_mae"] == 255


def test_alkans_error_counts_every_pixel():
    target = np.zeros((2, 2, 2))
    prediction = target.copy()
    prediction[0, 0, 0] = 4
    assert paper_scores("alkan2017", prediction, target, 1.0) == {"alkan2017_mse": 2.0}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("paper", FORMULAS)
def test_identical_images_are_scored_without_a_warning(paper):
    _, target = images()
    found = paper_scores(paper, target, target, 1.0)
    assert found
    assert all(name.startswith(f"{paper}_") for name in found)
    for name, value in found.items():
        best = {"psnr": np.inf, "ssim": 100 if paper == "crl2024" else 1}
        assert value == pytest.approx(best.get(name.rsplit("_", 1)[1], 0))


def test_an_unknown_paper_is_told():
    with pytest.raises(InputError, match=r"paper simko \(did you mean simko2021"):
        paper_scores("simko", *images(), 1.0)
