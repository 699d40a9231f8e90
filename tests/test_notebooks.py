"""The notebooks' structure, and the runner's handling of outputs. Running them is nbmake's part (see the Makefile)."""

import ast
import base64
import io
import re

import nbformat
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from audiostyle.datasets import paths
from notebooks import run as runner

FOLDER = paths.root() / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
# Links at the head and the foot of a notebook: *Next:* [01 Title](file.ipynb)
NAVIGATION = re.compile(r"\*(Previous|Next|First):\*\s*\[[^\]]+\]\(([^)]+)\)")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _tags(cell):
    return cell.metadata.get("tags", [])


def _tree(cell):
    return ast.parse(cell.source)


def _prose(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_a_notebook_is_valid_imports_first_takes_parameters_and_ends_with_an_assertion(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    _, imports, parameters = notebook.cells[:3]
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in _tree(imports).body)
    assert _tags(parameters) == ["parameters"]
    for node in _tree(parameters).body:
        ast.literal_eval(node.value)
    assert any(isinstance(node, ast.Assert) for node in ast.walk(_tree(_code(notebook)[-1])))
    for forbidden in ("sys.path", "%pip", "!pip", "filterwarnings", "simplefilter", "/home/"):
        assert not any(forbidden in cell.source for cell in notebook.cells), forbidden


@pytest.mark.parametrize("path", NOTEBOOKS[3:6], ids=lambda path: path.stem)
def test_numbers_of_a_verdict_stand_in_a_table_above_it(path):
    printed, verdicts = set(), []
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            printed |= set(re.findall(r"\d+\.\d+", output.get("data", {}).get("text/plain", "")))
        if "**Verdict.**" in cell.source:
            verdict = cell.source.partition("**Verdict.**")[2].partition("\n")[0]
            # Times and frequencies are of the picture.
            claimed = set(re.findall(r"(\d+\.\d+)(?![\d ]*(?:s|kHz)\b)", verdict))
            assert claimed <= printed, claimed - printed
            verdicts.append(claimed)
    assert len(verdicts) == 2
    assert all(verdicts)


def test_links_resolve(path, notebook):
    found = dict(NAVIGATION.findall(notebook.cells[0].source))
    if path != NOTEBOOKS[0]:
        assert found["Previous"] == NOTEBOOKS[NOTEBOOKS.index(path) - 1].name
        assert f"({path.name})" in _source(NOTEBOOKS[0]), "the overview lists every notebook"
    for target, _, part in re.findall(r"\(([^()\s]+\.ipynb)(#([^()\s]+))?\)", _prose(notebook)):
        assert (FOLDER / target).is_file(), f"{path.name} links to {target}"
        headings = re.findall(r"^#+ (.+)$", _source(FOLDER / target), flags=re.MULTILINE)
        assert not part or part in {heading.replace(" ", "-") for heading in headings}, f"{path.name}: {part}"
    for number, target in re.findall(r"\[(\d\d) [^\]]+\]\(([^)]+\.ipynb)\)", _prose(notebook)):
        assert target.startswith(number)


def test_exercises_have_answers():
    answers = {f"solutions/{path.name}": path for path in (FOLDER / "solutions").glob("*.ipynb")}
    linked = set().union(*(re.findall(r"solutions/\w+\.ipynb", path.read_text()) for path in NOTEBOOKS))
    assert linked == answers.keys()
    for path in answers.values():
        answer = nbformat.read(path, as_version=4)
        for link in re.findall(r"\(([^)\s]+\.ipynb)\)", _prose(answer)):
            assert (path.parent / link).is_file(), link
        assert any(isinstance(node, ast.Assert) for node in ast.walk(_tree(_code(answer)[-1])))
        assert not any(cell.outputs for cell in _code(answer)), "answers are run, not shown"


def _source(path):
    return _prose(nbformat.read(path, as_version=4))


def test_table_1_of_the_first_notebook_is_that_of_readme():
    rows = re.findall(r"^\| (?:4|10) \| 0\..+$", (paths.root() / "README.md").read_text(), flags=re.MULTILINE)
    assert len(rows) == 2
    assert all(row in _source(NOTEBOOKS[0]) for row in rows)


def test_committed_outputs_are_figures_and_tables_only(notebook):
    assert "widgets" not in notebook.metadata
    for cell in _code(notebook):
        assert not cell.outputs or "keep_output" in _tags(cell) or "player_row(" in cell.source
        for output in cell.outputs:
            assert output.output_type in ("display_data", "execute_result")
            data = output.data
            assert not any(kind.startswith(("audio/", "application/vnd.jupyter.widget")) for kind in data)
            texts = "".join(text for kind, text in data.items() if kind.startswith("text/"))
            assert not re.search(r"<audio|PosixPath|WindowsPath|/tmp/|/home/", texts), "of one machine"


@pytest.fixture
def executed():
    """A notebook as it looks after it ran: a figure, a player, a progress bar, a widget."""
    picture = io.BytesIO()
    Figure(figsize=(1, 1)).savefig(picture)
    figure = new_output("display_data", {"image/png": base64.b64encode(picture.getvalue()).decode()})
    sound = "<div data-place=\"speech-2\"><audio src='data:audio/mpeg;base64,AAAA'></audio></div>"
    player = new_output("execute_result", {"text/html": sound})
    widget = new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}})
    bar = new_output("stream", name="stderr", text="transfer: 100%")
    kept = new_code_cell("draw()", metadata={"tags": ["keep_output"]}, outputs=[figure, player, widget, bar])
    run = new_code_cell("run()", metadata={"tags": ["progress"]}, outputs=[bar])
    note = new_code_cell("secret_source()", metadata={"tags": ["keep_output", "hide-input"]})
    formula = new_markdown_cell(
        "$$\\dfrac{a_1}{b} \\left( \\sum_k F_k \\right)$$ and [01](01_other.ipynb), [02](02_more.ipynb#part)"
    )
    other = new_code_cell("play()", outputs=[player])
    return new_notebook(cells=[formula, kept, run, note, other], metadata={"widgets": {"state": {}}})


def test_runner_keeps_only_what_is_marked(executed):
    kept = runner.stripped(executed)
    assert [len(cell.outputs) for cell in _code(kept)] == [2, 0, 0, 1]
    link = '<p><a href="../index.html#speech-2">Listen on the site</a></p>'
    assert _code(kept)[3].outputs[0].data == {"text/html": link}, "of sound stays where it can be heard"
    assert "image/png" in _code(kept)[0].outputs[0].data
    assert "widgets" not in kept.metadata
    assert len(_code(executed)[0].outputs) == 4, "the notebook given must stay as it is"


def test_page_loads_nothing_from_outside(executed):
    page = runner.to_html(executed, "a page")
    loaded = re.findall(r"<(?:script|link|img|audio|iframe)[^>]*(?:src|href)=[\"'](?!data:)([^\"']+)", page)
    assert loaded == []
    assert not re.search(r"@import|url\(\s*[\"']?https?:|\$\$|secret_source", page)
    for kept in ("data:image/svg+xml;base64,", "data:audio/mpeg", "01_other.html", "02_more.html#part"):
        assert kept in page, "formulas are pictures, players stay, links lead to pages"
    assert page.count("transfer: 100%") == 1, "a stream without the tag stays, a progress bar does not"
    assert "A control is here" in page


def test_runner_renders_every_formula_and_puts_the_overview_last():
    for path in NOTEBOOKS:
        for match in re.finditer(r"\$\$(.+?)\$\$", _source(path), flags=re.DOTALL):
            assert runner.formula(match).startswith("<p><img")
    names = [path.name[:2] for path in runner.notebooks()]
    assert names == [*sorted(names)[1:], "00"]


@pytest.mark.parametrize("preset", ["smoke", "quick"])
def test_outputs_are_kept_for_the_paper_preset_only(preset, monkeypatch, capsys):
    monkeypatch.setenv("AUDIOSTYLE_PRESET", preset)
    assert runner.main(["--keep-outputs"]) == 2
    assert "AUDIOSTYLE_PRESET=paper" in capsys.readouterr().err


def test_runner_names_the_failing_notebook_and_cell(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AUDIOSTYLE_PRESET", "smoke")
    cells = [new_code_cell("1 + 1"), new_code_cell("raise ValueError('broken on purpose')")]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / "01_broken.ipynb")
    monkeypatch.setattr(runner.paths, "root", lambda: tmp_path)
    assert runner.main([]) == 1
    told = capsys.readouterr().err
    assert re.search("01_broken.ipynb, cell 2(?s:.*)broken on purpose", told)
    assert "\x1b" not in told
