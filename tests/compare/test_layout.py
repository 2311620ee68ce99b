"""Text that fits in 80 columns."""

from pipeline_lib.compare.layout import listed, paragraph, shortened, table, two_numbers


def test_a_long_text_loses_its_middle():
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abcdefghij", 4) == "ab…j"
    assert shortened("abc", 3) == "abc"


def test_digits_are_added_until_a_difference_shows():
    assert two_numbers(0.25, 1 / 3) == ("0.25", "0.33333")
    assert two_numbers(1.0, 1.0000001) == ("1", "1.0000001")
    assert two_numbers(1.0, 1.0 + 2**-50) == ("1", "1.0000000000000009")


def test_names_beyond_the_limit_are_counted():
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert listed(["a", "b", "c"], None) == "a, b, c"


def test_a_paragraph_is_set_in_and_broken():
    lines = paragraph("word " * 40)
    assert len(lines) > 2
    assert all(len(line) <= 80 for line in lines)
    assert [len(line) - len(line.lstrip()) for line in lines[:2]] == [3, 6]


def test_numbers_stand_below_each_other_and_the_first_column_gives_way():
    lines = list(table(("model", "n"), [("u" * 200, "2"), ("simko", "10")]))
    assert [len(line) for line in lines] == [80, 80, 80]
    assert lines[0].endswith("  n")
    assert "…" in lines[1]
    assert lines[2].endswith(" 10")
