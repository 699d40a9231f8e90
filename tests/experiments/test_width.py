"""Random layers against their limit: the measures of notebook 07 on small arrays."""

import numpy as np
import pandas as pd
import pytest
import torch

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import style_loss
from experiments import width


@pytest.fixture
def given():
    """Two clips of 24 frames and 12 bins, of one length so that content losses can be taken between them."""
    generator = torch.Generator().manual_seed(0)
    content, style = (torch.rand(12, 24, generator=generator) ** 2 for _ in range(2))
    style[6:] *= 3
    return width.Problem(content, style, content_unit=2.0, style_unit=4.0)


def test_errors_vanish_for_no_other_reason_than_width(given):
    table = width.convergence(given, given.content, (32, 128, 512, 2048), n_banks=8)
    assert table["seed"].nunique() == 4 * 8, "no bank is used twice"
    margin = 3 * width.slope_error(table)
    assert margin < 0.5, "otherwise a slope of zero would pass"
    for column in ("kernel", "loss", "gradient"):
        assert abs(width.slope(table, column) + 0.5) < margin, column


def test_slope_error_covers_normal_errors():
    """Slopes fitted to simulated normal errors spread as the formula says, which is exact for them."""
    rng = np.random.default_rng(0)
    sizes = np.repeat([64, 128, 256, 512, 1024], 4)
    tables = [
        pd.DataFrame({"n_filters": sizes, "loss": np.abs(rng.normal(size=20)) / np.sqrt(sizes)})
        for _ in range(400)
    ]
    spread = np.std([width.slope(table, "loss") for table in tables])
    # The standard deviation of 400 nearly normal values is known to 1/√800 = 3.5 %; four of these.
    assert spread == pytest.approx(width.slope_error(tables[0]), rel=0.14)


def test_few_filters_are_fitted_and_the_limit_is_not(given):
    table = width.overfitting(given, [4], [0.9], n_fresh=2, n_iter=30, n_scoring=512)
    few, infinite = (table[table["n_filters"] == n].iloc[0] for n in (4, 0))
    assert few["own"] < 0.5 * few["fresh"]
    assert infinite["fresh"] < few["fresh"]
    at_start = style_loss(InfiniteEncoder(), given.content, given.style)
    assert infinite["limit"] * given.style_unit == pytest.approx(infinite["own"] * float(at_start), rel=1e-5)
    figure = width.show_overfitting(table)
    assert [line.get_label() for line in figure.axes[0].lines][-1] == "optimised at infinite width"


def test_score_on_bank_is_in_units_of_the_limit(given):
    bank = RandomEncoder(64, seed=width.FIRST_BANK)
    scores = width.score_on_bank(given, bank, {("copy", 1): given.content}, keys=("method", "balance"))
    assert scores.loc[0, ["method", "balance", "content"]].tolist() == ["copy", 1, 0.0]
    assert scores.loc[0, "style"] == pytest.approx(float(style_loss(bank, given.content, given.style)) / 4.0)


def test_kernels_have_the_clip_of_the_columns_along_the_horizontal_axis(rng):
    spectra = {"long": torch.as_tensor(rng.random((6, 30))), "short": torch.as_tensor(rng.random((6, 12)))}
    figure = width.show_kernels(InfiniteEncoder(3), spectra)
    middle = figure.axes[1]
    assert middle.images[0].get_array().shape == (28, 10)
    assert (middle.get_xlabel(), middle.get_ylabel()) == ("short (s)", "long (s)")
    assert len({ax.images[0].get_clim() for ax in figure.axes[:3]}) == 1
