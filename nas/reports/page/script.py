"""The script of the page: a click on the header of a column sorts the rows. Without scripts the table is not sortable."""

SCRIPT = """
document.querySelectorAll("table.sortable").forEach(function (table) {
  var heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach(function (head, column) {
    head.querySelector("button").addEventListener("click", function () {
      var down = head.getAttribute("aria-sort") === "ascending";
      var key = function (row) {
        var text = row.cells[column].dataset.order;
        return text === undefined ? null : head.dataset.kind === "number" ? Number(text) : text;
      };
      var rows = Array.from(table.tBodies[0].rows);
      rows.sort(function (one, other) {
        var a = key(one), b = key(other);
        if (a === null || b === null) return (a === null) - (b === null);
        return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
      });
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      rows.forEach(function (row) { table.tBodies[0].appendChild(row); });
    });
  });
});
"""
