"""Letters per CPU-second of WeasyPrint: the letters that benches/letters.rs sends as JSON, as HTML, fonts loaded once."""

import html
import json
import re
import sys
import time
from pathlib import Path

import weasyprint.pdf.fonts as subsetters
from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration

FONTS = (Path(__file__).parent.parent / "fonts").resolve()
FACES = "".join(
    f"@font-face {{ font-family: Noto; font-weight: {weight}; src: url(file://{FONTS}/NotoSans-{name}.ttf) }}"
    for weight, name in [(400, "Regular"), (700, "Bold")]
)
CSS = f"<style>{FACES}" + """
@page { size: A4; margin: 20mm 20mm 24mm 25mm; @bottom-left { content: "REFERENCE" } @bottom-right { content: "Page " counter(page) " of " counter(pages) } }
body { font: 10.5pt Noto } .head { text-align: right } .head svg { height: 18mm } .address { margin: 4mm 0 20mm }
.check { display: flex; gap: 4mm } .check svg { width: 24mm }</style>"""


def body(text):
    for line in text.splitlines():
        line = re.sub(r"\*(.+?)\*", r"<b>\1</b>", html.escape(line.replace("\\", "")))
        kind = "h2" if line.startswith("== ") else "li" if line.startswith("- ") else "p"
        if line:
            yield f"<{kind}>{line.removeprefix('== ').removeprefix('- ')}</{kind}>"


def page(of):
    def lines(name):
        return "<br>".join(html.escape(line) for line in of[name])

    return f"""<html lang=en><title>{of["title"]}</title>{CSS.replace("REFERENCE", of["reference"])}
<div class=head role=img aria-label=Badge>{of["logo"]}</div><p class=head>{lines("letterhead")}</p><p class=address>{lines("address")}</p>
<p>{of["date"]}<br>Your reference: {of["reference"]}</p><h1>{of["title"]}</h1>{"".join(body(of["body"]))}
<div class=check><div role=img aria-label="QR code">{of["code"]}</div><p>Check that this letter is real: {of["check_page"]}</p></div>"""


letters = json.load(sys.stdin)
fonts = FontConfiguration()


def write(of):
    return HTML(string=page(of)).write_pdf(font_config=fonts, pdf_variant="pdf/ua-1")


def rate(some):
    kept = write(some[0])
    start = time.process_time()
    for letter in some:
        write(letter)
    return len(some) / (time.process_time() - start), kept


# Where the system has HarfBuzz's subsetter, WeasyPrint cuts its fonts by that; alone it does so in Python.
has_harfbuzz = subsetters.harfbuzz_subset is not None
with_harfbuzz, kept = rate(letters) if has_harfbuzz else (None, b"")
subsetters.harfbuzz_subset = None
alone, kept = rate(letters[:12])
print(json.dumps({"with_harfbuzz": with_harfbuzz, "alone": alone}))
# To be looked at.
Path(sys.argv[1]).write_bytes(kept)
