"""How figures look: as on the terminal."""

from typing import Optional

from result import Estimate, Group


def figure(value: float) -> str:
    """Three significant digits, thousands as k and M: "3.91", "245 k", "1.98 M"."""
    for least, factor, suffix in ((1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if abs(value) >= least:
            return _three_digits(value / factor) + suffix
    return _three_digits(value)


def _three_digits(value: float) -> str:
    size = abs(value)
    if size == 0:
        return "0.00"
    for least, digits in ((99.95, 0), (9.995, 1), (0.9995, 2), (0.09995, 3), (0.009995, 4)):
        if size >= least:
            return f"{value:.{digits}f}"
    return f"{value:.2g}"


def with_interval(estimate: Estimate) -> str:
    low, high = figure(estimate.low), figure(estimate.high)
    middle = figure(estimate.median)
    return middle if low == high else f"{middle} [{low}, {high}]"


def ratio(estimate: Estimate) -> str:
    return f"{estimate.median:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def sees(share: Optional[float]) -> str:
    """The smallest difference that could have been told apart."""
    if share is None:
        return "?"
    return "> 100 %" if share > 1 else f"{100 * share:.1f} %"


def group_ratio(group: Group) -> str:
    """"3/4" behind it: in three of the four cells."""
    text = ("" if group.verdict in ("less", "more") else "~") + ratio(group.capacity)
    return text if group.cells == group.all_cells else f"{text} {group.cells}/{group.all_cells}"


def size(count: int) -> str:
    for factor, suffix in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= factor and count % factor == 0:
            return f"{count // factor} {suffix}"
    return f"{count} B"
