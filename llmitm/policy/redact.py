"""Takes personal data and credentials out of text that is kept.

What is found is replaced by its kind in brackets, so that JSON stays JSON. Patterns can't find
everything: names and addresses, for one. Who must not keep those keeps no content.
"""

from __future__ import annotations

import re

EMAIL, CARD, PHONE, KEY = "[email]", "[card]", "[phone]", "[key]"

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_DIGITS = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d])")
# International, or with an area code: digits alone may be anything.
_PHONE = re.compile(
    r"(?<![\w.])(?:\+\d{1,3}[ .()/-]{0,2}(?:\d[ .()/-]{0,2}){6,12}\d"
    r"|\(\d{2,5}\)[ ./-]?\d{3,4}[ ./-]?\d{3,5}"
    r"|\d{3}[.-]\d{3}[.-]\d{4})(?!\w)"
)
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, and this gateway's own
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|AIza[A-Za-z0-9_-]{35}"  # Google
    r"|(?:hf|glpat|npm|pypi)[_-][A-Za-z0-9_-]{20,}"
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # JSON Web Token
    r")"
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}")
_PEM = re.compile(
    r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.{0,4096}?-----END [A-Z ]{0,32}PRIVATE KEY-----",
    re.DOTALL,
)


def redact(text: str) -> str:
    """The text without e-mail addresses, card and phone numbers, keys and tokens."""
    text = _PEM.sub(KEY, text) if "PRIVATE KEY" in text else text
    text = _KEYS.sub(KEY, text)
    text = _BEARER.sub(rf"\g<1>{KEY}", text)
    text = _EMAIL.sub(EMAIL, text) if "@" in text else text
    text = _DIGITS.sub(_card, text)
    return _PHONE.sub(PHONE, text)


def is_card(digits: str) -> bool:
    """Whether the check digit fits (ISO/IEC 7812-1, the Luhn algorithm)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _card(match: re.Match[str]) -> str:
    digits = match[0].replace(" ", "").replace("-", "")
    return CARD if is_card(digits) else match[0]
