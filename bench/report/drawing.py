"""Matplotlib's figures as SVG that is part of a page and takes its colours and fonts from it."""

import io
import logging
import re
import textwrap

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # Of letters that its own font lacks.

# What a page calls a colour, and how it looks where there is no page. None is #000000: matplotlib
# leaves that to the reader. Told apart by people with the usual kinds of colour blindness, and by
# markers and dashes besides.
PALETTE = {
    "ink": "#16181d", "soft": "#5a5f6a", "hair": "#e3e3df", "base": "#b9b9b3", "noise": "#ececea",
    "card": "#fffffe", "less": "#1f6fb5", "more": "#c2511d",
    "penstock-uring": "#2a78d6", "penstock-epoll": "#d9622b", "raw-uring": "#1a9e73",
    "raw-epoll": "#b98500", "raw-splice": "#7a7f8a", "asio": "#c2548d", "asio-uring": "#3c7d22",
    "libuv": "#6a53b8", "libevent": "#c23b3b",
}

FONT = 12
SMALL = 11

STYLE = {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": FONT,
    "text.color": PALETTE["ink"], "axes.edgecolor": PALETTE["base"],
    "axes.labelcolor": PALETTE["soft"], "xtick.color": PALETTE["soft"], "ytick.color": PALETTE["soft"],
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
    "xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "axes.labelsize": SMALL,
    "xtick.major.size": 0, "ytick.major.size": 0, "xtick.minor.size": 0, "ytick.minor.size": 0,
    "legend.frameon": False, "legend.fontsize": SMALL, "axes.axisbelow": True,
}


def colour_of(engine: str) -> str:
    """Of engines that nobody knows here: ink."""
    return PALETTE.get(engine, PALETTE["ink"])


def canvas(width: float, height: float, left: float, top: float, right: float, bottom: float) -> Axes:
    """Axes in a figure, which is measured in pixels of a page; the rest are margins."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    axes = figure.add_axes((left / width, bottom / height, (width - left - right) / width,
                            (height - top - bottom) / height))
    axes.patch.set_visible(False)
    return axes


def wrapped(text: str, width: int) -> str:
    """In two lines at most."""
    return "\n".join(textwrap.wrap(text, width, max_lines=2, placeholder=" …"))


def inline(axes: Axes, name: str) -> Markup:
    """The drawing as an element; `name` says to those who cannot see it what it shows."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):  # Else it would differ each time.
        axes.figure.savefig(text, format="svg",
                            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    width, height = (round(inches * 72) for inches in axes.figure.get_size_inches())
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text.getvalue(), flags=re.DOTALL)
    body = body[body.index(">", body.index("<svg")) + 1:]
    body = re.sub(r' id="(figure|axes|patch|line2d|matplotlib|xtick|ytick|text|legend|LineCollection'
                  r'|PathCollection|PolyCollection)[._0-9a-z]*"', "", body)
    for place, colour in PALETTE.items():
        body = body.replace(colour, f"var(--{place})")
    return Markup(f'<svg viewBox="0 0 {width} {height}" style="max-width:{1.25 * width:.0f}px" role="img" '
                  f'aria-label="{escape(name)}">{body}')
