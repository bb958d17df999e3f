import pytest

from nas.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fc1.weight", "fc1.weight"),
        ("Größe τ 重み 😀", "Größe τ 重み 😀"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x00\x7f\x9b31m", r"\x00\x7f\x9b31m"),
        ("exe\u202egnp", r"exe\u202egnp"),
        ("a\u2028b", r"a\u2028b"),
        ("\udce9", r"\udce9"),
    ],
)
def test_only_what_acts_on_a_terminal_is_spelled_out(text, shown):
    assert visible(text) == shown
