"""Letters per CPU-second of WeasyPrint: the letter of benches/letters.rs as HTML, fonts loaded once."""

import html
import re
import sys
import time
from pathlib import Path

from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration

COUNT = 12
FONTS = (Path(__file__).parent.parent / "fonts").resolve()
FACES = "".join(
    f"@font-face {{ font-family: Noto; font-weight: {weight}; src: url(file://{FONTS}/NotoSans-{name}.ttf) }}"
    for weight, name in [(400, "Regular"), (700, "Bold")]
)
CSS = f"<style>{FACES}" + """@page { size: A4; margin: 20mm 20mm 24mm 25mm; @bottom-right { content: "Page " counter(page) " of " counter(pages) } }
body { font: 10.5pt Noto } .address { margin: 20mm 0 37mm }</style>"""


def page(text, number):
    out = ["<p class=address>", "<br>".join([f"Person Number {number}", "14 Orchard Terrace", "Northmere", "NE3 7QD"]), "</p>"]
    for line in text.replace("{name}", f"Person Number {number}").splitlines():
        line = re.sub(r"\*(.+?)\*", r"<b>\1</b>", html.escape(line.replace("\\@", "@").rstrip("\\")))
        kind = "h2" if line.startswith("== ") else "li" if line.startswith("- ") else "p"
        if line:
            out.append(f"<{kind}>{line.removeprefix('== ').removeprefix('- ')}</{kind}>")
    return f"<html lang=en><title>Your personal data</title>{CSS}<h1>Your personal data</h1>{''.join(out)}"


text = Path(sys.argv[1]).read_text()
fonts = FontConfiguration()
HTML(string=page(text, 0)).write_pdf(font_config=fonts, pdf_variant="pdf/ua-1")
start = time.process_time()
for number in range(COUNT):
    HTML(string=page(text, number)).write_pdf(font_config=fonts, pdf_variant="pdf/ua-1")
print(COUNT / (time.process_time() - start))
