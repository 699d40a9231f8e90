import shlex
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from audiostyle.__main__ import build_parser
from audiostyle.config import TransferConfig
from audiostyle.widgets import recipe

SR = 22050
WAIT = 120


def test_python_equivalent_gives_the_same_samples(lab, tmp_path, monkeypatch):
    lab.run()
    assert lab.wait(WAIT)
    monkeypatch.chdir(tmp_path)
    code = lab.snippets.snippets[0]["code"]
    namespace = {}
    exec(compile(code, "snippet", "exec"), namespace)
    np.testing.assert_array_equal(namespace["result"].y, lab.result[1].y)
    assert (tmp_path / "result.wav").is_file()


def test_recipe_at_another_rate_keeps_length_and_samples(lab, tmp_path):
    lab.style.length = lab.content.length = 1.0
    made = replace(lab.recipe(), config=TransferConfig(sr=16000, n_iter=2, polish_iter=0))
    again = made.run()
    assert (again.sr, len(again.y)) == (16000, 16000)
    namespace = {}
    exec(compile(made.python(str(tmp_path / "again.wav")), "snippet", "exec"), namespace)
    np.testing.assert_array_equal(namespace["result"].y, again.y)


def test_shell_equivalent_says_the_same_to_the_command_line(lab):
    lab.settings.update(phase="polish", kernel_size=11, n_iter=300, balance=0.8)
    assert lab.config() == TransferConfig(balance=0.8)
    lab.style.length = lab.content.length = 1.0
    lab.content.start = 0.5
    words = shlex.split(lab.snippets.snippets[1]["code"])
    args = build_parser().parse_args(words[3:])
    assert (args.config_balance, args.content_start, args.duration) == (0.8, 0.5, 1.0)
    assert args.content == lab.content.sound.path
    lab.settings.update(kernel_size=5, phase="paper")
    lab.style.length = 1.5
    args = build_parser().parse_args(shlex.split(lab.snippets.snippets[1]["code"])[3:])
    assert (args.config_kernel_size, args.config_phase) == (5, "griffin_lim")
    assert (args.content_duration, args.style_duration) == (1.0, 1.5)
    lab.style.length = 1.2
    lab.style.start = 0.25
    args = build_parser().parse_args(shlex.split(lab.snippets.snippets[1]["code"])[3:])
    assert (args.content_start, args.style_start) == (0.5, 0.25)


def test_shell_equivalent_takes_no_file_name_for_an_option(lab):
    recipe = lab.recipe()
    for content, style in (("--output=x.wav", "-o"), ("--quiet", "style.wav"), ("content.wav", "--device=x")):
        odd = replace(
            recipe, content=replace(recipe.content, path=content), style=replace(recipe.style, path=style)
        )
        args = build_parser().parse_args(shlex.split(odd.shell("mine.wav"))[3:])
        assert (str(args.content), str(args.style), str(args.output)) == (content, style, "mine.wav")
        assert (args.quiet, args.config_device) == (False, "cpu")


def test_recipe_refuses_another_file_and_says_what_is_missing(lab, tmp_path, content):
    made = lab.recipe()
    soundfile.write(tmp_path / "content.wav", content[::-1], SR)
    with pytest.raises(ValueError, match="not the file the result was made from"):
        made.run()
    (tmp_path / "content.wav").unlink()
    with pytest.raises(FileNotFoundError, match="content="):
        made.run()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"content": 3, "style": 4, "config": {}}'])
def test_settings_that_are_none_are_refused(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="holds no settings"):
        recipe.load_recipe(path)
