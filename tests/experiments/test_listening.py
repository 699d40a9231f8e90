import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from audiostyle.datasets.listening import ListeningTest
from audiostyle.encoders.random import RandomEncoder
from audiostyle.measures import style_distance
from experiments import listening
from experiments.results import committed
from tests.signals import SR, melody


@pytest.fixture
def ratings(rng):
    """Ratings of seven sounds with ties, as a matrix [shape=(7, 7)]."""
    upper = np.triu(rng.integers(0, 8, (7, 7)) / 8.0, 1)
    return upper + upper.T


@pytest.fixture
def test(ratings):
    """A test of four sounds of two timbres."""
    timbres = ([1, 0.1], [1, 0.3], [0.2, 1, 0.5, 0.8], [0.1, 1, 0.5, 1])
    sounds = [melody([220, 330], harmonics=harmonics) for harmonics in timbres]
    return ListeningTest("made up", sounds, SR, np.minimum(ratings[:4, :4], 1))


def test_scores_are_scipys_and_those_of_the_definition(ratings, rng):
    d = rng.random((7, 7))
    found = listening.anchor_scores(d, ratings)
    d, r = listening.scaled(d), listening.scaled(ratings)
    for i in range(7):
        mine, theirs = np.delete(d[i], i), np.delete(r[i], i)
        assert found["kendall"][i] == pytest.approx(kendalltau(mine, theirs).statistic)
        assert found["spearman"][i] == pytest.approx(spearmanr(mine, theirs).statistic)
        pairs = [(j, k) for j in range(6) for k in range(j) if abs(theirs[j] - theirs[k]) > 0.1]
        alike = [(mine[j] - mine[k]) * (theirs[j] - theirs[k]) > 0 for j, k in pairs]
        assert found["triplets"][i] == pytest.approx(np.mean(alike))
        assert found["mae"][i] == pytest.approx(np.mean(np.abs(mine - theirs)))
    best, worst = (listening.anchor_scores(x, ratings)["ndcg"] for x in (ratings, 1 - ratings))
    assert best == pytest.approx(1)
    assert (worst < 1).all()


def test_a_sound_drawn_twice_counts_twice(ratings, rng):
    d = rng.random((7, 7))
    d = d + d.T
    twice = np.array([[1, 2, 1, 0, 1, 1, 1]])
    found = listening.weighted_ranks(d, ratings, twice)["kendall"][0, 0]
    i, others = 0, [1, 1, 2, 4, 5, 6]
    # A pair of one sound with itself is tied in both, which tau-b leaves out.
    assert found == pytest.approx(kendalltau(listening.scaled(d)[i, others], ratings[i, others]).statistic)


def test_style_distance_is_its_row_of_the_table(test):
    found = listening.gram_distances(test, **listening.STYLE)
    for i, j in ((0, 1), (0, 2), (1, 3)):
        assert found[i, j] == pytest.approx(style_distance(test.sounds[i], test.sounds[j], SR), abs=1e-5)
    assert found[0, 1] < found[0, 2]


def test_one_of_three_differs_and_the_answer_names_it(test):
    ratings = np.ones((4, 4)) - np.eye(4)
    ratings[0, 1] = ratings[1, 0] = 0.1
    drawn, three, odd = listening.draw_three([test._replace(dissimilarity=ratings)], seed=1)
    assert set(three) - {three[odd]} == {0, 1}
    panel = listening.ask_which_differs(drawn, three, odd)
    players, buttons, said = panel.children
    assert players.value.count("<audio") == 3
    buttons.children[odd].click()
    assert "as the listeners did" in said.value
    assert f"style_distance chooses {'ABC'[odd]}" in said.value
    buttons.children[(odd + 1) % 3].click()
    assert f"the listeners chose {'ABC'[odd]}" in said.value


def test_many_filters_come_near_the_limit_and_euclidean_is_eq_6(test):
    limit = listening.gram_distances(test)
    # The cosine of 1,000 filters is off by some 1 / √1000.
    assert np.allclose(listening.gram_distances(test, encoder=RandomEncoder(1000)), limit, atol=0.1)
    squares = listening.gram_distances(test, cosine=False) ** 2
    assert (squares[~np.eye(4, dtype=bool)] > 0).all()
    assert np.allclose(np.diag(squares), 0, atol=1e-3 * squares.max())


def test_committed_rows_reproduce_those_in_print():
    found = committed("listening").set_index("distance")
    for name in ("MFCC by frame", "mean MFCC"):
        ours, theirs = (found.loc[row, list(listening.SCORES[:4])] for row in (name, f"{name}, in print"))
        assert np.allclose(ours, theirs, atol=0.0035)
    best = found.iloc[0]
    assert best.kendall >= 0.36
    assert best.triplets >= 0.73
    assert best.kendall > max(scores[0] for scores in listening.PRINTED.values())
    assert best.kendall_even > best.kendall_odd - 0.02
