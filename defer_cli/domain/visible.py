"""Stored text as it may be shown: nothing in it moves a cursor, hides a word or begins a line."""

from __future__ import annotations

_JOINERS = "\u200c\u200d"  # they shape letters and emoji, and move nothing
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def as_text(text: str) -> str:
    """Return a text as UTF-8 can hold it: what is half a letter (a lone surrogate) is replaced."""
    return text.encode("utf-8", "replace").decode()


def visible(text: str) -> str:
    """Return stored text as one harmless line: controls, escapes, bidi marks and line ends are spelled out."""
    if text.isprintable():
        return text
    return "".join([letter if _is_harmless(letter) else _spelled(letter) for letter in text])


def _is_harmless(letter: str) -> bool:
    return (
        letter.isprintable() or letter in _JOINERS or (letter.isspace() and letter > "\x9f" and not _ends_line(letter))
    )


def _ends_line(letter: str) -> bool:
    return letter in "\u2028\u2029"


def _spelled(letter: str) -> str:
    code = ord(letter)
    if letter in _NAMED:
        return _NAMED[letter]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
