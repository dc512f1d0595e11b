#!/usr/bin/env python3
"""Draws rollover.svg, the picture of the README: python3 docs/pictures/rollover.py

The picture has a background of its own and two sets of colours, so it can be read on light and on dark pages. Lines of
the two days differ in shape, too, for readers who do not see the colours.
"""

from pathlib import Path

WIDTH, HEIGHT = 900, 520
MIDNIGHT = 470
LANES = {"worker 1": 118, "worker 2": 178, "worker 3": 238}
FILES = 306
STYLE = """
    text { font-family: -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif; font-size: 14px; }
    .title { font-size: 17px; font-weight: 600; }
    .name { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, monospace; font-size: 14px; }
    .page { fill: #ffffff; stroke: #d0d7de; } text { fill: #1f2328; } .dim { fill: #59636e; }
    .lane, .midnight { stroke: #8c959f; } .midnight { stroke-dasharray: 5 5; }
    .old { fill: #0a69b8; stroke: #0a69b8; } .new { fill: #c4500c; stroke: #c4500c; }
    .badge { fill: #1f2328; } .digit { fill: #ffffff; font-size: 12px; font-weight: 600; text-anchor: middle; }
    .path { fill: none; stroke-width: 1.5; } .faint { opacity: .3; } .box { fill-opacity: .1; stroke-width: 1.5; }
    .hollow { fill: #ffffff; stroke-width: 2; } .wait { stroke-dasharray: 2 4; stroke-width: 2; fill: none; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #3d444d; } text { fill: #e6edf3; } .dim { fill: #9198a1; }
      .lane, .midnight { stroke: #6e7681; } .old { fill: #58a6ff; stroke: #58a6ff; }
      .new { fill: #f0a04b; stroke: #f0a04b; } .badge { fill: #e6edf3; } .digit { fill: #0d1117; }
      .path { fill: none; } .hollow { fill: #0d1117; }
    }
"""

parts = []


def add(line):
    parts.append("  " + line)


def text(x, y, words, kind="", anchor="start"):
    add(f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>')


def badge(x, y, digit):
    add(f'<circle class="badge" cx="{x}" cy="{y}" r="9"/>')
    add(f'<text class="digit" x="{x}" y="{y + 4}">{digit}</text>')


def old_line(x, y):
    """A line of the 21st: a circle."""
    add(f'<path class="old path faint" d="M{x} {y} V{FILES}"/><circle class="old" cx="{x}" cy="{y}" r="5"/>')


def new_line(x, y):
    """A line of the 22nd: a square."""
    add(f'<path class="new path faint" d="M{x} {y} V{FILES}"/>')
    add(f'<rect class="new" x="{x - 5}" y="{y - 5}" width="10" height="10"/>')


def file(x, width, kind, name, words):
    add(f'<rect class="{kind} box" x="{x}" y="{FILES}" width="{width}" height="58" rx="6"/>')
    text(x + width / 2, FILES + 24, name, "name", "middle")
    text(x + width / 2, FILES + 45, words, "dim", "middle")


def draw():
    add(f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>')
    text(24, 34, "A rollover at midnight: no file is renamed, no process waits, no message is sent", "title")
    text(MIDNIGHT - 12, 70, "21 November", "dim", "end")
    text(MIDNIGHT + 12, 70, "22 November", "dim")
    text(860, 70, "time &#8594;", "dim", "end")
    add(f'<path class="midnight" d="M{MIDNIGHT} 56 V{FILES + 58}"/>')
    for name, y in LANES.items():
        text(24, y + 5, name)
        add(f'<path class="lane" d="M112 {y} H864"/>')

    one, two, three = LANES.values()
    late = 590
    for y, times in ((one, (150, 222, 300, 372, 436)), (two, (168, 258, 346)), (three, (190, 276, 324))):
        for x in times:
            old_line(x, y)
    for y, times in ((one, (494, 556, 650, 728, 806)), (two, (674, 752, 830)), (three, (776, 850))):
        for x in times:
            new_line(x, y)
    # The late line: its timestamp, its way, and the moment of its write.
    add(f'<path class="old wait" d="M458 {two} H{late}"/>')
    add(f'<path class="old path" d="M{late} {two} C{late - 20} {two + 70} 430 {FILES - 60} 400 {FILES - 2}"/>')
    add(f'<path class="old" d="M400 {FILES} l-1 -10 l9 5 z"/>')
    add(f'<circle class="old hollow" cx="458" cy="{two}" r="5"/><circle class="old" cx="{late}" cy="{two}" r="5"/>')

    file(112, 346, "old", "app.2026-11-21.log", "later: app.2026-11-21.log.gz")
    file(482, 382, "new", "app.2026-11-22.log", "latest.log leads here now")

    badge(494, one - 20, 1)
    badge(late, two - 20, 2)
    badge(776, three - 20, 3)
    badge(136, FILES + 40, 4)
    legend = (
        "The first line of the new day creates the file, whichever process writes that line.",
        "The timestamp chooses the file: a line stamped 23:59:59 and written after midnight is a line of the 21st.",
        "A process that wrote nothing for a while opens the file when it writes its next line.",
        "Once no process has the old file open, one process compresses it, calls your hook and removes the oldest file.",
    )
    for number, words in enumerate(legend, 1):
        y = FILES + 66 + 32 * number
        badge(34, y - 5, number)
        text(54, y, words)


draw()
svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
title = "<title>A rollover at midnight: three processes, two files</title>"
body = "\n".join([svg, "  " + title, f"  <style>{STYLE}  </style>", *parts, "</svg>", ""])
Path(__file__).with_suffix(".svg").write_text(body, encoding="utf-8")
