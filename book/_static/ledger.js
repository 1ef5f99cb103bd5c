/* Menus above the ledger: which rows are shown. Without this script all of them are. A row says by its classes what it
   is ("chapter-2", "verdict-holds"), and menus are made of what the rows say. */
const KINDS = { chapter: "Chapter", verdict: "Verdict", scale: "Scale" };

function kindOf(row, kind) {
  const found = [...row.classList].find((word) => word.startsWith(kind + "-"));
  const words = found ? found.slice(kind.length + 1).replaceAll("-", " ") : "";
  return words.replace("chapter ", "").replace("shown no claim", "shown, no claim");
}

function menuOf(kind, rows) {
  const both = document.createElement("div");
  const label = document.createElement("label");
  const menu = document.createElement("select");
  menu.name = kind;
  menu.id = label.htmlFor = "ledger-menu-" + kind; // a label around its menu would be named by all that is in it
  label.textContent = KINDS[kind];
  menu.append(new Option("all", ""));
  for (const words of [...new Set(rows.map((row) => kindOf(row, kind)))]) menu.append(new Option(words, words));
  both.append(label, " ", menu);
  return both;
}

function ledger(table) {
  const rows = [...table.tBodies[0].rows];
  table.setAttribute("role", "table"); // which it stays where rows are laid out as cards
  for (const part of [...table.tHead.rows, ...rows]) part.setAttribute("role", "row");
  for (const cell of table.tHead.rows[0].cells) cell.setAttribute("role", "columnheader");
  for (const row of rows) for (const cell of row.cells) cell.setAttribute("role", "cell");
  const form = document.createElement("form");
  const told = document.createElement("output");
  const reset = document.createElement("button");
  form.className = "ledger-menus";
  form.setAttribute("aria-label", "Rows of the ledger");
  reset.type = "reset";
  reset.textContent = "Show all";
  form.append(...Object.keys(KINDS).map((kind) => menuOf(kind, rows)), reset, told);
  function choose() {
    const wanted = Object.keys(KINDS).map((kind) => [kind, form.elements[kind].value]);
    for (const row of rows) row.hidden = wanted.some(([kind, words]) => words && kindOf(row, kind) !== words);
    const left = rows.filter((row) => !row.hidden).length;
    told.textContent = left + " of " + rows.length + " rows";
    reset.disabled = left === rows.length;
  }
  form.addEventListener("change", choose);
  form.addEventListener("reset", () => setTimeout(choose)); // once the menus are reset
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => { // whoever comes from a figure meets its row
    const row = document.getElementById(location.hash.slice(1)); // ids of rows need no decoding
    if (row && rows.includes(row) && row.hidden) {
      form.reset();
      setTimeout(() => row.scrollIntoView());
    }
  });
  choose();
  (table.closest(".pst-scrollable-table-container") || table).before(form);
}

document.querySelectorAll("table.ledger").forEach(ledger);
