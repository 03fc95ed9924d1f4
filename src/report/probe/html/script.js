"use strict";
// Sorting and filtering of the items. The page can be read without it, so it brings its own controls.
for (const table of document.querySelectorAll("table.items")) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);

  const text = document.createElement("input");
  text.type = "search";
  text.placeholder = "Filter items";
  text.setAttribute("aria-label", "Filter items by text");
  const outcome = document.createElement("select");
  outcome.setAttribute("aria-label", "Filter items by outcome");
  outcome.add(new Option("all outcomes", ""));
  for (const word of new Set(rows.map((row) => row.dataset.outcome))) outcome.add(new Option(word, word));
  const count = document.createElement("span");
  count.setAttribute("role", "status");
  const tools = document.createElement("div");
  tools.className = "tools";
  tools.append(text, outcome, count);
  table.parentElement.before(tools);

  const filter = () => {
    const wanted = text.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = (!outcome.value || row.dataset.outcome === outcome.value)
        && (!wanted || row.textContent.toLowerCase().includes(wanted));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown + " of " + rows.length + " items";
  };
  text.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  filter();

  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const compare = (a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        if (x.dataset.value !== undefined && y.dataset.value !== undefined) return x.dataset.value - y.dataset.value;
        if (x.dataset.value !== undefined || y.dataset.value !== undefined) return x.dataset.value !== undefined ? -1 : 1;
        return x.textContent.localeCompare(y.textContent, undefined, { numeric: true });
      };
      const sorted = Array.from(rows).sort(compare);
      body.append(...(down ? sorted.reverse() : sorted));
    });
  });
}
