# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Style and script of the report's page. Constants, so that their hashes in the page's policy never change by data.

Colours: every text colour has a contrast of 4.5 or more on every ground it stands on, in both themes (WCAG 2.2,
1.4.3); what is told by colour is told by a shape and a word, too (1.4.1).
"""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ground:#ffffff;--raised:#f4f6f8;--text:#1b1f24;--quiet:#4d5562;--line:#7c8694;
--link:#0b57b3;--sync:#1a6b2f;--drift:#8a4b00;--unchecked:#6b2fa0;--error:#b00020}
@media (prefers-color-scheme:dark){:root{--ground:#14171b;--raised:#1f242a;--text:#e8eaed;--quiet:#b3bac5;
--line:#7f8995;--link:#8ab8ff;--sync:#7bd88f;--drift:#ffb65c;--unchecked:#d3a4ff;--error:#ff9a9a}}
*{box-sizing:border-box}
[hidden]{display:none!important}
html{background:var(--ground);color:var(--text);font:1rem/1.5 system-ui,sans-serif;scroll-behavior:smooth}
body{margin:0 auto;max-width:72rem;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.3rem;margin:2rem 0 .5rem}h3{font-size:1.1rem;margin:0}
h4{font-size:1rem;margin:0}h5{font-size:1rem;margin:.75rem 0 .25rem}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100vw}.skip:focus{left:1rem;top:.5rem;background:var(--ground);padding:.5rem}
.verdict{font-size:1.2rem;font-weight:600;border:2px solid;border-radius:.5rem;padding:.5rem 1rem;margin:1rem 0}
.verdict span+span{color:var(--text)}
.quiet{color:var(--quiet)}
.sync{color:var(--sync)}.drift{color:var(--drift)}.unchecked{color:var(--unchecked)}.error{color:var(--error)}
.ignored{color:var(--quiet)}
.scroll{overflow-x:auto}.tall{max-height:60vh;overflow:auto}.tall thead th{position:sticky;top:0}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--quiet);padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
.scroll th,.scroll td{min-width:8rem;overflow-wrap:break-word}
thead th{background:var(--raised)}
.filter{display:flex;flex-wrap:wrap;gap:.75rem;align-items:end;background:var(--raised);padding:.75rem 1rem;
border-radius:.5rem;margin:1rem 0}
.filter label{display:grid;gap:.2rem;font-weight:600;min-width:0}
.filter p{flex-basis:100%;margin:0}
input,select,button{font:inherit;font-weight:400;color:var(--text);background:var(--ground);
border:1px solid var(--line);border-radius:.3rem;padding:.4rem .6rem;min-height:2.5rem;max-width:100%}
button{cursor:pointer}
.environment{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;margin:1rem 0}
.item{border-left:.3rem solid var(--line);padding:.25rem 0 .25rem .9rem;margin:1rem 0}
.item p{margin:.1rem 0}
dl{display:grid;grid-template-columns:minmax(7rem,auto) 1fr;gap:.15rem 1rem;margin:.4rem 0}
dt{color:var(--quiet)}dd{margin:0;white-space:pre-wrap;min-width:0}
pre{background:var(--raised);padding:.75rem;overflow:auto;white-space:pre;overflow-wrap:normal;border-radius:.3rem}
summary{cursor:pointer;padding:.3rem 0}summary h3,summary h4{display:inline}
code{font-family:ui-monospace,monospace}
@media (max-width:40rem){dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .4rem}.filter label{flex:1 1 100%}
th,td{padding:.35rem}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{:root{color-scheme:light;--ground:#ffffff;--raised:#ffffff;--text:#000000;--quiet:#333333;--line:#777777;
--link:#000000;--sync:#000000;--drift:#000000;--unchecked:#000000;--error:#000000}
.filter,.skip,button{display:none!important}body{max-width:none;padding:0}
.scroll{overflow:visible;max-height:none}.tall thead th{position:static}
pre{white-space:pre-wrap}.item,tr{break-inside:avoid}
details::details-content{content-visibility:visible;block-size:auto;display:block}}
"""

SCRIPT = """
(() => {
"use strict";
const KEYS = ["status", "severity", "environment", "q"];
const SEVERITIES = ["critical", "high", "medium", "low", "info"];
const BATCH = 100;
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

// One record an item, from the rows of the page or, in a large report, from its data.
const records = data ? data.environments.flatMap((environment) => environment.items.map((item) => ({
  environment: environment.name, home: environment, id: item[0], kind: item[1], status: item[2], severity: item[3],
  facts: item[4], get text() { return [item[0], words(item[2]), ...item[4].flat()].join(" "); },
}))) : [...document.querySelectorAll("[data-status]")].map((row) => ({
  environment: row.closest("[data-environment]").dataset.environment, home: row.closest("[data-environment]"),
  row, status: row.dataset.status, severity: row.dataset.severity, get text() { return row.textContent; },
}));
const homes = data ? data.environments : [...document.querySelectorAll("[data-environment]")];
const nameOf = (home) => (data ? home.name : home.dataset.environment);
let want = {};

function matches(record) {
  if (!record.lower && want.q) record.lower = record.text.toLowerCase();
  return (!want.status || record.status === want.status) && (!want.severity || record.severity === want.severity)
    && (!want.environment || record.environment === want.environment)
    && (!want.q || record.lower.includes(want.q.toLowerCase()));
}

function card(record) {
  const list = make("dl");
  for (const [label, text] of record.facts) list.append(make("dt", null, label), make("dd", null, text));
  return make("article", {class: "item", "data-status": record.status, "data-severity": record.severity},
    make("h4", null, ...mark(record.kind, record.id)),
    make("p", null, make("strong", null, words(record.status)), `, severity ${record.severity}`), list);
}
function table(title, shown, labels) {
  const body = make("tbody");
  for (const record of shown) {
    const facts = Object.fromEntries(record.facts);
    body.append(make("tr", {"data-status": record.status, "data-severity": record.severity},
      make("th", {scope: "row"}, ...mark(record.kind, record.id)),
      ...labels.map((label) => make("td", null, facts[label] || ""))));
  }
  const head = make("tr", null, ...["Item", ...labels].map((label) => make("th", {scope: "col"}, label)));
  return [make("h4", null, `${title} (${shown.length})`), make("table", null, make("thead", null, head), body)];
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
  fold.append(...shown.filter((record) => kindOf(record.status) === "wrong").map(card));
  if (home.fragment) fold.append(fragment(home.fragment));
  const ignored = shown.filter((record) => record.status === "ignored");
  if (ignored.length) fold.append(...table("Ignored", ignored, ["Address", "Why"]));
  const sync = shown.filter((record) => record.status === "in_sync");
  if (sync.length) fold.append(...table("In sync", sync, ["Address"]));
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
    const count = (kind) => shown.filter((record) => kindOf(record.status) === kind).length;
    const said = `: ${home.verdict}; ${count("wrong")} not clean, ${count("ignored")} ignored, `
      + `${count("sync")} in sync`;
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
  const count = (list, kind) => list.filter((record) => kindOf(record.status) === kind).length;
  const said = [["wrong", "not clean"], ["ignored", "ignored"], ["sync", "in sync"]].map(([kind, text]) =>
    `${count(found, kind)} of ${count(records, kind)} ${text}`);
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
