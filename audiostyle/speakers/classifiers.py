"""Classifiers of utterances, and the baselines that features of the paper have to beat.

Nothing here is trained beforehand: whatever is fitted is fitted on the training half of the corpus at hand. Features
are rows whose inner products are the kernel: sketches of Gram matrices, or `kernel_features` of the exact kernel.
"""

import warnings
from collections.abc import Iterator, Sequence

import librosa
import numpy as np
import scipy.linalg
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeCV
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from audiostyle.datasets.corpora import SAMPLE_RATE
from audiostyle.spectrogram import stft

# Ridge, as a fraction of the mean eigenvalue of the centred kernel, among which leave-one-out chooses. The upper end
# matters only with one or two training utterances per speaker, where leaving one out says little.
RIDGES = 10.0 ** np.arange(-6, -0.9, 0.5)
# Items that are held in double precision at once, and training items by which the ridge and rarity are told.
_BLOCK, _KNOWN = 1024, 2048
N_COMPONENTS = 16


def kernel_features(K: np.ndarray) -> np.ndarray:
    """Return features whose inner products are a positive semi-definite kernel [shape=(n, n)]."""
    values, vectors = np.linalg.eigh(K)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def classify(
    views: Sequence[np.ndarray], speakers: np.ndarray, train: np.ndarray, test: np.ndarray, classifier: str
) -> np.ndarray:
    """Name the speaker of each test item [shape=(n_test,)].

    Parameters
    ----------
    views : sequence of np.ndarray [shape=(n_items, n_features_i)]
        Features of all items, of norm 1 for ``"ridge"``.
    speakers : np.ndarray [shape=(n_items,)]
        Of which only those of `train` are looked at.
    train, test : np.ndarray of int
        Items of each side.
    classifier : {"nearest", "ridge"}
        The nearest neighbour in the first view, or ridge regression in each, weighed by `weigh`.
    """
    labels = speakers[train]
    if classifier == "nearest":
        return labels[_nearest(views[0][train].astype(float), views[0][test].astype(float))]
    total, _ = scores_and_rarity([(view[train], view[test]) for view in views], labels)
    return np.unique(labels)[np.argmax(total, axis=1)]


def _nearest(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known)
    return neighbours.kneighbors(new, return_distance=False)[:, 0]


def scores_and_rarity(
    sides: Sequence[tuple[np.ndarray, np.ndarray]], labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score new items by ridge regression in each view.

    Parameters
    ----------
    sides : sequence of (known, new)
        Features of norm 1 in each view, a row for each item; `labels` are those of the known ones.

    Returns
    -------
    scores, rarity : np.ndarray [shape=(n_new, n_classes)], [shape=(n_new,)]
        Scores as `weigh` adds them, and the rarity to the view that knows the item best.
    """
    scores = [ridge_scores(known, labels, new) for known, new in sides]
    rarities = [_rarity_of_features(known, new) for known, new in sides]
    return weigh(scores, rarities), np.min(rarities, axis=0)


def ridge_scores(known: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Regress the indicators of the labels on features, with the ridge that leaves one out best.

    For as many utterances of each speaker this is linear discriminant analysis with a shrunk covariance, up to a
    scale.

    Returns
    -------
    np.ndarray [shape=(n_new, n_classes)]
        Regression values, classes in the order of ``np.unique(labels)``.
    """
    indicators = (labels[:, None] == np.unique(labels)).astype(float)
    few = spread(len(known))
    Z = known[few].astype(float)
    # The mean eigenvalue of the centred kernel is the total variance of the features, whatever the number of items.
    model = RidgeCV(RIDGES * max(Z.var(axis=0).sum(), np.finfo(float).tiny)).fit(Z, indicators[few])
    if len(few) == len(known):
        return np.concatenate([model.predict(X) for X in _blocks(new)])
    mean, prior = known.mean(axis=0, dtype=float), indicators.mean(axis=0)
    covariance, towards = np.diag(np.full(known.shape[1], model.alpha_)), 0.0
    for X, Y in zip(_blocks(known), _blocks(indicators), strict=True):
        covariance += (X - mean).T @ (X - mean)
        towards += (X - mean).T @ (Y - prior)
    weights = scipy.linalg.solve(covariance, towards, assume_a="pos", overwrite_a=True)
    return np.concatenate([(X - mean) @ weights for X in _blocks(new)]) + prior


def spread(n: int, most: int = _KNOWN) -> np.ndarray:
    """Return at most so many of `n` items, as far apart as they lie."""
    return np.arange(n)[:: -(-n // most)]


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[first : first + _BLOCK].astype(float) for first in range(0, len(rows), _BLOCK))


def _rarity_of_features(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    known = known[spread(len(known))].astype(float)
    return rarity(known @ known.T, np.concatenate([X @ known.T for X in _blocks(new)]))


def rarity(K_train: np.ndarray, K_test: np.ndarray) -> np.ndarray:
    """Compute how much farther from all training items a test item is than these are from each other.

    Through another channel an utterance is unlike all that was heard in training. Its distance in similarity from the
    usual, the median over training items of that to the nearest other, is measured in the lower spread of the same,
    median less 5 % quantile.

    Parameters
    ----------
    K_train, K_test : np.ndarray [shape=(n_train, n_train)], [shape=(n_test, n_train)]
        Similarities, 1 for equal items.

    Returns
    -------
    np.ndarray [shape=(n_test,), >= 1]

    Examples
    --------
    >>> heard = np.array([[1.0, 0.9, 0.8], [0.9, 1.0, 0.8], [0.8, 0.8, 1.0]])
    >>> rarity(heard, np.array([[0.9, 0.7, 0.8], [0.5, 0.6, 0.6]])).round(2).tolist()
    [1.0, 3.33]
    """
    others = np.array(K_train, dtype=float)
    np.fill_diagonal(others, -np.inf)
    nearest = others.max(axis=1)
    usual = np.median(nearest)
    lower_spread = max(usual - np.quantile(nearest, 0.05), 1e-3)
    return np.maximum((usual - K_test.max(axis=1)) / lower_spread, 1.0)


def weigh(scores: Sequence[np.ndarray], rarities: Sequence[np.ndarray]) -> np.ndarray:
    """Add the scores of several classifiers, each later one for what is rare to those before.

    The first has the weight 1 / rarity², each other 1 / rarity² of what is left, and the last what remains.

    Examples
    --------
    >>> weigh([np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])], [np.array([2.0]), np.array([1.0])]).tolist()
    [[0.25, 0.75]]
    """
    left, total = np.ones(len(scores[0])), np.zeros_like(scores[0])
    for score, rare in zip(scores[:-1], rarities, strict=False):
        weight = left / rare**2
        total, left = total + weight[:, None] * score, left - weight
    return total + left[:, None] * scores[-1]


def classify_baseline(
    method: str, ys: Sequence[np.ndarray], speakers: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Name the speaker of each test item by a baseline: of all waveforms `ys`, the items `train` are known.

    ``"chance"``: one speaker throughout, which is 1 / n_speakers when all have as many test items. ``"spectrum"``: the
    nearest long-term average spectrum. ``"mfcc"``: the nearest mean and deviation of MFCC. ``"gmm"``: one Gaussian
    mixture of MFCC frames for each speaker.
    """
    if method == "chance":
        return np.full(len(test), speakers[0])
    if method == "gmm":
        return _classify_by_mixtures(
            [_mfcc(ys[i]) for i in train], speakers[train], [_mfcc(ys[i]) for i in test]
        )
    numbers = np.stack([_average_spectrum(y) if method == "spectrum" else _mfcc_statistics(y) for y in ys])
    if method == "mfcc":
        numbers = StandardScaler().fit(numbers[train]).transform(numbers)
    return speakers[train][_nearest(numbers[train], numbers[test])]


def _average_spectrum(y: np.ndarray) -> np.ndarray:
    # In dB less its mean [shape=(513,)], 64 ms windows.
    power = stft(y, n_fft=1024, hop_length=512, cover=False).abs().square().mean(dim=1).numpy()
    level = 10 * np.log10(power + 1e-8)
    return level - level.mean()


def _mfcc(y: np.ndarray) -> np.ndarray:
    # Every 10 ms [shape=(n_frames, 20)], 25 ms windows.
    return librosa.feature.mfcc(
        y=y, sr=SAMPLE_RATE, n_mfcc=20, n_mels=40, n_fft=512, win_length=400, hop_length=160
    ).T


def _mfcc_statistics(y: np.ndarray) -> np.ndarray:
    frames = _mfcc(y)
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def _classify_by_mixtures(train: list[np.ndarray], labels: np.ndarray, test: list[np.ndarray]) -> np.ndarray:
    """Name the speaker whose mixture of up to 16 components gives the largest likelihood (Reynolds & Rose 1995)."""
    classes, scores = np.unique(labels), []
    for label in classes:
        frames = np.concatenate([x for x, own in zip(train, labels, strict=True) if own == label])
        frames = frames.astype(np.float64)  # float32 leaves some variances of one utterance negative
        n_components = int(np.clip(len(frames) // 50, 1, N_COMPONENTS))
        mixture = GaussianMixture(n_components, covariance_type="diag", reg_covar=1e-3, random_state=0)
        with warnings.catch_warnings():
            # 100 iterations are the definition of this baseline, converged or not.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(frames)
        scores.append([mixture.score(x) for x in test])
    return classes[np.argmax(scores, axis=0)]
