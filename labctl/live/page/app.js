// Asks for the lab's state again and again, one question at a time, and shows it.  A tab that
// nobody sees asks nothing; what is shown is replaced, so that nothing grows in a day.

import { byId, make, remake, say } from './dom.js';
import { drawLoad } from './load.js';
import { drawMap } from './map.js';
import { showRecords } from './records.js';
import { bits, count, show } from './tables.js';

const WORDS = { asked: 'asking …', fine: 'fine', troubled: 'TROUBLE', stale: 'STALE', silent: 'SILENT' };
const PATIENCE = 10000;
const OLD = 15;
const wide = matchMedia('(min-width: 48rem)');
let state;
let mark;
let timer;
let polls = 0;

function headline(lab) {
    const drill = lab.drill ? ` Drill '${lab.drill}' is not over.` : '';
    if (!lab.complete) {
        return `Asking its nodes …${drill}`;
    }
    return (lab.healthy ? 'Healthy.' : `NOT healthy: ${Object.keys(lab.missing).length} missing.`) + drill;
}

function showHead(lab) {
    document.title = `${lab.healthy ? '✓' : '✕'} ${lab.lab} – labctl`;
    say(byId('title'), `Lab '${lab.lab}'`);
    say(byId('state'), headline(lab));
    byId('state').className = lab.healthy ? 'good' : 'wrong';
    say(byId('stand-ins'), lab.stand_ins.length ? `STAND-INS, not Jitsi's software: ${lab.stand_ins.join(', ')}` : '');
    const all = lab.totals;
    say(byId('totals'), all.participants === null ? 'Jicofo does not answer.'
        : `Conferences: ${count(all.conferences)}, participants: ${all.participants}, of them visitors: `
        + `${count(all.visitors)}; moved: ${count(all.moved)}, bridges lost: ${count(all.lost_bridges)}.`);
    const missing = Object.entries(lab.missing);
    byId('missing-part').hidden = missing.length === 0;
    remake(byId('missing'), missing, items => items.map(([ name, seen ]) => make('li', {}, `${name}: ${seen}`)));
    remake(byId('advice'), lab.advice, items => items.map(one => make('li', {}, `${one.says} → ${one.cure}`)));
}

function onlyLinesOf(node) {
    byId('only').value = node;
    showLog(state.snapshot);
    byId('log-title').focus();
}

function nodeRow(node) {
    const total = Object.keys(node.units).length;
    const units = total ? `${total - node.idle_units.length} of ${total} active`
        + (node.idle_units.length ? `; not ${node.idle_units.join(', ')}` : '') : node.error;
    const age = node.mood === 'stale' && node.age !== null ? ` ${Math.round(node.age)} s` : '';
    return {
        key: node.name, tone: node.mood,
        cells: [ node.name, WORDS[node.mood] + age, units, node.address,
            { button: `Log of ${node.name}`, act: () => onlyLinesOf(node.name) } ]
    };
}

function bridgeRow(one, words) {
    const flow = one.traffic;
    const media = one.media.problem ? `FAILED ${one.media.tried}` : one.media.passed || 'never tried';
    return {
        key: one.nick, tone: one.operational && one.healthy !== false ? one.stale ? 'stale' : 'fine' : 'troubled',
        cells: [ one.nick, words[`bridge ${one.nick}`], one.stress === null ? '–' : one.stress.toFixed(2),
            count(one.conferences), count(one.endpoints), count(one.visitors),
            flow ? bits(flow.bits_in) : '–', flow ? bits(flow.bits_out) : '–', media, who(one.present) ]
    };
}

// People by room.  They are told by their ids: Jicofo knows no other names.
function who(present) {
    const ids = present.groups.flatMap(group => group.ids);
    const lines = present.groups.map(group => `${roomName(group.room)}: ${group.ids.join(', ')}`);
    if (present.left_out) {
        lines.push(`and ${present.left_out} more`);
    }
    return { summary: ids.length ? `${ids.length + present.left_out} known` : 'nobody known', lines };
}

const roomName = address => address.split('@')[0];

function vnodeRow(one, words) {
    return {
        key: one.name, tone: one.active && one.registered ? one.stale ? 'stale' : 'fine' : 'troubled',
        cells: [ one.name, words[`vnode ${one.name}`], count(one.clients), count(one.s2s_in), count(one.s2s_out), one.node,
            who(one.present) ]
    };
}

function personWords(person) {
    return person.vnode ? `${person.id} (visitor on ${person.vnode})` : person.visitor ? `${person.id} (visitor)` : person.id;
}

function conferenceRow(one) {
    const places = new Map();
    for (const person of one.people) {
        const known = places.get(person.bridge) ?? [];
        places.set(person.bridge, [ ...known, personWords(person) ]);
    }
    const lines = [ ...places ].map(([ bridge, people ]) => `${bridge}: ${people.join(', ')}`);
    if (one.left_out) {
        lines.push(`and ${one.left_out} more`);
    }
    const bridges = Object.entries(one.bridges).map(([ nick, people ]) => `${nick} ${people}`).join(', ');
    return {
        key: one.room, tone: 'fine',
        cells: [ one.room, String(one.participants), String(one.visitors), { summary: bridges || 'no bridge yet', lines } ]
    };
}

function showTables({ snapshot, words }) {
    show(byId('nodes'), [ 'Node', 'State', 'Units', 'Address', 'Log' ], snapshot.nodes.map(nodeRow));
    show(byId('bridges'), [ 'Bridge', 'State', 'Stress', 'Conferences', 'People', 'Visitors', 'In', 'Out', 'Media passed', 'Who' ],
        snapshot.bridges.map(one => bridgeRow(one, words)));
    show(byId('vnodes'), [ 'Vnode', 'State', 'Clients', 'S2s in', 'S2s out', 'Node', 'Visitors by name' ],
        snapshot.vnodes.map(one => vnodeRow(one, words)));
    byId('no-vnodes').hidden = snapshot.vnodes.length > 0;
    show(byId('conferences'), [ 'Room', 'People', 'Visitors', 'Bridges and who is there' ], snapshot.conferences.map(conferenceRow));
    byId('no-conferences').hidden = snapshot.conferences.length > 0;
    say(byId('more-conferences'), snapshot.more_conferences ? `And ${snapshot.more_conferences} more.` : '');
}

function showLog(lab) {
    const choice = byId('only');
    const chosen = choice.value;
    remake(choice, lab.nodes.map(one => one.name), names => [ '', ...names ].map(name =>
        make('option', { value: name }, name || 'all nodes')));
    choice.value = chosen;
    if (byId('hold').checked) {
        return;
    }
    const frame = byId('log-box');
    const atEnd = frame.scrollHeight - frame.scrollTop - frame.clientHeight < 8;
    const lines = lab.lines.filter(one => chosen === '' || one.node === chosen);
    remake(byId('log'), lines, all => all.map(logLine));
    if (atEnd) {
        frame.scrollTop = frame.scrollHeight;
    }
}

function logLine(one) {
    const at = new Date(one.time * 1000);
    return make('li', { class: one.level },
        make('time', { datetime: at.toISOString() }, at.toLocaleTimeString()), ' ',
        make('span', { class: 'who' }, `${one.node} ${one.source}`), ' ',
        one.level === 'info' ? '' : make('strong', {}, `${one.level}: `),
        make('bdi', {}, one.text));
}

function showAll() {
    const lab = state.snapshot;
    showHead(lab);
    remake(byId('map'), { snapshot: { ...lab, at: 0, lines: [], conferences: [] }, wide: wide.matches }, drawMap);
    showTables(state);
    remake(byId('load'), state.samples, drawLoad);
    showLog(lab);
}

// Controls, and marks that turn the direction of text: names come from strangers.
const NO_TEXT = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const clean = (_, value) => typeof value === 'string' ? value.replace(NO_TEXT, '\ufffd') : value;

async function ask(path) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE), credentials: 'omit' });
    if (!answer.ok) {
        throw new Error(`${path}: ${answer.status}`);
    }
    // Where the class's page is no more, a web server may answer with another page.
    if (!/json/.test(answer.headers.get('content-type'))) {
        throw new Error(`${path}: another page`);
    }
    return [ JSON.parse(await answer.text(), clean), seconds(answer, 'date') - seconds(answer, 'last-modified') ];
}

// Both times are by the server's clock, so the browser's does not matter.
function seconds(answer, name) {
    return Date.parse(answer.headers.get(name)) / 1000;
}

async function poll() {
    clearTimeout(timer);
    try {
        const [ found, age ] = await ask('api/state');
        state = found;
        showAll();
        if (state.records !== mark) {
            const [ records ] = await ask('api/records');
            mark = records.mark;
            showRecords(records);
        }
        say(byId('link'), age > OLD ? `What you see is ${Math.round(age)} s old: 'labctl serve' has ended or does not reach the lab.` : '');
    } catch (error) {
        say(byId('link'), `'labctl serve' does not answer; what you see is old. (${error.message})`);
    }
    polls += 1;
    document.documentElement.dataset.polls = polls;
    if (!document.hidden) {
        timer = setTimeout(poll, 1000 * (state?.poll_seconds ?? 2));
    }
}

document.addEventListener('visibilitychange', () => document.hidden || poll());
wide.addEventListener('change', () => state && showAll());
byId('only').addEventListener('change', () => state && showLog(state.snapshot));
poll();
