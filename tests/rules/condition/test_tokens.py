import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.condition.condition import ConditionError, read_condition
from rules.condition.tokens import Token, tokens
from tests.rules.condition.trees import _literal


def words(source: str) -> list[Token]:
    found = []
    for token in tokens(source):
        if token.kind == "end":
            return found
        found.append(token)
    raise AssertionError


def refusal(source: str) -> ConditionError:
    with pytest.raises(ConditionError) as caught:
        read_condition(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("18446744073709551615", 2**64 - 1),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("2.5E-1", 0.25),
        ("1e-999", 0.0),
        ("'a'", "a"),
        ('"a\'b"', "a'b"),
        (r"'\a\b\f\n\r\t\v\\\?\"\'\`'", "\a\b\f\n\r\t\v\\?\"'`"),
        (r"'\x41\X42\u00e9\U0001F600\101'", "ABé\U0001f600A"),
        (r"r'\n'", "\\n"),
        (r'R"\d+"', "\\d+"),
        ("'''a'b\nc'''", "a'b\nc"),
        (r'"""a"b\""""', 'a"b"'),
        ('r"""\\"""', "\\"),
        ("''", ""),
        ('""""""', ""),
    ],
)
def test_a_literal_stands_for_its_value(source: str, value: object) -> None:
    (token,) = words(source)
    assert (token.value, type(token.value)) == (value, type(value))


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_every_text_can_be_written_as_a_literal(text: str) -> None:
    (token,) = words(_literal(text))
    assert token.value == text


@given(st.one_of(st.floats(min_value=0, allow_nan=False, allow_infinity=False), st.integers(0, 2**64 - 1)))
def test_every_number_reads_back_exactly(number: float) -> None:
    (token,) = words(repr(number))
    assert (token.value, type(token.value)) == (number, type(number))


def test_spaces_and_comments_are_between_tokens() -> None:
    found = words("a // a comment, with 'quotes\n\t&&\r\n b// the end")
    assert [(token.text, token.at) for token in found] == [("a", 0), ("&&", 30), ("b", 35)]


def test_names_may_have_any_letters_and_any_name_goes_between_backticks() -> None:
    found = words("größe `odd name` `in` _x9")
    assert [(token.kind, token.value) for token in found] == [
        ("name", "größe"),
        ("quoted name", "odd name"),
        ("quoted name", "in"),
        ("name", "_x9"),
    ]


@pytest.mark.parametrize(
    ("source", "position", "message"),
    [
        ("a == 'b", 5, "the ' has no end at character 6; close it with another ' on the same line"),
        ("a == 'b\n'", 5, "the ' has no end"),
        ("a == r'b", 6, "the ' has no end"),
        ("`a == 1", 0, "the ` has no end"),
        ("``", 0, "the ` has no end"),
        (r"a == 'b\q'", 7, r"the unknown escape '\q' at character 8; a backslash is '\\'"),
        (r"a == '\x4'", 6, r"the unknown escape '\x'"),
        (r"a == '''b\400'''", 9, r"the unknown escape '\4'"),
        (r"a == '\ud800'", 6, r"'\ud800', which is no character at character 7"),
        (r"a == '\U00110000'", 6, "which is no character"),
        ("a == b'x'", 5, "a bytes literal at character 6; bytes are not supported"),
        ("a == rb'x'", 5, "a bytes literal"),
        ("a > 1u", 5, "unexpected 'u' behind a number at character 6; unsigned numbers are not supported"),
        ("1st == 2", 1, "unexpected 'st' behind a number at character 2; a name can't begin with a digit"),
        ("a > 18446744073709551616", 4, "an integer that is too large at character 5; integers end at"),
        ("a > 0x10000000000000000", 4, "an integer that is too large"),
        ("a > -9223372036854775809", 4, "an integer that is too small at character 5; integers begin at"),
        ("a > 1e999", 4, "a number that is too large at character 5"),
        ("a = 1", 2, "unexpected '=' at character 3; equality is written '=='"),
        ("a & b", 2, "'and' is written '&&'"),
        ("a | b", 2, "'or' is written '||'"),
        ("a ? b : c", 2, "the conditional operator '?:' is not supported"),
        ("a == {}", 5, "map and message literals are not supported"),
        ("a == 1;", 6, "a condition is one expression"),
        ("a @ b", 2, "unexpected '@' at character 3; this character has no meaning in a condition"),
        ("a == \x00", 5, r"unexpected '\x00' at character 6"),
        ("a == '\ud800'", 6, "a lone surrogate, which is no character, at character 7"),
    ],
)
def test_what_is_no_token_is_refused_with_its_place(source: str, position: int, message: str) -> None:
    error = refusal(source)
    assert message in str(error)
    assert error.position == position


def test_thousands_of_digits_are_refused_and_not_converted() -> None:
    assert "too large" in str(refusal("a > " + "9" * 4_000))
    assert "too large" in str(refusal("a > 0x" + "f" * 4_000))
    assert words("0" * 4_000)[0].value == 0
