// The lab as a drawing.  Each row of cells hangs on a line to the JMS; a cell's own line is solid
// while it is connected, and dashed with a cross when it is not.  Marks say the same as colours.

import { draw, make } from './dom.js';

const GAP = 8;
const CELL = 104;
const HIGH = 46;
const CHIP = 52;
const CHIP_HIGH = 34;
const CAPTION = 'In a bridge: its participants and its stress. In a vnode: its clients; ⇄ is an s2s connection.';
const MOODS = { asked: '…', fine: '✓', troubled: '!', stale: '?', silent: '✕' };

const text = (x, y, words, name = '', anchor = 'start') =>
    draw('text', { x, y, class: name, 'text-anchor': anchor }, words);
const box = (x, y, width, height, name) =>
    draw('rect', { x, y, width, height, rx: 5, class: name });
const line = (x1, y1, x2, y2, name) => draw('line', { x1, y1, x2, y2, class: name });
const short = (words, most) => words.length > most ? `${words.slice(0, most - 1)}…` : words;

export function drawMap({ snapshot, wide }) {
    const width = wide ? 720 : 360;
    const parts = [];
    const bridges = new Map(snapshot.bridges.map(one => [ one.node, one ]));
    const jms = snapshot.nodes.find(one => one.role === 'jms');
    let y = drawJms(parts, jms, bridges.get(jms.name), snapshot, width);
    let end = 0;
    const others = snapshot.nodes.filter(one => one !== jms);
    const cells = others.filter(one => bridges.has(one.name));
    const trunk = y - 24;
    if (cells.length) {
        y = drawCells(parts, cells, bridges, width, y);
        end = y - HIGH - 20;
    }
    const holders = others.filter(one => !bridges.has(one.name));
    for (const node of [ jms, ...holders ]) {
        const vnodes = snapshot.vnodes.filter(one => one.node === node.name);
        if (vnodes.length || node !== jms) {
            end = y + 20;
            y = drawVNodes(parts, node, vnodes, width, y);
        }
    }
    if (end) {
        parts.unshift(line(3, trunk, 3, end, 'wire'), line(3, trunk, GAP, trunk, 'wire'));
    }
    return [ draw('svg', { viewBox: `0 0 ${width} ${y + 4}`, role: 'img', 'aria-label': words(snapshot) },
        ...parts), make('figcaption', {}, CAPTION) ];
}

function drawJms(parts, node, bridge, snapshot, width) {
    parts.push(
        box(GAP, 4, width - GAP - 2, 60, `node ${node.mood}`),
        text(GAP + 8, 21, `${MOODS[node.mood]} ${node.name}`, 'name'),
        text(width - 12, 21, node.address, 'small', 'end'),
        text(GAP + 8, 38, short(snapshot.domain, 40), 'small'));
    if (bridge) {
        parts.push(text(GAP + 8, 54, `bridge ${figures(bridge)}`, bridge.operational ? 'small' : 'small bad'));
        parts.push(...stress(width - 112, 47, 100, bridge));
    }
    return 74;
}

function figures(bridge) {
    const mark = bridge.operational ? '' : '✕ ';
    const people = bridge.endpoints === null ? '–' : bridge.endpoints;
    const busy = bridge.stress === null ? '–' : bridge.stress.toFixed(2);
    return `${mark}${people} · ${busy}`;
}

function stress(x, y, width, bridge) {
    const share = Math.min(1, bridge.stress ?? 0);
    return [ box(x, y, width, 5, 'track'), box(x, y, Math.max(1, width * share), 5, share > 0.8 ? 'bar high' : 'bar') ];
}

function drawCells(parts, nodes, bridges, width, y) {
    const columns = Math.floor((width - GAP) / (CELL + GAP));
    nodes.forEach((node, index) => {
        const column = index % columns;
        const top = y + Math.floor(index / columns) * (HIGH + 22) + 12;
        const x = GAP + column * (CELL + GAP);
        if (column === 0) {
            const last = Math.min(columns, nodes.length - index) - 1;
            parts.push(line(3, top - 10, GAP + last * (CELL + GAP) + CELL / 2, top - 10, 'wire'));
        }
        parts.push(...cell(x, top, node, bridges.get(node.name)));
    });
    return y + Math.ceil(nodes.length / columns) * (HIGH + 22);
}

function cell(x, y, node, bridge) {
    const joined = bridge.in_brewery && bridge.operational;
    const middle = x + CELL / 2;
    return [
        line(middle, y - 10, middle, y, joined ? 'wire' : 'wire broken'),
        box(x, y, CELL, HIGH, `node ${joined ? node.mood : 'troubled'}`),
        text(x + 6, y + 15, short(`${MOODS[node.mood]} ${node.name}`, 15), 'name'),
        text(x + 6, y + 30, figures(bridge), joined ? 'small' : 'small bad'),
        ...stress(x + 6, y + 36, CELL - 12, bridge)
    ];
}

function drawVNodes(parts, node, vnodes, width, y) {
    const columns = Math.floor((width - 2 * GAP) / (CHIP + 4));
    const rows = Math.ceil(vnodes.length / columns);
    const height = 26 + rows * (CHIP_HIGH + 4);
    const top = y + 4;
    parts.push(
        line(3, top + 16, GAP, top + 16, 'wire'),
        box(GAP, top, width - GAP - 2, height, `node ${node.mood}`),
        text(GAP + 8, top + 17, `${MOODS[node.mood]} ${node.name}`, 'name'),
        text(width - 12, top + 17, node.address, 'small', 'end'));
    vnodes.forEach((vnode, index) => {
        const x = GAP + 6 + index % columns * (CHIP + 4);
        const at = top + 24 + Math.floor(index / columns) * (CHIP_HIGH + 4);
        const works = vnode.active && vnode.registered;
        const linked = vnode.s2s_in + vnode.s2s_out > 0;
        parts.push(
            box(x, at, CHIP, CHIP_HIGH, `chip ${works ? linked ? 'linked' : '' : 'bad'}`),
            text(x + CHIP / 2, at + 14, `${works ? linked ? '⇄ ' : '' : '✕ '}${vnode.name}`, works ? 'name' : 'name bad', 'middle'),
            text(x + CHIP / 2, at + 28, vnode.clients === null ? '–' : String(vnode.clients), 'small', 'middle'));
    });
    return top + height + 10;
}

function words(snapshot) {
    const up = snapshot.bridges.filter(one => one.operational).length;
    const linked = snapshot.vnodes.filter(one => one.active && one.registered).length;
    const wrong = snapshot.nodes.filter(one => one.mood !== 'fine').map(one => `${one.name} is ${one.mood}`);
    return `Topology: ${snapshot.nodes.length} nodes, ${up} of ${snapshot.bridges.length} bridges operational, `
        + `${linked} of ${snapshot.vnodes.length} vnodes registered. ${wrong.join(', ')} The tables below say the same.`;
}
