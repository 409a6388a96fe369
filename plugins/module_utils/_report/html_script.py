# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Script of the report's page. A constant, so that its hash in the page's policy never changes by data.

It filters, unfolds and copies, and works on one record an item: a row of the page, or an entry of its data where the
report is large. What is summarised is a record, too, that stands for many items.
"""

from __future__ import annotations

SCRIPT = """
(() => {
"use strict";
const KEYS = ["status", "severity", "environment", "q"];
const SEVERITIES = ["critical", "high", "medium", "low", "info"];
const BATCH = 100;
const ROWS = 200;
const byId = (id) => document.getElementById(id);
const words = (name) => name.replaceAll("_", " ");
const kindOf = (status) => (status === "in_sync" ? "sync" : status === "ignored" ? "ignored" : "wrong");
const store = byId("data");
const data = store ? JSON.parse(store.textContent) : null;

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
function mark(kind, text) {
  return [make("span", {class: kind, "aria-hidden": "true"}, SHAPES[kind]), " ", text];
}
const SHAPES = {sync: "\\u25cf", drift: "\\u25b2", unchecked: "\\u25c6", error: "\\u25a0", ignored: "\\u25cb"};

// One record an item, or one for many that are summarised: from the page or, in a large report, from its data.
const records = data ? data.environments.flatMap((environment) => [
  ...environment.items.map((item) => ({
    environment: environment.name, home: environment, id: item[0], kind: item[1], status: item[2], severity: item[3],
    facts: item[4], title: item[5], owner: item[6], count: 1,
    get text() { return [item[0], words(item[2]), ...item.slice(4).flat(2)].join(" "); },
  })),
  ...environment.groups.flatMap(([title, groups]) => groups.map(([check, kind, status, severity, count]) => ({
    environment: environment.name, home: environment, group: title, id: check, kind, status, severity, count,
    get text() { return `${check} ${words(status)}`; },
  }))),
]) : [...document.querySelectorAll("[data-status]")].map((row) => ({
  environment: row.closest("[data-environment]").dataset.environment, home: row.closest("[data-environment]"),
  row, status: row.dataset.status, severity: row.dataset.severity, count: Number(row.dataset.count || 1),
  get text() { return row.textContent; },
}));
const sum = (list, kind) => list.reduce((all, record) => all + (kindOf(record.status) === kind ? record.count : 0), 0);
const homes = data ? data.environments : [...document.querySelectorAll("[data-environment]")];
const nameOf = (home) => (data ? home.name : home.dataset.environment);
let want = {};

function matches(record) {
  if (!record.lower && want.q) record.lower = record.text.toLowerCase();
  return (!want.status || record.status === want.status) && (!want.severity || record.severity === want.severity)
    && (!want.environment || record.environment === want.environment)
    && (!want.q || record.lower.includes(want.q.toLowerCase()));
}

// Rows a batch at a time: a browser lays out some hundreds at once, not fifty thousand.
function batched(parent, list, element) {
  let at = 0;
  const line = make("p", {class: "quiet"});
  const more = make("button", {type: "button"});
  const add = () => {
    const added = list.slice(at, at + ROWS).map(element);
    parent.append(...added);
    at += added.length;
    const left = list.length - at;
    line.textContent = `${left} further items are not listed yet.`;
    more.textContent = `Show ${Math.min(left, ROWS)} more of ${left} further items`;
    if (!left) { line.remove(); more.remove(); }
    return added[0];
  };
  more.addEventListener("click", () => {
    const first = add();
    first.tabIndex = -1;
    first.focus();
  });
  add();
  return at < list.length ? [line, more] : [];
}
function facts(pairs) {
  const list = make("dl");
  for (const [label, text] of pairs) list.append(make("dt", null, label), make("dd", null, text));
  return list;
}
function card(record) {
  const {kind, status, severity} = record;
  const made = make("article", {class: `item ${kind}`, "data-status": status, "data-severity": severity},
    make("h4", null, ...mark(kind, record.id)),
    make("p", null, make("strong", {class: `badge ${kind}`}, words(status)), " ",
      make("span", {class: `badge ${severity}`}, `severity ${severity}`)), facts(record.facts));
  if (record.owner) {
    made.append(make("details", {class: "owner"}, make("summary", null, record.title), facts(record.owner)));
  }
  return made;
}
function table(title, shown, labels) {
  const body = make("tbody");
  const rest = batched(body, shown, (record) => {
    const known = Object.fromEntries(record.facts);
    return make("tr", {"data-status": record.status, "data-severity": record.severity},
      make("th", {scope: "row"}, ...mark(record.kind, record.id)),
      ...labels.map((label) => make("td", null, known[label] || "")));
  });
  const head = make("tr", null, ...["Item", ...labels].map((label) => make("th", {scope: "col"}, label)));
  const made = make("table", {class: "items"}, make("thead", null, head), body);
  return [make("h4", null, `${title} (${shown.length})`), made, ...rest];
}
function groupTable(title, shown) {
  const cell = (text) => make("td", null, text);
  const rows = shown.map((record) => make("tr", {"data-status": record.status, "data-severity": record.severity},
    make("th", {scope: "row"}, ...mark(record.kind, record.id)),
    cell(words(record.status)), cell(record.severity), cell(record.count)));
  const head = make("tr", null, ...data.groups.map((label) => make("th", {scope: "col"}, label)));
  const count = shown.reduce((all, record) => all + record.count, 0);
  return [make("h4", null, `${title} (${count})`),
    make("table", null, make("thead", null, head), make("tbody", null, ...rows))];
}
function steps(rows) {
  const head = make("tr", null, ...data.steps.map((label) => make("th", {scope: "col"}, label)));
  return make("table", null, make("thead", null, head), make("tbody", null, ...rows.map((row) =>
    make("tr", null, ...row.map((cell, at) => (at ? make("td", null, cell) : make("th", {scope: "row"}, cell)))))));
}
function fragment(text) {
  const pre = make("pre", {tabindex: "0"}, text);
  const title = "To keep the change, put this where the Deployment is applied from";
  const box = make("div", null, make("h4", null, title), pre);
  addCopy(pre);
  return box;
}
function addCopy(pre) {
  const button = make("button", {type: "button"}, "Copy");
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(pre);
    try { await navigator.clipboard.writeText(pre.textContent); byId("shown").textContent = "Copied."; }
    catch { byId("shown").textContent = "Selected; copy it with the keyboard."; }
  });
  pre.before(button);
}

// A large report: a fold an environment, filled when it is opened.
let limit = BATCH;
function fill(fold) {
  if (fold.filled) return;
  fold.filled = true;
  const {home, shown} = fold;
  if (home.error) fold.append(make("p", null, make("strong", {class: "error"}, "Not finished: "), home.error));
  if (home.steps.length) fold.append(steps(home.steps));
  const single = shown.filter((record) => !record.group);
  const cards = make("div");
  fold.append(cards, ...batched(cards, single.filter((record) => kindOf(record.status) === "wrong"), card));
  if (home.fragment) fold.append(fragment(home.fragment));
  const ignored = single.filter((record) => record.status === "ignored");
  if (ignored.length) fold.append(...table("Ignored", ignored, ["Address", "Why"]));
  const sync = single.filter((record) => record.status === "in_sync");
  if (sync.length) fold.append(...table("In sync", sync, ["Address"]));
  for (const [title] of home.groups) {
    const groups = shown.filter((record) => record.group === title);
    if (groups.length) fold.append(...groupTable(title, groups));
  }
}
function renderFolds(found) {
  const byHome = new Map();
  for (const record of found) {
    if (byHome.has(record.home)) byHome.get(record.home).push(record); else byHome.set(record.home, [record]);
  }
  const narrow = want.status || want.severity || want.q;
  const chosen = homes.filter((home) => byHome.has(home)
    || (!narrow && (!want.environment || nameOf(home) === want.environment)));
  const open = Boolean(KEYS.some((key) => want[key]) && found.length <= 200);
  const folds = chosen.slice(0, limit).map((home) => {
    const shown = byHome.get(home) || [];
    const said = `: ${home.verdict}; ${sum(shown, "wrong")} not clean, ${sum(shown, "ignored")} ignored, `
      + `${sum(shown, "sync")} in sync`;
    const fold = make("details", {class: "environment", "data-environment": home.name},
      make("summary", null, make("h3", null, ...mark(home.kind, home.name)), said));
    fold.home = home;
    fold.shown = shown;
    fold.addEventListener("toggle", () => fold.open && fill(fold));
    if (open) { fill(fold); fold.open = true; }
    return fold;
  });
  byId("lists").replaceChildren(...folds);
  const left = chosen.length - folds.length;
  if (!left) return;
  const more = make("button", {type: "button"}, `Show ${Math.min(left, BATCH)} more of ${left} further environments`);
  more.addEventListener("click", () => {
    const first = limit;
    limit += BATCH;
    apply();
    byId("lists").children[first].querySelector("summary").focus();
  });
  byId("lists").append(make("p", {class: "quiet"}, `${left} further environments are not listed yet.`), more);
}
function growMatrix() {
  if (!byId("cut-matrix")) return;
  const body = byId("matrix").tBodies[0];
  const left = homes.length - body.rows.length;
  const button = byId("more-matrix");
  button.hidden = left <= 0;
  byId("cut-matrix").textContent = left > 0 ? `${left} further environments are not in the table yet.` : "";
  button.textContent = `Show ${Math.min(left, 500)} more of ${left} further environments`;
}
function moreMatrix() {
  const body = byId("matrix").tBodies[0];
  for (const home of homes.slice(body.rows.length, body.rows.length + 500)) {
    body.append(make("tr", null, make("th", {scope: "row"}, home.name),
      make("td", null, ...mark(home.kind, home.verdict)),
      ...home.cells.map(([kind, text]) => make("td", null, ...mark(kind, text)))));
  }
  growMatrix();
}

// A report of common size: its rows are there already and are hidden or shown.
function hideRows(found) {
  const good = new Set(found);
  const shownHomes = new Set(found.map((record) => record.home));
  const narrow = want.status || want.severity || want.q;
  for (const record of records) record.row.hidden = !good.has(record);
  for (const home of homes) {
    home.hidden = !shownHomes.has(home) && Boolean(narrow || (want.environment && nameOf(home) !== want.environment));
    for (const part of home.querySelectorAll(".part")) {
      part.hidden = !part.querySelector("[data-status]:not([hidden])");
      if (part.tagName === "DETAILS") part.open = Boolean(!part.hidden && (want.status || want.q));
    }
  }
}

function apply() {
  const found = records.filter(matches);
  if (data) renderFolds(found); else hideRows(found);
  const said = [["wrong", "not clean"], ["ignored", "ignored"], ["sync", "in sync"]].map(([kind, text]) =>
    `${sum(found, kind)} of ${sum(records, kind)} ${text}`);
  byId("shown").textContent = `Shown: ${said.join(", ")}.`;
}
function offer(select, value, text) {
  if (![...select.options].some((option) => option.value === value)) select.add(new Option(text, value));
}
function readHash() {
  const raw = location.hash.slice(1);
  if (raw && !raw.includes("=")) return false; // a link to a place of the page
  const given = new URLSearchParams(raw);
  want = Object.fromEntries(KEYS.map((key) => [key, given.get(key) || ""]));
  for (const key of KEYS) {
    if (key !== "q" && want[key]) offer(byId(key), want[key], words(want[key]));
    byId(key).value = want[key];
  }
  return true;
}
function readControls() {
  want = Object.fromEntries(KEYS.map((key) => [key, byId(key).value]));
  limit = BATCH;
  const set = new URLSearchParams(KEYS.filter((key) => want[key]).map((key) => [key, want[key]]));
  try { history.replaceState(null, "", set.size ? `#${set}` : "#"); } catch { /* the view works without its address */ }
  apply();
}
function choices(key, values, text) {
  const select = byId(key);
  for (const value of new Set(values)) select.add(new Option(text(value), value));
}

choices("status", records.map((record) => record.status).sort(), words);
choices("severity", SEVERITIES.filter((one) => records.some((record) => record.severity === one)), words);
choices("environment", homes.map(nameOf), (name) => name);
let waiting = 0;
for (const key of KEYS) {
  byId(key).addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(readControls, key === "q" ? 150 : 0);
  });
}
byId("reset").addEventListener("click", () => { for (const key of KEYS) byId(key).value = ""; readControls(); });
addEventListener("hashchange", () => { if (readHash()) apply(); });
let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("details:not([open])")];
  for (const fold of unfolded) { if (fold.home) fill(fold); fold.open = true; }
});
addEventListener("afterprint", () => { for (const fold of unfolded) fold.open = false; });
for (const element of document.querySelectorAll(".script")) element.hidden = false;
for (const element of document.querySelectorAll(".no-script")) element.hidden = true;
if (data) { byId("more-matrix").addEventListener("click", moreMatrix); growMatrix(); }
else for (const pre of document.querySelectorAll("pre")) addCopy(pre);
readHash();
apply();
})();
"""
