import numpy as np
import pandas as pd
import pytest
import soundfile

from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import PairAudio
from audiostyle.datasets.triples import ROLES
from audiostyle.measures.truth import truth_numbers
from experiments import truth
from experiments.truth import COPY_CONTENT, COPY_STYLE, EQUALISER
from tests.signals import SR, melody


@pytest.fixture
def sounds():
    tune, other = [220, 277, 330, 440], [330, 262, 392, 294]
    dark, bright = [1, 0.3], [0.3, 1, 0.6, 0.9, 0.4]
    parts = (tune, dark), (other, bright), (tune, bright)
    return tuple(melody(notes, harmonics=harmonics) for notes, harmonics in parts)


def test_oracle_gives_every_frame_the_targets_bands(sounds, rng):
    content, _, target = sounds
    filtered = (truth.oracle_filter(content, target, SR, n) for n in (10, 40, 80))
    distances = [truth_numbers(y, target, SR)["lsd"] for y in filtered]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.7 * truth_numbers(content, target, SR)["lsd"]
    content = rng.normal(size=2 * SR).astype(np.float32)
    hz = np.fft.rfftfreq(len(content), 1 / SR)
    target = np.fft.irfft(np.fft.rfft(content) * np.exp(-hz / 3000)).astype(np.float32)
    y = truth.oracle_filter(content, target, SR, 80)
    assert np.corrcoef(y[2048:-2048], target[2048:-2048])[0, 1] > 0.99, "up to the level, the filter is found"


def test_quick_methods_are_as_long_as_the_content_and_nearer_than_the_style(sounds):
    content, style, target = sounds
    style = style[: len(style) // 2]
    worst = truth_numbers(truth.METHODS[COPY_STYLE](content, style, SR), target, SR)["chroma"]
    for name in (COPY_CONTENT, EQUALISER, truth.CROSS, truth.MUSAICING, truth.TRANSPOSED):
        y = truth.METHODS[name](content, style, SR)
        assert y.shape == content.shape
        assert truth_numbers(y, target, SR)["chroma"] > worst


def test_a_transfer_comes_back_at_the_rate_of_the_clips(sounds):
    content, style = (y[:16001] for y in sounds[:2])
    y = truth.transferred(content, style, 16000, TransferConfig.paper(balance=0, n_filters=8, n_iter=1))
    assert y.shape == content.shape
    near, far = (truth_numbers(x, content, 16000)["lsd"] for x in (y, style))
    assert near < 0.5 * far, "the same sound, not one read at another rate"


def test_sounds_are_made_once_for_each_setting(sounds, monkeypatch):
    content, style, target = sounds
    calls = []

    def make(content, style, sr, gain):
        calls.append((len(content), sr, gain))
        return gain * content

    monkeypatch.setitem(truth.METHODS, "counted", truth.Method(make, {"gain": 2.0}))
    first, again = (truth.make_sound("counted", content, style, SR) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, 2 * content)
    assert calls == [(len(content), SR, 2.0)]
    truth.make_sound("counted", target, style, SR)
    truth.make_sound("counted", content, style, 16000)
    other = truth.METHODS["counted"]._replace(settings={"gain": 3.0})
    truth.make_sound("counted", content, style, SR, other)
    assert len(calls) == 4
    truth.make_sound(COPY_CONTENT, content, style, SR)
    assert len(list((paths.cache_dir() / "truth").iterdir())) == 4


def _table(distances, which="choose"):
    """Rows from {method: (lsd of each pair)}; the MCD is 100 less the LSD."""
    rows = ((f"p{i}", method, lsd) for method, row in distances.items() for i, lsd in enumerate(row))
    same = {"set": which, "chroma": 0.5, "onset_f": 0.25}
    return pd.DataFrame(same | {"pair": p, "method": m, "lsd": lsd, "mcd": 100 - lsd} for p, m, lsd in rows)


def test_means_count_the_pairs_of_a_set_that_are_nearer():
    choose = {truth.FIRST: (8, 9, 13), COPY_CONTENT: (12, 12, 12), EQUALISER: (9, 9, 9), "old": (0,)}
    confirm = {truth.FIRST: (8, 9), COPY_CONTENT: (5, 5), EQUALISER: (10,)}
    table = pd.concat([_table(choose), _table(confirm, "confirm")])
    means = truth.mean_table(table).set_index(["set", "method"])
    assert list(means.loc["choose"].index) == [COPY_CONTENT, EQUALISER, truth.FIRST]
    row = means.loc["choose", truth.FIRST]
    assert (row["pairs"], row["lsd"], row["mcd"]) == (3, 10, 90)
    assert (row["nearer_than_content_lsd"], row["nearer_than_content_mcd"]) == (2, 1)
    assert (row["nearer_than_equaliser_lsd"], row["nearer_than_equaliser_mcd"]) == (1, 1)
    assert means.loc[("confirm", truth.FIRST), "nearer_than_content_lsd"] == 0
    assert np.isnan(means.loc[("confirm", truth.FIRST), "nearer_than_equaliser_lsd"])


def test_only_means_of_a_folder_are_written_beside_those_kept(tmp_path, sounds, capsys):
    for name in ("first", "second"):
        for role, y in zip(ROLES, sounds, strict=True):
            soundfile.write(tmp_path / f"{name}_{role}.wav", y, SR)
    truth.main(["--folder", str(tmp_path), "--methods", f"{COPY_CONTENT},{EQUALISER}"])
    file = paths.results_root() / "paper" / "truth_mean.csv"
    first, expected = pd.read_csv(file), truth_numbers(sounds[0], sounds[2], SR)
    assert first["method"].tolist() == [COPY_CONTENT, EQUALISER]
    # Both triples have the same sounds.
    assert {key: first.iloc[0][key] for key in expected} == pytest.approx(expected, rel=1e-2)
    truth.main(["--folder", str(tmp_path), "--methods", f"{COPY_CONTENT},oracle 20 bands"])
    means = pd.read_csv(file)
    assert set(means["method"]) == {COPY_CONTENT, EQUALISER, "oracle 20 bands"}
    assert means.set_index("method").loc["oracle 20 bands", "nearer_than_content_lsd"] == 2
    assert not (paths.results_root() / "paper" / "truth.csv").exists()
    assert "oracle 20 bands" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "magic"], "no method is called magic; there are copy the content,"),
        (["--folder", "nowhere"], "nowhere"),
        (["--split", "choose", "--folder", "."], "not allowed with argument"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_line(capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        truth.main(words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_truth_is_shown_beside_content_style_and_result_at_one_level(rng):
    content, style, target = rng.normal(size=(3, SR)).astype(np.float32)
    figure = truth.show_truth(PairAudio(content, 0.01 * style, target, SR), 5 * content, method="m")
    panels = figure.axes[:4]
    assert [ax.get_title() for ax in panels] == ["content", "style", "result: m", "truth"]
    levels = [ax.collections[0].get_array() for ax in panels]
    np.testing.assert_allclose(levels[0], levels[2], atol=1e-3)
    assert all(np.mean(x) == pytest.approx(np.mean(levels[0]), abs=0.5) for x in levels)


def test_every_pair_has_a_dot_for_each_method_in_the_panel_of_its_set():
    lsd = {("choose", "a_b"): (10.0, 7.0), ("choose", "c_d"): (8.0, 9.0), ("confirm", "e_f"): (5.0, 4.0)}
    rows = [(*where, COPY_CONTENT, x) for where, (x, _) in lsd.items()]
    rows += [(*where, EQUALISER, x) for where, (_, x) in lsd.items()]
    table = pd.DataFrame(rows, columns=["set", "pair", "method", "lsd"])
    choose, confirm = truth.show_pairs(table).axes
    dots = {ln.get_label(): dict(zip(ln.get_ydata(), ln.get_xdata(), strict=True)) for ln in choose.lines}
    assert dots == {COPY_CONTENT: {"c → d": 8, "a → b": 10}, EQUALISER: {"c → d": 9, "a → b": 7}}
    assert [line.get_xdata().tolist() for line in confirm.lines] == [[4], [5]]
