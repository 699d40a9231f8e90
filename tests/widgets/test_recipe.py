import shlex
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from audiostyle.__main__ import build_parser
from audiostyle.commands.transfer import settings
from audiostyle.config import TransferConfig

SR = 22050
WAIT = 120


def parsed(shell):
    """What the command line makes of the shell's equivalent."""
    return build_parser().parse_args(shlex.split(shell)[3:])


def test_python_equivalent_gives_the_same_samples(lab, tmp_path, monkeypatch):
    lab.run()
    assert lab.wait(WAIT)
    monkeypatch.chdir(tmp_path)
    exec(compile(lab.recipe().python(), "snippet", "exec"), {})
    y, _ = soundfile.read(tmp_path / "result.wav", dtype="float32")
    np.testing.assert_allclose(y, lab.result[1].y, atol=1 / 2**15)


@pytest.mark.parametrize(
    "given", [{}, {"method": "gram"}, {"encoder": "random"}, {"encoder": "random", "phase": "griffin_lim"}]
)
def test_equivalents_have_the_settings_of_the_recipe(lab, given):
    made = replace(lab.recipe(), config=TransferConfig(**given))
    (line,) = [line for line in made.python().splitlines() if line.startswith("config = ")]
    assert eval(line.removeprefix("config = ")) == made.config
    assert settings(parsed(made.shell())) == made.config


def test_shell_equivalent_says_the_same_to_the_command_line(lab):
    lab.select(kernel_size=11, n_iter=300, balance=0.8)
    assert lab.config() == TransferConfig(balance=0.8)
    lab.style.length = lab.content.length = 1.0
    lab.content.start = 0.5
    args = parsed(lab.recipe().shell())
    assert (settings(args).balance, args.content_start, args.content_duration) == (0.8, 0.5, 1.0)
    assert args.sounds[0] == lab.content.cut.path
    lab.select(kernel_size=5, method="paper")
    lab.style.length = 1.5
    args = parsed(lab.recipe().shell())
    assert settings(args) == TransferConfig.paper(balance=0.8, kernel_size=5)
    assert (args.content_duration, args.style_duration) == (1.0, 1.5)
    lab.style.length = 1.2
    lab.style.start = 0.25
    args = parsed(lab.recipe().shell())
    assert (args.content_start, args.style_start) == (0.5, 0.25)


def test_shell_equivalent_takes_no_file_name_for_an_option(lab):
    recipe = lab.recipe()
    for content, style in (("--output=x.wav", "-o"), ("--quiet", "style.wav"), ("content.wav", "--device=x")):
        cuts = {"content": replace(recipe.content, path=content), "style": replace(recipe.style, path=style)}
        args = parsed(replace(recipe, **cuts).shell("mine.wav"))
        assert [*map(str, args.sounds), str(args.output)] == [content, style, "mine.wav"]
        assert (args.quiet, settings(args)) == (False, recipe.config)
