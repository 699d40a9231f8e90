"""Execute the notebooks and write them as HTML pages that load nothing from outside.

``python notebooks/run.py`` runs every notebook from top to bottom in its own kernel, two at a time, with one line for
each, and leaves the notebooks themselves alone. The pages go to ``results/<preset>/<edition>/notebooks/``. With
``--keep-outputs``, which only the preset ``paper`` allows, figures and tables are also written back into the notebooks.
"""

import argparse
import asyncio
import base64
import io
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

# Set before numerical libraries load, here and in the kernels.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")

import nbformat
from jinja2 import DictLoader
from matplotlib.figure import Figure
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from traitlets.config import Config

from audiostyle.datasets import paths
from audiostyle.datasets.clips import current_edition
from audiostyle.system import compile_librosa, whole_file
from experiments.presets import get_preset
from experiments.results import Results, with_palette

# The usual page without the scripts that it would fetch from the network; a link in a sentence is underlined.
_TEMPLATE = """{% extends 'lab/index.html.j2' %}
{% block html_head_js_requirejs %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head %}{{ super() }}
<style>.jp-RenderedHTMLCommon :is(p, li, td) a:any-link { text-decoration: underline }</style>
{% endblock %}
"""
_MOST_BYTES = 1_500_000
_WIDGET = "application/vnd.jupyter.widget-view+json"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class CellError(Exception):
    """A notebook failed; the message names it and the cell."""


def notebooks(folder: Path | None = None) -> list[Path]:
    """Return the notebooks in the order of their numbers, the overview last: it shows the others' numbers."""
    found = sorted((folder or paths.root() / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return sorted(found, key=lambda path: path.name.startswith("00"))


def execute(path: Path) -> tuple[nbformat.NotebookNode, float, int]:
    """Execute a notebook in its own folder; returns it with outputs, its seconds and its kernel's peak bytes."""
    start = time.perf_counter()
    notebook, memory = asyncio.run(_execute(path))
    return notebook, time.perf_counter() - start, memory


async def _execute(path: Path) -> tuple[nbformat.NotebookNode, int]:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        extra_arguments=["--log-level=40"],  # or each kernel warns that its local ports are not encrypted
        resources={"metadata": {"path": str(path.parent)}},
    )
    async with client.async_setup_kernel():
        for index, cell in enumerate(notebook.cells):
            try:
                await client.async_execute_cell(cell, index)
            except (CellExecutionError, DeadKernelError) as error:
                raise CellError(
                    f"{path.name}, cell {index + 1}: {_ANSI.sub('', str(error)).strip()}"
                ) from error
        memory = peak_memory(client.km.provisioner.pid)
    notebook.metadata.pop("widgets", None)
    return notebook, memory


def execute_all(found: list[Path], jobs: int) -> Iterator[tuple[Path, nbformat.NotebookNode, float, int]]:
    """Execute notebooks, `jobs` at a time, the last one after all others.

    Yields
    ------
    tuple
        A notebook that has ended, and what `execute` returned.

    Raises
    ------
    CellError
        At the first that fails; no other is begun then.
    """
    *others, last = found
    if jobs > 1:
        compile_librosa()
    with ThreadPoolExecutor(jobs) as kernels:
        running = {kernels.submit(execute, path): path for path in others}
        try:
            for ended in as_completed(running):
                yield running[ended], *ended.result()
        finally:
            kernels.shutdown(wait=False, cancel_futures=True)
    yield last, *execute(last)


def peak_memory(pid: int) -> int:
    """Return the largest resident size of a process in bytes, 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found.group(1)) * 1024 if found else 0


def to_html(notebook: nbformat.NotebookNode, title: str) -> str:
    """Return a page with everything embedded: formulas as pictures, links to the other pages, no progress bars."""
    page = nbformat.from_dict(notebook)
    page.metadata.pop("widgets", None)
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\$\$(.+?)\$\$", formula, cell.source, flags=re.DOTALL)
            cell.source = re.sub(r"\((\d\d_\w+)\.ipynb(#[^)]*)?\)", r"(\1.html\2)", cell.source)
            # Glossary and answers stand beside the notebooks and have no page.
            cell.source = re.sub(r"\[([^\]]+)\]\((?:GLOSSARY\.md|solutions)[^)]*\)", r"\1", cell.source)
        elif "progress" in cell.metadata.get("tags", ()):
            cell.outputs = [output for output in cell.outputs if output.output_type != "stream"]
        for output in cell.get("outputs", ()):
            if _WIDGET in output.get("data", {}):
                output.data = {"text/markdown": "*A control is here when the notebook runs in JupyterLab.*"}
    exporter = HTMLExporter(
        template_file="offline.html.j2",
        extra_loaders=[DictLoader({"offline.html.j2": _TEMPLATE})],
        config=Config(TagRemovePreprocessor={"remove_input_tags": {"hide-input"}, "enabled": True}),
    )
    return exporter.from_notebook_node(page, resources={"metadata": {"name": title}})[0]


def formula(match: re.Match) -> str:
    """Return a displayed formula as an embedded picture, so that the page needs no MathJax."""
    latex = " ".join(match.group(1).split())
    figure = Figure(figsize=(0.01, 0.01))
    figure.text(0, 0, f"${latex}$", fontsize=15)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", pad_inches=0.05, transparent=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    alternative = latex.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'<p><img alt="{alternative}" src="data:image/svg+xml;base64,{data}"></p>'


def stripped(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy that keeps only outputs of cells tagged ``keep_output``, without sound and widgets.

    Of a player stays the link to where it can be heard.
    """
    kept = nbformat.from_dict(notebook)
    kept.metadata.pop("widgets", None)
    for cell in kept.cells:
        if cell.cell_type == "code":
            wanted = "keep_output" in cell.metadata.get("tags", ())
            links = [_link_of(output) for output in cell.outputs if _plays(output)]
            quiet = [_compressed(output) for output in cell.outputs if wanted and _is_quiet(output)]
            cell.outputs = quiet + links
            cell.execution_count = None
            cell.metadata.pop("execution", None)
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = None
    return kept


def link_to_site(page: str) -> str:
    """Return a link to where the site plays the pair of a row of players, or its first sound, without the sound.

    Examples
    --------
    >>> link_to_site('<div data-place="speech-1"><audio></audio></div>')
    '<p><a href="../index.html#speech-1">Listen on the site</a></p>'
    """
    named = re.search(r'data-place="([a-z0-9-]+)"', page)
    return f'<p><a href="../index.html#{named[1] if named else "main"}">Listen on the site</a></p>'


def _is_quiet(output: nbformat.NotebookNode) -> bool:
    """Whether an output holds neither sound, nor a widget, nor a stream such as a progress bar."""
    data = output.get("data", {})
    sound = any(kind.startswith("audio/") for kind in data) or _plays(output)
    return output.output_type in ("display_data", "execute_result") and not (sound or _WIDGET in data)


def _plays(output: nbformat.NotebookNode) -> bool:
    """Whether an output is a row of players."""
    return "<audio" in str(output.get("data", {}).get("text/html", ""))


def _link_of(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/html": link_to_site(output["data"]["text/html"])})


def _compressed(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Reduce a picture to a palette, which spares two thirds of its bytes."""
    if "image/png" in output.get("data", {}):
        smaller = with_palette(base64.b64decode(output["data"]["image/png"]))
        output["data"]["image/png"] = base64.b64encode(smaller).decode()
    return output


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Run all notebooks; returns 1 at the first that fails, after naming it and the cell."""
    parser = argparse.ArgumentParser(prog="python notebooks/run.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--keep-outputs",
        action="store_true",
        help="write figures and tables back into the notebooks; only with AUDIOSTYLE_PRESET=paper",
    )
    cores = os.cpu_count() or 1
    parser.add_argument(
        "--jobs", type=int, default=min(2, cores), help="notebooks at a time, some 2 GB each (%(default)s)"
    )
    args = parser.parse_args(argv)
    keep = args.keep_outputs
    if args.jobs < 1:
        parser.error(f"--jobs {args.jobs} is not allowed; it must be at least 1")
    preset, edition = get_preset(), current_edition()
    if keep and (preset.name, edition) != ("paper", "recorded"):
        sys.stderr.write(
            f"run.py: error: --keep-outputs needs the preset paper on the recorded clips, not {preset.name} on the "
            f"{edition} ones; set AUDIOSTYLE_PRESET=paper and fetch the recordings with: make data\n"
        )
        return 2
    results = Results(preset.name, edition)
    found = notebooks()
    sys.stdout.write(f"{len(found)} notebooks, preset {preset.name}, {edition} clips\n")
    sys.stdout.flush()
    # Kernels side by side share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // args.jobs)))
    try:
        for number, (path, notebook, seconds, memory) in enumerate(execute_all(found, args.jobs), 1):
            _write(results.path("notebooks", f"{path.stem}.html"), to_html(notebook, path.stem))
            if keep:
                text = nbformat.writes(stripped(notebook)) + "\n"
                if len(text.encode()) > _MOST_BYTES:
                    raise CellError(
                        f"{path.name}: its outputs take {len(text.encode())} bytes, too many to keep"
                    )
                _write(path, text)
            sys.stdout.write(
                f"[{number}/{len(found)}] {path.stem:32} {seconds:6.1f} s, {memory / 1e9:.1f} GB\n"
            )
            sys.stdout.flush()
    except CellError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"pages, figures, tables and sound are in {results.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
