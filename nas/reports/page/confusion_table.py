"""The confusion matrix on the page: a table of counts, or the most frequent mistakes if there are too many classes."""

from nas.reports.confusion import Confusion
from nas.reports.markup import Markup, joined, tag
from nas.reports.page.html_table import table
from nas.reports.rows.cell import Cell, Cells

MOST_CLASSES = 20
MISTAKES = 10
UPRIGHT = 3
"""Class names with more characters are written vertically above the columns."""


def confusion_matrix(confusion: Confusion) -> Markup:
    """The table as an HTML figure."""
    if len(confusion.classes) > MOST_CLASSES:
        return tag(
            "div",
            table(mistakes(confusion)),
            tag(
                "p",
                f"The most frequent mistakes of best.onnx on the test split, of {len(confusion.classes)} classes.",
                class_="note",
            ),
        )
    upright = "upright" if max(map(len, confusion.classes)) > UPRIGHT else None
    heads = [tag("th", tag("span", name), scope="col", class_=upright) for name in confusion.classes]
    rows = [_row(confusion, number) for number in range(len(confusion.classes))]
    grid = tag("table", tag("thead", tag("tr", tag("td"), *heads)), tag("tbody", joined(rows)), class_="confusion")
    caption = "Test examples of each class (rows) by the class that best.onnx gives them (columns)."
    return tag("figure", tag("div", grid, class_="scroll"), tag("figcaption", caption))


def _row(confusion: Confusion, true: int) -> Markup:
    counts = confusion.counts[true]
    total = max(sum(counts), 1)
    cells = [
        tag(
            "td",
            f"{count:,}" if count else "",
            style=f"--share:{count / total:.3f}",
            class_="right" if given == true else None,
            title=f"{confusion.classes[true]} taken for {confusion.classes[given]}: {count:,} of {total:,}",
        )
        for given, count in enumerate(counts)
    ]
    return tag("tr", tag("th", confusion.classes[true], scope="row"), *cells)


def mistakes(confusion: Confusion) -> list[Cells]:
    """The most frequent confusions, the most frequent first."""
    found = [
        (count, true, given)
        for true, row in enumerate(confusion.counts)
        for given, count in enumerate(row)
        if count and true != given
    ]
    found.sort(key=lambda one: (-one[0], one[1], one[2]))
    names = confusion.classes
    return [
        {
            "class": Cell.label(names[true]),
            "taken for": Cell.label(names[given]),
            "times": Cell.count(count),
            "of": Cell.count(sum(confusion.counts[true])),
        }
        for count, true, given in found[:MISTAKES]
    ]
