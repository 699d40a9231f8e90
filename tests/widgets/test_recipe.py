import shlex
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from audiostyle.__main__ import build_parser, main
from audiostyle.commands.transfer import settings
from audiostyle.config import TransferConfig
from audiostyle.datasets.clips import get_clip, locate
from audiostyle.files import recipe

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


def test_recipe_computed_at_another_rate_keeps_length_and_samples(lab, tmp_path):
    lab.style.length = lab.content.length = 1.0
    made = replace(lab.recipe(), config=TransferConfig(sr=16000, n_iter=2))
    again = made.run()
    assert (again.sr, len(again.y)) == (SR, SR)  # the content's own
    namespace = {}
    exec(compile(made.python(str(tmp_path / "again.wav")), "snippet", "exec"), namespace)
    np.testing.assert_array_equal(namespace["result"].y, again.y)


@pytest.mark.parametrize(
    "given",
    [
        {}, {"method": "gram"}, {"encoder": "random"}, {"encoder": "random", "method": "matched"},
    ],
    ids=str,
)  # fmt: skip
def test_equivalents_have_the_method_of_the_result(lab, given):
    """The method that is not given depends on the encoder."""
    made = replace(lab.recipe(), config=TransferConfig(**given))
    (line,) = [line for line in made.python().splitlines() if line.startswith("config = ")]
    assert eval(line.removeprefix("config = ")) == made.config
    assert settings(build_parser().parse_args(shlex.split(made.shell())[3:])) == made.config
    assert ("method" in line) == ("method" in given)


def test_shell_equivalent_says_the_same_to_the_command_line(lab):
    lab.select(phase="polish", kernel_size=11, n_iter=300, balance=0.8)
    assert lab.config() == TransferConfig(balance=0.8)
    lab.style.length = lab.content.length = 1.0
    lab.content.start = 0.5
    words = shlex.split(lab.snippets.snippets[1]["code"])
    args = build_parser().parse_args(words[3:])
    assert (settings(args).balance, args.content_start, args.duration) == (0.8, 0.5, 1.0)
    assert args.sounds[0] == lab.content.sound.path
    lab.settings.update(kernel_size=5, phase="griffin_lim")
    lab.style.length = 1.5
    args = build_parser().parse_args(shlex.split(lab.snippets.snippets[1]["code"])[3:])
    assert (settings(args).kernel_size, settings(args).phase) == (5, "griffin_lim")
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
        assert [*map(str, args.sounds), str(args.output)] == [content, style, "mine.wav"]
        assert (args.quiet, settings(args)) == (False, odd.config)


def test_recipe_refuses_another_file_and_says_what_is_missing(lab, tmp_path, content):
    made = lab.recipe()
    soundfile.write(tmp_path / "content.wav", content[::-1], SR)
    with pytest.raises(ValueError, match="not the file the result was made from"):
        made.run()
    (tmp_path / "content.wav").unlink()
    with pytest.raises(FileNotFoundError, match="say where it lies"):
        made.run()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"content": 3, "style": 4, "config": {}}'])
def test_settings_that_are_none_are_refused(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="holds no settings"):
        recipe.load_recipe(path)


@pytest.fixture
def saved(lab, tmp_path):
    """A result that the lab saved as a.wav with its settings, and the parts of two sounds it was made of."""
    lab.select(n_iter=3, balance=0.4)
    lab.content.length, lab.content.start, lab.style.length = 1.2, 0.3, 1.0
    lab.run()
    assert lab.wait(WAIT)
    return lab.save("a", "wav").with_suffix(".json"), lab.result[1].y


def _transfer(*words):
    return main(["transfer", "--quiet", *(str(word) for word in words)])


def test_command_line_makes_a_saved_result_again(saved, tmp_path, capsys):
    settings, y = saved
    assert _transfer("--recipe", settings, "-o", tmp_path / "again.wav") == 0, capsys.readouterr().err
    again, _ = soundfile.read(tmp_path / "again.wav")
    np.testing.assert_allclose(again, y, atol=1 / 2**15)


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (["--balance", "0.9"], {"balance": 0.9}),
        (["--kernel-size", "5", "--seed", "3"], {"kernel_size": 5, "seed": 3}),
        (["--duration", "0.8"], {"lengths": [0.8, 0.8]}),
        (["--content-start", "0.9", "--style-duration", "0.7"], {"lengths": [1.1, 0.7]}),
        (["content.wav"], {}),
        (["style.wav", "content.wav"], {"lengths": [1.5, 2.0]}),
    ],
    ids=" ".join,
)
def test_what_is_typed_comes_before_the_recipe(saved, tmp_path, monkeypatch, words, changed):
    settings, _ = saved
    seen = {}

    def record(content, style, sr, config, progress):
        seen.update(lengths=[round(len(y) / sr, 2) for y in (content, style)], config=config, content=content)
        raise ValueError("seen enough")

    monkeypatch.setattr("audiostyle.transfer.transfer_style", record)
    monkeypatch.chdir(tmp_path)
    _transfer("--recipe", settings, "-o", tmp_path / "again.wav")
    plain = dict(seen)
    _transfer("--recipe", settings, "-o", tmp_path / "again.wav", *words)
    assert seen["lengths"] == changed.pop("lengths", plain["lengths"])
    assert seen["config"] == replace(plain["config"], **changed)
    # Notes of a quarter of a second: another file has others at the same place.
    assert np.array_equal(seen["content"], plain["content"]) == (
        words[0] not in ("style.wav", "--duration", "--content-start")
    )


def test_sounds_are_named_or_in_a_recipe(saved, tmp_path, capsys):
    recipe_file, _ = saved
    for words in ([], ["content.wav"]):
        assert _transfer(*words, "-o", tmp_path / "again.wav") == 2
        assert "name a content and a style, or give a --recipe that does" in capsys.readouterr().err
    assert _transfer("--recipe", tmp_path / "none.json", "-o", tmp_path / "again.wav") == 2
    assert "none.json" in capsys.readouterr().err
    (tmp_path / "content.wav").unlink()
    assert _transfer("--recipe", recipe_file, "-o", tmp_path / "again.wav") == 2
    assert "put it beside the settings or say where it lies" in capsys.readouterr().err


def test_an_upload_is_found_beside_the_settings_and_a_clip_of_the_registry_anywhere(
    tmp_path, monkeypatch, content
):
    soundfile.write(tmp_path / "mine.wav", content, SR)
    upload = recipe.make_cut(tmp_path / "mine.wav", 0.0, 1.0, uploaded=True)
    assert upload.path == "mine.wav"
    assert upload.find(tmp_path) == tmp_path / "mine.wav"
    clip = get_clip("violin_canon")
    elsewhere = recipe.Cut("/another/machine/violin.ogg", clip.sha256, 0.0, 1.0)
    assert elsewhere.find() == locate(clip)
