"""What hostile callers and functions put wherever text is stored."""

from __future__ import annotations

HIT = "window.__hit=1"
PAYLOADS = (
    f"<img src=x onerror={HIT}>",
    f'"><script>{HIT}</script>',
    f"'><svg/onload={HIT}>",
    f"javascript:{HIT}",
    f"</textarea></pre></title></style></script><script>{HIT}</script>",
    f'" autofocus onfocus={HIT} x="',
    f'<iframe srcdoc="<script>parent.{HIT[7:]}</script>">',
    "<link rel=stylesheet href=http://evil.test/x.css>",
    '<meta http-equiv=refresh content="0;url=http://evil.test/">',
    "<base href=http://evil.test/>",
    "<form action=http://evil.test/><button data-key=r data-rerun>",
    "<template data-live=http://evil.test/><dialog open id=keys>",
    f"&lt;img src=x onerror={HIT}&gt;&#60;&quot;&amp;",
    "{{7*7}}{% raw %}${7*7}#{7*7}<%= 7*7 %>[[7*7]]",
    f"<!--><img src=x onerror={HIT}>-->",
    f"<![CDATA[><script>{HIT}</script>]]>",
    "\x1b[31mred\x1b]8;;http://evil.test\x07link\x9b2J",
    "\u202egnp.exe\u2066\u200f",
    "nul\x00\x7f\ufeff\u2028\u2029\r\x0b",
    "%00%0d%0aset-cookie:%20x=1",
    "../../../etc/passwd\\..\\",
    "w" * 3_000,
    "\u0301" * 80 + "🏴" * 40,
)
SHORT = [payload for payload in PAYLOADS if len(payload) < 250]
PRINTABLE = [payload for payload in SHORT if payload.isprintable()]
"""What passes where options of a call are checked."""
HIDDEN = [chr(code) for code in (*range(9), *range(14, 32), 127, 0x9B, 0x202E, 0x2066, 0x200F, 0xFEFF, 0x2028)]
"""Characters that no page may show as they are."""
