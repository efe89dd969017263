"""Draws panels the way Grafana lays them out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from boards.panel import Panel
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from PIL import Image

mpl.use("Agg")
WIDTH = 16.0  # inches for 24 columns
ROW = 0.42  # inches for one row of the grid
GAP = 0.12
DPI = 90
SHADES = 128  # a picture's palette: it has few colours and is a third as large with them
MOST = 7  # series in a legend
CHARACTERS = 235  # of a line of a log
INK, PAPER, PANEL = "#22262e", "#eef0f3", "#ffffff"
COLOURS = ("#3274d9", "#e0752d", "#37872d", "#c4162a", "#8f3bb8", "#b8860b", "#0f8b8d", "#6b7280")
STATES = {"good": "#56a64b", "bad": "#e02f44", "between": "#f2cc0c"}


@dataclass(frozen=True, slots=True)
class Series:
    """Values over seconds."""

    name: str
    times: Sequence[float]
    values: Sequence[float]


type Data = list[Series] | list[str]
type Place = Mapping[str, int]


def sketch(path: Path, title: str, panels: Sequence[tuple[Panel, Place, Data]]) -> None:
    """One picture of a dashboard."""
    rows = max(place["y"] + place["h"] for _, place, _ in panels)
    height = rows * ROW + 0.6
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=PAPER)
    figure.text(GAP / WIDTH, 1 - 0.32 / height, title, fontsize=15, weight="bold", color=INK)
    for panel, place, data in panels:
        _panel(figure, panel, _box(place, height), data)
    raw = BytesIO()
    figure.savefig(raw, facecolor=PAPER)
    Image.open(raw).convert("RGB").quantize(SHADES, Image.Quantize.MAXCOVERAGE).save(
        path, optimize=True
    )


def _box(place: Place, height: float) -> tuple[float, float, float, float]:
    """Left, bottom, width and height in inches."""
    column = WIDTH / 24
    top = height - 0.6 - place["y"] * ROW
    return (
        place["x"] * column + GAP / 2,
        top - place["h"] * ROW + GAP / 2,
        place["w"] * column - GAP,
        place["h"] * ROW - GAP,
    )


def _panel(
    figure: Figure, panel: Panel, box: tuple[float, float, float, float], data: Data
) -> None:
    left, bottom, width, height = box
    whole, tall = figure.get_size_inches()
    frame = figure.add_axes((left / whole, bottom / tall, width / whole, height / tall))
    frame.set(xticks=[], yticks=[], facecolor=PANEL)
    for spine in frame.spines.values():
        spine.set_color("#d5d9df")
    frame.text(
        0.08 / width, 1 - 0.2 / height, panel.title, transform=frame.transAxes, fontsize=9,
        weight="bold", color=INK, va="center",
    )  # fmt: skip
    if panel.kind == "logs":
        _text(frame, [str(line) for line in data] or ["No line."], height)
        return
    series = [one for one in data if isinstance(one, Series)]
    if panel.kind == "stat":
        _stat(frame, panel, series)
        return
    legend = 0.17 * min(len(series), MOST) if panel.kind in ("lines", "stack") else 0.0
    margin = 1.7 if panel.kind in ("bars", "states") else 0.62
    inner = (
        (left + margin) / whole,
        (bottom + 0.34 + legend) / tall,
        (width - margin - 0.2) / whole,
        (height - 0.75 - legend) / tall,
    )
    draw = {"states": _states, "bars": _bars}.get(panel.kind, _curves)
    draw(figure.add_axes(inner), panel, series)


def _stat(axes: Axes, panel: Panel, series: Sequence[Series]) -> None:
    value = _last(series[0]) if series else math.nan
    axes.text(
        0.5, 0.42, shown(value, panel.unit), transform=axes.transAxes, ha="center", va="center",
        fontsize=24, color=COLOURS[2], weight="bold",
    )  # fmt: skip


def _text(axes: Axes, lines: Sequence[str], height: float) -> None:
    for number, line in enumerate(lines):
        y = 1 - (0.5 + number * 0.21) / height
        axes.text(
            0.006, y, line[:CHARACTERS], transform=axes.transAxes, fontsize=7.2, family="monospace",
            va="center", color=INK, parse_math=False,
        )  # fmt: skip


def _curves(axes: Axes, panel: Panel, series: Sequence[Series]) -> None:
    ordered = sorted(series, key=_last, reverse=True)
    if panel.kind == "stack":
        _stack(axes, ordered)
    for index, one in enumerate(ordered):
        colour = COLOURS[index % len(COLOURS)]
        named = f"{one.name or panel.title}   {shown(_last(one), panel.unit)}"
        label = named if index < MOST else None
        if panel.kind == "stack":
            axes.plot([], [], color=colour, label=label)
        else:
            axes.plot(one.times, one.values, color=colour, lw=1.3, label=label)
    _ticks(axes, panel.unit)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    if ordered:
        below = -0.22 * DPI / axes.get_window_extent().height
        axes.legend(
            loc="upper left", bbox_to_anchor=(-0.02, below), fontsize=7, frameon=False,
            labelspacing=0.15, handlelength=1.2, borderaxespad=0.2,
        )  # fmt: skip


def _stack(axes: Axes, series: Sequence[Series]) -> None:
    times = sorted({at for one in series for at in one.times})
    rows = [dict(zip(one.times, one.values, strict=True)) for one in series]
    heights = [[_number(row.get(at, 0.0)) for at in times] for row in rows]
    if heights:
        axes.stackplot(times, heights, colors=COLOURS, alpha=0.8, lw=0)


def _states(axes: Axes, panel: Panel, series: Sequence[Series]) -> None:
    for row, one in enumerate(series):
        for at, value in zip(one.times, one.values, strict=True):
            kind = "good" if value == panel.good else "between" if value == 2 else "bad"
            axes.broken_barh([(at, 1.05)], (row - 0.35, 0.7), facecolors=STATES[kind], lw=0)
    axes.set_yticks(range(len(series)), [one.name for one in series], fontsize=7)
    axes.set_ylim(-0.6, max(len(series) - 0.4, 0.6))
    words = [
        (word, STATES["good" if n == panel.good else "between" if n == 2 else "bad"])
        for n, word in panel.values.items()
    ]
    for word, colour in words:
        axes.plot([], [], color=colour, lw=5, label=word)
    axes.legend(
        loc="upper right", bbox_to_anchor=(1.02, 1.18), ncol=3, fontsize=7, frameon=False,
        handlelength=1,
    )  # fmt: skip
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} s"))
    axes.tick_params(axis="x", labelsize=7)


def _bars(axes: Axes, panel: Panel, series: Sequence[Series]) -> None:
    values = [_last(one) for one in series]
    axes.barh(range(len(series)), values, color=COLOURS[0], height=0.55)
    axes.set_yticks(range(len(series)), [one.name for one in series], fontsize=7)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: shown(v, panel.unit)))
    axes.tick_params(axis="x", labelsize=7)
    for row, value in enumerate(values):
        axes.text(min(value, 0.93) + 0.01, row, shown(value, panel.unit), va="center", fontsize=7)


def _ticks(axes: Axes, unit: str) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, unit)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} s"))
    axes.tick_params(labelsize=7)
    axes.grid(color="#e4e7eb", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _last(series: Series) -> float:
    """The newest value that is a number."""
    return next((value for value in reversed(series.values) if not math.isnan(value)), 0.0)


def _number(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def shown(value: float, unit: str) -> str:
    """A value with its unit, as short as Grafana would write it."""
    if math.isnan(value):
        return "–"
    written: Mapping[str, Any] = {
        "percentunit": lambda: f"{value * 100:.3g} %",
        "percent": lambda: f"{value:.3g} %",
        "currencyUSD": lambda: f"${value:.3g}",
        "bytes": lambda: f"{value / 1024**2:.4g} MiB",
        "s": lambda: f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s",
        "reqps": lambda: f"{value:.3g}/s",
    }
    if unit in written:
        return str(written[unit]())
    return f"{value / 1000:.3g} K" if value >= 1000 else f"{value:.3g}"
