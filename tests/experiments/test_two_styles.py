import pandas as pd
import pytest

from audiostyle import save_audio
from audiostyle.datasets.triples import Triple
from experiments import two_styles
from experiments.two_styles import MIXED, ONE_STYLE
from tests.signals import melody


def test_both_ways_end_at_one_style_alone(tmp_path):
    tune, other = [220, 277, 330, 440] * 2, [330, 262, 392, 294] * 2
    timbres = {"content": [1, 0.3], "first": [0.3, 1, 0.6], "second": [1, 0.1, 0.1, 0.8]}
    paths = {name: tmp_path / f"{name}.wav" for name in ("content", "first", "second", "target")}
    for name, harmonics in timbres.items():
        save_audio(paths[name], melody(tune if name == "content" else other, harmonics=harmonics), 22050)
    save_audio(paths["target"], melody(tune, harmonics=timbres["first"]), 22050)
    triples = [Triple(name, paths["content"], paths[name], paths["target"]) for name in ("first", "second")]
    second = melody(tune, harmonics=timbres["second"])
    made = pd.DataFrame(two_styles.rows(*triples, second, "default"))
    wide = made.pivot(index="share", columns="way", values="lsd_mix")
    assert wide[ONE_STYLE][[0, 1]].tolist() == pytest.approx(wide[MIXED][[0, 1]].tolist(), abs=1e-3)
    assert made.query("share == 0")["lsd_first"].tolist() == made.query("share == 0")["lsd_mix"].tolist()
    half = made[made["way"] == MIXED].set_index("share")["lsd_half"]
    assert half[0.5] < half[[0, 1]].min()
    assert two_styles.gains(made, "lsd")["mean"].iloc[-1] == pytest.approx(half[[0, 1]].min() - half[0.5])
