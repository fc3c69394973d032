"""Which names look like secrets, and what is shown instead of them."""

from __future__ import annotations

import pytest

from defer_cli.domain.secrets import MASK, looks_secret, masked, masked_under


@pytest.mark.parametrize(
    "name",
    """password PASSWORD userPassword password_hash passwords pass api_key apiKey X-Api-Key APIKEY api_keys token
    access_token accessTokens Authorization client_secret AWSSecretAccessKey privateKey db.password pin PIN auth
    credentials database_url webhookUrl DATABASE_DSN cookie sessionCookie""".split(),
)
def test_a_name_with_a_secret_word_looks_secret(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    """key keys keyboard monkey author authors spinning pinned mapping tokenizer compass passenger address user url
    secretary ключ _ s""".split(),
)
def test_a_name_without_one_does_not(name: str) -> None:
    assert not looks_secret(name)


def test_more_names_can_be_called_secret() -> None:
    assert looks_secret("customer_iban", also=["iban"])
    assert looks_secret("customerTaxIds", also=["tax_id"])
    assert not looks_secret("customer", also=["iban"])


def test_what_lies_under_a_secret_name_is_masked_however_deep() -> None:
    value = {"user": "ada", "login": [{"password": "x", "hints": ["y"]}], "api_key": {"id": 1, "value": "z"}}

    assert masked(value) == {"user": "ada", "login": [{"password": MASK, "hints": ["y"]}], "api_key": MASK}


@pytest.mark.parametrize("value", [None, True, False])
def test_what_gives_nothing_away_is_shown(value: object) -> None:
    assert masked_under("token", value) is value


def test_a_number_under_a_plural_counts_and_is_shown() -> None:
    assert masked_under("max_tokens", 100) == 100
    assert masked_under("pin", 1234) == MASK
    assert masked_under("tokens", ["a"]) == MASK


def test_a_value_under_a_harmless_name_is_looked_into() -> None:
    assert masked_under("settings", {"secret": "x", "size": 1}) == {"secret": MASK, "size": 1}


def test_masking_leaves_the_value_itself_alone() -> None:
    value = {"token": "x"}
    masked(value)

    assert value == {"token": "x"}
