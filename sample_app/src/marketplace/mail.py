"""The weekly mail: its headers, its text and its page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from html import escape

from marketplace.recommender import Recommendation

DOMAIN = "marketplace.example"

TEXT = """\
Hello,

five products you may like, picked from what you and others rated:

{items}

See you soon,
the marketplace

You get this mail because you rate products with us.
No more of it: {unsubscribe}
"""

HTML = """\
<!doctype html>
<html lang="en">
<body style="font-family: sans-serif">
<p>Hello,</p>
<p>five products you may like, picked from what you and others rated:</p>
<ol>
{items}
</ol>
<p>See you soon,<br>the marketplace</p>
<p><small>You get this mail because you rate products with us.
<a href="{unsubscribe}">
No more of it</a></small></p>
</body>
</html>
"""


def recommendation_mail(user: int, picks: Sequence[Recommendation], *, execution_id: str, at: datetime) -> EmailMessage:
    """Write the mail of one execution; an execution that runs again writes a mail with the same Message-ID."""
    unsubscribe = f"https://{DOMAIN}/unsubscribe?user={user}"
    mail = EmailMessage()
    mail["Subject"] = "Five products you may like"
    mail["From"] = f"Marketplace <recommendations@{DOMAIN}>"
    mail["To"] = f"user-{user}@{DOMAIN}"
    mail["Date"] = at
    mail["Message-ID"] = f"<{execution_id}@{DOMAIN}>"
    mail["List-Unsubscribe"] = f"<{unsubscribe}>"
    mail.set_content(TEXT.format(items=_text_items(picks), unsubscribe=unsubscribe))
    mail.add_alternative(HTML.format(items=_html_items(picks), unsubscribe=escape(unsubscribe)), subtype="html")
    return mail


def _text_items(picks: Sequence[Recommendation]) -> str:
    return "\n".join(
        f"{n}. Product {pick.product} (department {pick.department}),\n   {pick.reason}"
        for n, pick in enumerate(picks, start=1)
    )


def _html_items(picks: Sequence[Recommendation]) -> str:
    return "\n".join(
        f"<li><b>Product {pick.product}</b> (department {pick.department}),\n<br>{escape(pick.reason)}</li>"
        for pick in picks
    )
