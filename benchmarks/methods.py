"""The three ways to evaluate the objective, on spectra of realistic size and statistics."""

import torch

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import Evaluation, TransferLoss, paper_content_loss, paper_style_loss
from audiostyle.spectrogram import n_frames_for

N_FILTERS = 4096
N_BINS = 1025
SR = 22050
FORMS = ("explicit Gram", "frame kernel", "infinite width")


def spectrum(seconds: float, hop_length: int = 1024, seed: int = 0) -> torch.Tensor:
    """Return a log magnitude spectrogram of decaying bands that come and go [shape=(1025, n_frames)]."""
    n_frames = n_frames_for(int(seconds * SR), hop_length)
    generator = torch.Generator().manual_seed(seed)
    tilt = torch.exp(-torch.arange(N_BINS) / 200.0)[:, None]
    slow = torch.rand(N_BINS, n_frames // 8 + 2, generator=generator)
    slow = torch.nn.functional.interpolate(slow[None], size=n_frames, mode="linear")[0]
    return torch.log1p(30 * tilt * slow**4 + 0.01 * torch.rand(N_BINS, n_frames, generator=generator))


class ExplicitLoss:
    """Eq. 1 and eq. 6 with explicit N × N Gram matrices and autograd, as the paper and its relatives do it.

    Features of the content and Gram matrix of the style are computed once, the features of X once an evaluation.
    """

    def __init__(
        self, encoder: RandomEncoder, content: torch.Tensor, style: torch.Tensor, balance: float = 0.5
    ):
        self.encoder = encoder
        self.content, self.style = encoder.encode(content), encoder.encode(style)
        n = encoder.n_filters * encoder.n_patches(content.shape[1])
        self.content_weight = (1 - balance) ** 2 / (encoder.patch_energy(content) * n)
        self.style_weight = balance**2 / float(paper_style_loss(encoder, content, self.style))

    def __call__(self, X: torch.Tensor) -> Evaluation:
        """Evaluate loss and gradient."""
        X = X.detach().requires_grad_(True)
        x = self.encoder.encode(X)
        content = paper_content_loss(self.encoder, x, self.content)
        style = paper_style_loss(self.encoder, x, self.style)
        total = self.content_weight * content + self.style_weight * style
        (gradient,) = torch.autograd.grad(total, X)
        return Evaluation(content.item(), style.item(), total.item(), gradient)


def make_loss(method: str, content: torch.Tensor, style: torch.Tensor, balance: float = 0.5):
    """Return the objective of a method as a function of X."""
    if method == "infinite width":
        return TransferLoss(InfiniteEncoder(), content, style, balance=balance)
    encoder = RandomEncoder(N_FILTERS)
    if method == "frame kernel":
        return TransferLoss(encoder, content, style, balance=balance)
    return ExplicitLoss(encoder, content, style, balance=balance)
