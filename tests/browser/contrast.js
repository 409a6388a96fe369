// Copyright (c) 2026 KeyBuzz
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Every text that is shown, with its contrast as the browser computed both colours (WCAG 2.2, 1.4.3).
(() => {
  const parse = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
    return {red, green, blue, alpha};
  };
  const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ({red, green, blue}) => 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.alpha === 1) return found;
      if (found.alpha !== 0) throw new Error("a ground that shines through is not computed here");
    }
    return {red: 255, green: 255, blue: 255};
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || ["SCRIPT", "STYLE"].includes(element.tagName)) {
      continue;
    }
    const [dark, light] = [parse(getComputedStyle(element).color), ground(element)].map(luminance).sort((a, b) => a - b);
    found.push({
      text: walker.currentNode.data.trim().slice(0, 40), kind: element.className, tag: element.tagName,
      contrast: (light + 0.05) / (dark + 0.05),
    });
  }
  return found;
})()
