"""Classifiers of utterances, and the baselines that features of the paper have to beat.

Nothing here is trained beforehand: whatever is fitted is fitted on the training half of the corpus at hand.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import librosa
import numpy as np
import scipy.linalg
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from audiostyle.datasets.corpora import SAMPLE_RATE
from audiostyle.spectrogram import stft

# Ridge, as a fraction of the mean eigenvalue of the centred kernel, among which leave-one-out chooses. The upper end
# matters only with one or two training utterances per speaker, where leaving one out says little.
RIDGES = tuple(10.0 ** np.arange(-6, -0.9, 0.5))
# Items whose features are held in double precision at once, and training items by which rarity is told.
_BLOCK, _KNOWN = 1024, 2048
N_MFCC = 20
N_COMPONENTS = 16


@dataclass(frozen=True)
class Part:
    """Some rows of a matrix of features, which may lie on the disk: memory holds a block of them at a time.

    Parameters
    ----------
    features : np.ndarray [shape=(n_items, n_features)]
        Features of all items.
    rows : np.ndarray [shape=(n_rows,)] of int, or None
        Which of them; None takes all.
    """

    features: np.ndarray
    rows: np.ndarray | None = None

    @property
    def indices(self) -> np.ndarray:
        """Return the rows as numbers [shape=(n_rows,)]."""
        return np.arange(len(self.features)) if self.rows is None else self.rows

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield places among the rows, and the features there in double precision."""
        indices = self.indices
        for first in range(0, len(indices), _BLOCK):
            place = slice(first, first + _BLOCK)
            yield place, self.features[indices[place]].astype(float)

    def at_most(self, n: int) -> np.ndarray:
        """Return up to `n` rows in double precision, as far apart as they lie."""
        indices = self.indices
        return self.features[indices[:: -(-len(indices) // n)]].astype(float)


def nearest_neighbour(distances: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the label of the nearest training item.

    Parameters
    ----------
    distances : np.ndarray [shape=(n_test, n_train)]
        Distances, smaller is nearer; the first of equal ones wins.
    labels : np.ndarray [shape=(n_train,)]
        Labels of the training items.

    Returns
    -------
    np.ndarray [shape=(n_test,)]

    Examples
    --------
    >>> nearest_neighbour(np.array([[2.0, 1.0]]), np.array(["a", "b"])).tolist()
    ['b']
    """
    return labels[np.argmin(distances, axis=1)]


def ridge_classify(K_train: np.ndarray, K_test: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Classify by kernel ridge regression onto the indicators of the labels.

    Parameters
    ----------
    K_train, K_test, labels
        As in `ridge_scores`.

    Returns
    -------
    np.ndarray [shape=(n_test,)]
        The label with the largest regression value.
    """
    return np.unique(labels)[np.argmax(ridge_scores(K_train, K_test, labels), axis=1)]


def ridge_scores(K_train: np.ndarray, K_test: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Regress the indicators of the labels by kernel ridge regression.

    The kernel is centred on the training items, so that the intercept is not penalised. The ridge is the one of
    `RIDGES` with the smallest squared leave-one-out error, which has a closed form.

    Parameters
    ----------
    K_train : np.ndarray [shape=(n_train, n_train)]
        Kernel between training items, positive semi-definite.
    K_test : np.ndarray [shape=(n_test, n_train)]
        Kernel between test and training items.
    labels : np.ndarray [shape=(n_train,)]
        Labels of the training items.

    Returns
    -------
    np.ndarray [shape=(n_test, n_classes)]
        Regression values, classes in the order of ``np.unique(labels)``.

    Notes
    -----
    Saunders, Gammerman & Vovk, "Ridge regression learning algorithm in dual variables", ICML 1998. For as many
    utterances of each speaker this is linear discriminant analysis with a shrunk covariance, up to a scale.
    """
    indicators = _indicators(labels)
    prior = indicators.mean(axis=0)
    centred, centred_test = _centre(K_train, K_test)
    values, vectors = np.linalg.eigh(centred)
    values = np.maximum(values, 0.0)
    projected = vectors.T @ (indicators - prior)
    penalty = choose_ridge(values, vectors, indicators) * max(values.mean(), np.finfo(float).tiny)
    return centred_test @ (vectors @ (projected / (values + penalty)[:, None])) + prior


def feature_scores(train: Part, test: Part, labels: np.ndarray) -> np.ndarray:
    """Regress the indicators of the labels on features: `ridge_scores` for the kernel of their inner products.

    With more training items than features the regression is solved for the weights of the features, whose cost
    grows linearly with the items; the ridge and its choice are the same.

    Parameters
    ----------
    train, test : Part
        Features of the items.
    labels : np.ndarray [shape=(n_train,)]
        Labels of the training items.

    Returns
    -------
    np.ndarray [shape=(n_test, n_classes)]
    """
    n, n_features = len(labels), train.features.shape[1]
    if n <= n_features:
        own = train.at_most(n)
        return ridge_scores(own @ own.T, np.concatenate([X @ own.T for _, X in test.blocks()]), labels)
    indicators = _indicators(labels)
    prior, mean = indicators.mean(axis=0), sum(X.sum(axis=0) for _, X in train.blocks()) / n
    # In the order of LAPACK, which then works in its place.
    covariance = np.zeros((n_features, n_features), order="F")
    towards = np.zeros((n_features, len(prior)))
    for place, X in train.blocks():
        X -= mean
        covariance += X.T @ X
        towards += X.T @ (indicators[place] - prior)
    values, vectors = scipy.linalg.eigh(covariance, overwrite_a=True)
    values, projected = np.maximum(values, 0.0), vectors.T @ towards
    # In units of the mean eigenvalue of the kernel, of which there are n.
    penalties = np.array(RIDGES) * max(values.sum() / n, np.finfo(float).tiny)
    errors = np.zeros(len(penalties))
    for place, X in train.blocks():
        X = (X - mean) @ vectors
        for i, penalty in enumerate(penalties):
            leverage = np.square(X) @ (1 / (values + penalty)) + 1 / n
            fitted = X @ (projected / (values + penalty)[:, None]) + prior
            errors[i] += np.square(_left_out(indicators[place] - fitted, leverage)).sum()
    weights = vectors @ (projected / (values + penalties[np.argmin(errors)])[:, None])
    return np.concatenate([(X - mean) @ weights for _, X in test.blocks()]) + prior


def feature_vote(parts: Iterable[tuple[Part, Part]], labels: np.ndarray) -> np.ndarray:
    """Classify by the `vote` of a ridge regression on each of several sets of features.

    Parameters
    ----------
    parts : iterable of (train, test)
        As in `feature_scores`, of norm 1.
    labels : np.ndarray [shape=(n_train,)]
        Labels of the training items.

    Returns
    -------
    np.ndarray [shape=(n_test,)]
    """
    return np.unique(labels)[vote(*feature_opinions(parts, labels))]


def feature_opinions(
    parts: Iterable[tuple[Part, Part]], labels: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the scores and rarities on which `feature_vote` decides; arguments are its."""
    parts = list(parts)
    scores = [feature_scores(train, test, labels) for train, test in parts]
    return scores, [_rarity(train, test) for train, test in parts]


def _rarity(train: Part, test: Part) -> np.ndarray:
    # Against some thousand training items: the rarity of all others is told as well by those.
    known = train.at_most(_KNOWN)
    kernel = known @ known.T
    return np.concatenate([rarity(kernel, X @ known.T) for _, X in test.blocks()])


def nearest_features(train: Part, test: Part, labels: np.ndarray) -> np.ndarray:
    """Return the label of the training item with the nearest features, in Euclidean distance."""
    known = train.at_most(len(labels))
    squares = np.square(known).sum(axis=1)
    distances = (squares - 2 * (X @ known.T) for _, X in test.blocks())
    return np.concatenate([nearest_neighbour(part, labels) for part in distances])


def _indicators(labels: np.ndarray) -> np.ndarray:
    classes, index = np.unique(labels, return_inverse=True)
    return np.eye(len(classes))[index]


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
        1 for what is no rarer than one training item in twenty.

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
    spread = max(usual - np.quantile(nearest, 0.05), 1e-3)
    return np.maximum((usual - K_test.max(axis=1)) / spread, 1.0)


def vote(scores: Sequence[np.ndarray], rarities: Sequence[np.ndarray]) -> np.ndarray:
    """Return the class with the largest sum of scores, each weighed by `weigh` [shape=(n_test,), int]."""
    return np.argmax(weigh(scores, rarities), axis=1)


def weigh(scores: Sequence[np.ndarray], rarities: Sequence[np.ndarray]) -> np.ndarray:
    """Add the scores of several classifiers, each later one for what is rare to those before.

    The first has the weight 1 / rarity², each other 1 / rarity² of what is left, and the last what remains.

    Parameters
    ----------
    scores : sequence of np.ndarray [shape=(n_test, n_classes)]
        Of each classifier.
    rarities : sequence of np.ndarray [shape=(n_test,)]
        `rarity` of the test items to each.

    Returns
    -------
    np.ndarray [shape=(n_test, n_classes)]

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


def choose_ridge(values: np.ndarray, vectors: np.ndarray, targets: np.ndarray) -> float:
    """Return the ridge of `RIDGES` with the smallest squared leave-one-out error.

    Parameters
    ----------
    values, vectors : np.ndarray [shape=(n,)], [shape=(n, n)]
        Eigenvalues, non-negative, and eigenvectors of the centred kernel.
    targets : np.ndarray [shape=(n, n_classes)]
        Values to be regressed on.

    Returns
    -------
    float
        In units of the mean eigenvalue.
    """
    return min(
        RIDGES, key=lambda ridge: float(np.square(_leave_one_out(values, vectors, targets, ridge)).sum())
    )


def _leave_one_out(values, vectors, targets, ridge: float) -> np.ndarray:
    """Compute the residual of each item when it is left out, residual / (1 − leverage)."""
    n = len(values)
    shrink = values / (values + ridge * max(values.mean(), np.finfo(float).tiny))
    leverage = np.square(vectors) @ shrink + 1 / n
    mean = targets.mean(axis=0)
    fitted = (vectors * shrink) @ (vectors.T @ (targets - mean)) + mean
    return _left_out(targets - fitted, leverage)


def _left_out(residual: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    return residual / np.maximum(1 - leverage, 1e-9)[:, None]


def _centre(K_train: np.ndarray, K_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = K_train.mean(axis=0)
    overall = mean.mean()
    return (
        K_train - mean - mean[:, None] + overall,
        K_test - K_test.mean(axis=1, keepdims=True) - mean + overall,
    )


def average_spectrum(y: np.ndarray) -> np.ndarray:
    """Return the long-term average spectrum in dB less its mean [shape=(513,)], 64 ms windows."""
    power = stft(y, n_fft=1024, hop_length=512, cover=False).abs().square().mean(dim=1).numpy()
    level = 10 * np.log10(power + 1e-8)
    return level - level.mean()


def mfcc(y: np.ndarray) -> np.ndarray:
    """Return 20 mel-frequency cepstral coefficients every 10 ms [shape=(n_frames, 20)], 25 ms windows."""
    coefficients = librosa.feature.mfcc(
        y=y, sr=SAMPLE_RATE, n_mfcc=N_MFCC, n_mels=40, n_fft=512, win_length=400, hop_length=160
    )
    return coefficients.T


def mfcc_statistics(frames: np.ndarray) -> np.ndarray:
    """Return mean and standard deviation of each coefficient [shape=(2 · n_mfcc,)]."""
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def standardise(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bring every column to zero mean and unit deviation on the training items."""
    mean, deviation = train.mean(axis=0), np.maximum(train.std(axis=0), 1e-9)
    return (train - mean) / deviation, (test - mean) / deviation


def euclidean(test: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return Euclidean distances [shape=(n_test, n_train)]."""
    return np.linalg.norm(test[:, None] - train[None], axis=-1)


def mixture_classify(train: list[np.ndarray], labels: np.ndarray, test: list[np.ndarray]) -> np.ndarray:
    """Classify by one Gaussian mixture of MFCC frames for each speaker (Reynolds & Rose 1995).

    Parameters
    ----------
    train, test : list of np.ndarray [shape=(n_frames, n_mfcc)]
        Frames of each utterance.
    labels : np.ndarray [shape=(n_train,)]
        Speakers of the training utterances.

    Returns
    -------
    np.ndarray [shape=(n_test,)]
        The speaker whose mixture of up to 16 components, with diagonal covariance, gives the largest likelihood.
    """
    classes = np.unique(labels)
    scores = []
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
