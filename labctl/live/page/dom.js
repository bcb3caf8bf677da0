// Elements from values.  Text is only ever set as text: names in a lab come from strangers.

const SVG = 'http://www.w3.org/2000/svg';

export const byId = id => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
}

export function draw(name, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
    for (const [ key, value ] of Object.entries(attributes)) {
        element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
}

// Changes nothing if the text is there already, so that a screen reader does not repeat it.
export function say(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
    element.hidden = text === '';
}

// Remembers what an element was made of, and makes it anew only if that has changed.
const made = new WeakMap();

export function remake(element, value, build) {
    const mark = JSON.stringify(value);
    if (made.get(element) !== mark) {
        made.set(element, mark);
        element.replaceChildren(...build(value));
    }
}
