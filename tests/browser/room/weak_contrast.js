// Every kind of text on the page that stands out from its ground by less than 4.5 to 1.

() => {
  const light = (text) => {
    const [r, g, b] = text
      .match(/[\d.]+/g)
      .map((part) => Number(part) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (/^rgb\(/.test(colour)) return colour;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  const weak = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const isApart = element.closest(":disabled, .hidden, .names-of, option");
    if (!hasText || isApart || !element.checkVisibility()) continue;
    const pair = [light(getComputedStyle(element).color), light(ground(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) weak.add(`${element.className || element.tagName}: ${ratio.toFixed(2)}`);
  }
  return [...weak];
};
