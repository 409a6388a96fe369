# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Style of the report's page. A constant, so that its hash in the page's policy never changes by data.

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
.badge{display:inline-block;border:1px solid;border-radius:1rem;padding:0 .65rem;font-size:.9rem;font-weight:600}
.badge.critical{color:var(--error)}.badge.high{color:var(--drift)}
.badge.medium,.badge.low,.badge.info{color:var(--quiet)}
.scroll{overflow-x:auto}.tall{max-height:60vh;overflow:auto}.tall thead th{position:sticky;top:0}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--quiet);padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
.scroll th,.scroll td{min-width:8rem;overflow-wrap:break-word}
.items th:first-child{width:38%}
thead th{background:var(--raised)}
.filter{display:flex;flex-wrap:wrap;gap:.75rem;align-items:end;background:var(--raised);padding:.75rem 1rem;
border-radius:.5rem;margin:1rem 0}
.filter label{display:grid;gap:.2rem;font-weight:600;min-width:0}
.filter p{flex-basis:100%;margin:0}
input,select,button{font:inherit;font-weight:400;color:var(--text);background:var(--ground);
border:1px solid var(--line);border-radius:.3rem;padding:.4rem .6rem;min-height:2.5rem;max-width:100%}
button{cursor:pointer}
.environment{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;margin:1rem 0}
.item{border-left:.3rem solid var(--line);padding:.25rem 0 .25rem .9rem;margin:1.25rem 0}
.item.drift{border-color:var(--drift);color:var(--text)}.item.error{border-color:var(--error);color:var(--text)}
.item.unchecked{border-color:var(--unchecked);color:var(--text)}
.item p{margin:.3rem 0}.owner summary{color:var(--quiet)}
dl{display:grid;grid-template-columns:8rem 1fr;gap:.15rem 1rem;margin:.4rem 0}
dt{color:var(--quiet)}dd{margin:0;white-space:pre-wrap;min-width:0}
pre{background:var(--raised);margin:.5rem 0;padding:.75rem;border-radius:.3rem;
overflow:auto;white-space:pre;overflow-wrap:normal}
summary{cursor:pointer;padding:.3rem 0}summary h3,summary h4{display:inline}
code{font-family:ui-monospace,monospace}
@media (max-width:40rem){dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .4rem}.filter label{flex:1 1 40%}
.filter select,.filter input{width:100%;min-width:0}
th,td{padding:.35rem}#matrix th:first-child{position:sticky;left:0;min-width:6rem;background:var(--ground)}
#matrix thead th:first-child{background:var(--raised);z-index:1}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{:root{color-scheme:light;--ground:#ffffff;--raised:#ffffff;--text:#000000;--quiet:#333333;--line:#777777;
--link:#000000;--sync:#000000;--drift:#000000;--unchecked:#000000;--error:#000000}
.filter,.skip,button{display:none!important}body{max-width:none;padding:0}
html{font-size:10pt}.scroll{overflow:visible;max-height:none}#matrix th{position:static;min-width:0}
.scroll th,.scroll td{min-width:0;padding:.3rem}#matrix{font-size:.85em}#matrix code{overflow-wrap:anywhere}
pre{white-space:pre-wrap}.item,tr{break-inside:avoid}
details::details-content{content-visibility:visible;block-size:auto;display:block}}
"""
