"use strict";
// Each heading of a sortable table becomes a button; without this script the tables stay readable.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortRows(table.tBodies[0], column, ascending);
    });
  });
}

function sortRows(body, column, ascending) {
  const rows = [...body.rows];
  const keys = new Map(rows.map((row) => [row, row.cells[column].dataset.sort]));
  const known = [...keys.values()].filter((key) => key !== "");
  const numbers = known.every((key) => !Number.isNaN(number(key)));
  rows.sort((first, second) => {
    const [a, b] = [keys.get(first), keys.get(second)];
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = numbers ? number(a) - number(b) : a.localeCompare(b, "en", { numeric: true });
    return ascending ? order : -order;
  });
  body.append(...rows);
}

function number(key) {
  return key === "inf" ? Infinity : key === "-inf" ? -Infinity : Number(key);
}

// On a narrow screen the contents would push the results off it.
if (window.matchMedia("(max-width: 60rem)").matches) {
  document.querySelector("nav details").open = false;
}

// What is folded is printed too.
window.addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
