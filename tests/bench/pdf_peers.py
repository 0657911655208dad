#!/usr/bin/env python3
"""The same table as PDF by ReportLab (LongTable) and by Typst, for comparison with the example pdf_bench.

    pip install reportlab typst
    pdf_bench 100000 rows.csv
    pdf_peers.py reportlab rows.csv out.pdf
    pdf_peers.py typst rows.csv out.pdf

Prints rows, seconds, seconds of processor and bytes as one line of JSON. Both get a font that has the letters of the rows, the
header repeated on each page, and columns of fixed widths.
"""

import csv
import json
import os
import sys
from importlib.metadata import version

from measured import since, start

FONTS = os.environ.get("BENCH_FONTS", os.path.join(os.path.dirname(__file__), "../../crates/render/assets/fonts"))


def by_reportlab(source, target):
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import LongTable, Paragraph, SimpleDocTemplate
    from xml.sax.saxutils import escape

    pdfmetrics.registerFont(TTFont("Noto", os.path.join(FONTS, "NotoSans-Regular.ttf")))
    style = ParagraphStyle("cell", fontName="Noto", fontSize=8, leading=10)
    with open(source, encoding="utf-8", newline="") as file:
        # Paragraphs, for cells must wrap.
        rows = [[Paragraph(escape(cell), style) for cell in row] for row in csv.reader(file)]
    document = SimpleDocTemplate(target, pagesize=landscape(A4), leftMargin=36, rightMargin=36)
    widths = [60, 120, 140, 110, 50, 50, 130, 110]
    table = LongTable(rows, colWidths=widths, repeatRows=1)
    table.setStyle([("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.lightgrey), ("FONT", (0, 0), (-1, -1), "Noto", 8)])
    document.build([table])
    return len(rows) - 1


def by_typst(source, target):
    import typst

    folder = os.path.dirname(os.path.abspath(source))
    text = f"""
#set page(paper: "a4", flipped: true, margin: 36pt, numbering: "1 of 1")
#set text(font: "Noto Sans", size: 8pt)
#let rows = csv("{os.path.basename(source)}")
#table(columns: (60pt, 120pt, 140pt, 110pt, 50pt, 50pt, 130pt, 110pt), stroke: (bottom: 0.4pt),
  table.header(..rows.first()), ..rows.slice(1).flatten())
"""
    main = os.path.join(folder, "pdf_peers.typ")
    with open(main, "w", encoding="utf-8") as file:
        file.write(text)
    typst.compile(main, output=target, root=folder, font_paths=[FONTS])
    with open(source, encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def main():
    maker, source, target = sys.argv[1:]
    begun = start()
    rows = {"reportlab": by_reportlab, "typst": by_typst}[maker](source, target)
    name = {"reportlab": "ReportLab", "typst": "Typst"}[maker]
    print(json.dumps({"peer": f"{name} {version(maker)}", "rows": rows, "bytes": os.path.getsize(target)} | since(begun)))


main()
