import numpy as np
import pandas as pd
import pytest
import torch

from experiments import width


@pytest.fixture
def given():
    generator = torch.Generator().manual_seed(0)
    content, style = (torch.rand(12, 24, generator=generator) ** 2 for _ in range(2))
    style[6:] *= 3
    return content, style


def test_errors_vanish_for_no_other_reason_than_width(given):
    table = width.convergence(*given, (32, 128, 512, 2048), n_banks=8)
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


def test_the_worst_of_three_slopes_is_corrected(given):
    table = pd.DataFrame({"n_filters": np.repeat([64, 256, 1024], 4)})
    error = width.slope_error(table)
    for name, off in zip(width.ERRORS, (0, 2, -2), strict=True):
        table[name] = table["n_filters"] ** (-0.5 + off * error)
    found = width.slopes(table)
    assert found["slope"].tolist() == pytest.approx([-0.5, -0.5 + 2 * error, -0.5 - 2 * error])
    assert found["p"].tolist() == pytest.approx([1, 0.0455, 0.0455], rel=1e-3)
    assert found["p of three"].tolist() == pytest.approx([1, 0.1365, 0.1365], rel=1e-3)


def test_few_filters_are_fitted_and_the_limit_is_not(given):
    content, style = given
    work = {"n_banks": 2, "balance": 0.9, "n_iter": 30, "n_scoring": 512}
    table = pd.DataFrame(width.overfitting(content, style, [4], **work))
    assert table[["n_filters", "bank"]].to_numpy().tolist() == [[4, 0], [4, 1], [0, 0]]
    few, infinite = table[table["n_filters"] == 4], table.iloc[-1]
    assert (few["own"] < 0.5 * few["fresh"]).all()
    assert few["own"].nunique() == few["objective"].nunique() == 2, "banks differ"
    assert infinite["fresh"] < few["fresh"].min()
    assert infinite["objective"] < few["objective"].min()
    figure = width.show_overfitting(table.assign(pair="a"))
    assert [line.get_label() for line in figure.axes[0].lines][-1] == "optimised at infinite width"
    shown = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert shown["fresh banks"] == few["fresh"].tolist()


def test_objective_is_in_units_of_the_limit(given):
    """Nothing is changed at balance 0: the content is left, and its objective is 0; its style loss is all there."""
    (row,) = width.overfitting(*given, [], n_banks=1, balance=0.0, n_iter=2, n_scoring=64)
    assert row["objective"] == pytest.approx(0, abs=1e-6)
    assert row["fresh"] == pytest.approx(1, abs=1e-3)
