// Tables whose rows keep their elements, so that focus and open details stay while figures change.

import { make } from './dom.js';

export function count(value) {
    return value === null ? '–' : String(value);
}

export function bits(value) {
    for (const [ unit, size ] of [ [ 'Gb/s', 1e9 ], [ 'Mb/s', 1e6 ], [ 'kb/s', 1e3 ] ]) {
        if (value >= size) {
            return `${(value / size).toFixed(1)} ${unit}`;
        }
    }
    return `${Math.round(value)} b/s`;
}

function setUp(table, columns) {
    const head = columns.map(name => make('th', { scope: 'col' }, name));
    table.replaceChildren(make('thead', {}, make('tr', {}, ...head)), make('tbody'));
}

// A row is { key, tone, cells }; a cell is a text, or { button, act }, or { summary, lines }.
export function show(table, columns, rows) {
    if (!table.tHead) {
        setUp(table, columns);
    }
    const body = table.tBodies[0];
    const known = new Map([ ...body.rows ].map(row => [ row.dataset.key, row ]));
    rows.forEach((row, index) => {
        const line = known.get(row.key) ?? newRow(row);
        known.delete(row.key);
        if (body.rows[index] !== line) {
            body.insertBefore(line, body.rows[index] ?? null);
        }
        line.className = row.tone;
        row.cells.forEach((cell, place) => update(line.cells[place], cell));
    });
    known.forEach(row => row.remove());
    table.hidden = rows.length === 0;
}

function newRow(row) {
    const cells = row.cells.map((cell, place) => {
        const box = place === 0 ? make('th', { scope: 'row' }) : make('td');
        box.append(content(cell));
        return box;
    });
    const line = make('tr', {}, ...cells);
    line.dataset.key = row.key;
    return line;
}

function content(cell) {
    if (cell.button !== undefined) {
        const button = make('button', { type: 'button' });
        button.addEventListener('click', cell.act);
        return button;
    }
    if (cell.summary !== undefined) {
        return make('details', {}, make('summary'), make('ul'));
    }
    return make('bdi');
}

function update(box, cell) {
    const inner = box.firstChild;
    if (cell.button !== undefined) {
        set(inner, cell.button);
    } else if (cell.summary !== undefined) {
        set(inner.firstChild, cell.summary);
        const items = [ ...inner.lastChild.children ].map(item => item.textContent);
        if (JSON.stringify(items) !== JSON.stringify(cell.lines)) {
            inner.lastChild.replaceChildren(...cell.lines.map(text => make('li', {}, text)));
        }
    } else {
        set(inner, cell);
    }
}

function set(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}
