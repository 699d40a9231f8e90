"""Plant thirty faults, one at a time, and see that tests notice: ``make mutants`` (minutes).

Each row is a file of the package, a snippet that stands in it once, what takes its place, and the tests that must fail.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAULTS = [
    ("spectrogram.py", 'pad_mode="constant"', 'pad_mode="reflect"', "test_spectrogram.py"),
    ("spectrogram.py", "torch.log1p(", "torch.log1p(1.01 * ", "test_spectrogram.py"),
    ("losses.py", "- 2 * mean_square(encoder, x, a)", "- 1.9 * mean_square(encoder, x, a)", "test_losses.py"),
    ("losses.py", "/ (x.n_patches * y.n_patches)", "/ (x.n_patches * x.n_patches)", "test_losses.py"),
    ("losses.py", "(1 - balance) ** 2 /", "(1 - balance) /", "test_losses.py"),
    ("losses.py", "4 * encoder.n_filters**2", "2 * encoder.n_filters**2", "test_losses.py"),
    ("encoders/infinite.py", "t2 / 28", "t2 / 30", "encoders/test_encoders.py"),
    ("encoders/infinite.py", "sin(theta) * ny / nx", "sin(theta) * nx / ny", "encoders/test_contract.py"),
    ("encoders/infinite.py", "doubled[: len(norms)] *= 2", "pass", "encoders/test_contract.py"),
    ("encoders/infinite.py", "torch.sin(theta) - theta *", "torch.sin(theta) + theta *", "encoders/test_encoders.py"),
    ("optimize.py", "_ARMIJO * slope", "_ARMIJO * 0 * slope + 1e-3", "test_optimize.py"),
    ("optimize.py", "x0.detach().clamp_min(lower)", "x0.detach()", "test_optimize.py"),
    ("phase/griffin_lim.py", "rebuilt - (momentum", "rebuilt + (momentum", "phase/test_phase.py"),
    ("matching/gain.py", ".minimum(most)", "", "matching/test_match.py"),
    ("matching/gain.py", "(SR / HOP) - self.first", "(SR / HOP)", "matching/test_match.py"),
    ("matching/own.py", "_MOST_GAIN / gain.abs()", "100 * _MOST_GAIN / gain.abs()", "matching/test_own.py"),
    ("matching/own.py", "np.minimum(levels, kept)", "levels", "matching/test_own.py"),
    ("sound/levels.py", "_ABSOLUTE_GATE + _OFFSET", "_ABSOLUTE_GATE + 30", "sound/test_levels.py"),
    ("sound/levels.py", "np.minimum(gain, needed)", "gain * 1.1", "sound/test_levels.py"),
    ("sound/levels.py", "peak = float(np.max(np.abs(y)))", "peak = float(np.max(y))", "sound/test_levels.py"),
    ("sound/channels.py", "_CANCELLED_AT**2 * squares.mean()", "0", "sound/test_levels.py"),
    ("sound/channels.py", "int(np.argmax(squares))", "int(np.argmin(squares))", "sound/test_levels.py"),
    ("sound/samples.py", "4 * n_channels * start", "4 * start", "sound/test_levels.py"),
    ("sound/samples.py", "stop + beside))\n            z", "stop))\n            z", "sound/test_levels.py"),
    ("sound/read.py", "round(start * form.sr)", "round(start * 22050)", "sound/test_read.py"),
    ("sound/read.py", "if not np.isfinite(peak):", "if False:", "sound/test_read.py"),
    ("system.py", "temporary.replace(path)", "shutil.copy(temporary, path)", "test_system.py"),
    ("files/batch.py", "job.settings.unlink(missing_ok=True)", "None", "files/test_batch.py"),
    ("transfer.py", "2 * config.balance - 1", "config.balance", "test_transfer.py"),
    ("transfer.py", "sound = keep_balance(sound, content)", "pass", "test_transfer.py"),
]  # fmt: skip


def survives(file: str, find: str, fault: str, tests: str, copy: Path) -> str:
    """Plant one fault in a copy of the repository; returns why it was not noticed, or nothing."""
    path = copy / "audiostyle" / file
    source = path.read_text()
    if source.count(find) != 1:
        return f"{find!r} stands {source.count(find)} times in {file}"
    path.write_text(source.replace(find, fault))
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    command += [f"tests/{test}" for test in tests.split()]
    try:
        code = subprocess.run(
            command, cwd=copy, capture_output=True, env=os.environ | {"PYTHONPATH": str(copy)}, check=False
        ).returncode
    finally:
        path.write_text(source)
    return "" if code == 1 else f"{find!r} -> {fault!r} in {file}: tests end with {code}"


def main() -> int:
    """Plant all faults; returns 1 if one survives."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "cache", "__pycache__", "site")
        )
        found = []
        for number, row in enumerate(FAULTS, 1):
            found.append(survives(*row, copy))
            print(f"{number:2} {row[0]:22} {found[-1] or 'noticed'}", flush=True)
    print(f"{found.count('')} of {len(FAULTS)} noticed")
    return int(any(found))


if __name__ == "__main__":
    sys.exit(main())
