// Lines over time: how many people were there, and a drill's moments.

import { draw, make } from './dom.js';

const WIDTH = 360;
const HIGH = 92;
const LEFT = 34;
const LANE = 22;
const NAMES = 92;

const text = (x, y, words, name = '', anchor = 'start') =>
    draw('text', { x, y, class: name, 'text-anchor': anchor }, words);
const line = (x1, y1, x2, y2, name) => draw('line', { x1, y1, x2, y2, class: name });

export function drawLoad(samples) {
    if (samples.length < 2) {
        return [ make('p', { class: 'soft' }, 'There are no figures yet.') ];
    }
    const first = samples[0].at;
    const span = samples.at(-1).at - first || 1;
    const most = Math.max(1, ...samples.map(one => one.participants));
    const x = one => LEFT + (WIDTH - LEFT - 6) * (one.at - first) / span;
    const y = value => 6 + (HIGH - 22) * (1 - value / most);
    const path = key => samples.map(one => `${x(one).toFixed(1)},${y(one[key]).toFixed(1)}`).join(' ');
    const now = samples.at(-1);
    const said = `Now ${now.participants} participants, of them ${now.visitors} visitors; at most ${most}.`;
    return [
        draw('svg', { viewBox: `0 0 ${WIDTH} ${HIGH}`, role: 'img', 'aria-label': said },
            line(LEFT, y(0), WIDTH, y(0), 'grid'), line(LEFT, y(most), WIDTH, y(most), 'grid'),
            text(LEFT - 4, y(0) + 4, '0', 'small', 'end'), text(LEFT - 4, y(most) + 4, String(most), 'small', 'end'),
            text(LEFT, HIGH - 4, `${Math.round(span / 60)} min ago`, 'small'), text(WIDTH - 4, HIGH - 4, 'now', 'small', 'end'),
            draw('polyline', { points: path('participants'), class: 'people' }),
            draw('polyline', { points: path('visitors'), class: 'visitors' })),
        make('figcaption', {}, `${said} Solid: participants; dashed: the visitors among them.`)
    ];
}

// One act of a drill: a lane for every component and participant, from the fault on.
export function drawAct(drill, act) {
    const moments = drill.timeline.filter(one => one.act === act);
    const lanes = [ ...new Set([ ...moments.map(one => one.subject), ...drill.people ]) ];
    const longest = Math.max(0.1, ...moments.map(one => one.at)) * 1.05;
    const x = at => NAMES + (WIDTH - NAMES - 12) * Math.max(0, at) / longest;
    const marks = drill.legend.map(([ , mark ]) => mark);
    const height = 26 + lanes.length * LANE;
    const parts = [ text(NAMES, 11, 'fault', 'small', 'middle'), line(NAMES, 14, NAMES, height - 10, 'fault'),
        text(WIDTH - 4, 11, `${longest.toFixed(1)} s`, 'small', 'end') ];
    lanes.forEach((name, index) => {
        const y = 28 + index * LANE;
        parts.push(line(NAMES, y, WIDTH - 8, y, 'grid'), text(NAMES - 8, y + 4, name.slice(0, 13), 'small', 'end'));
    });
    for (const one of moments) {
        const y = 28 + lanes.indexOf(one.subject) * LANE;
        parts.push(line(x(one.at), y - 9, x(one.at), y + 9, 'tick'),
            text(x(one.at) + 2, y - 2, String(marks.indexOf(one.mark) + 1), 'number'));
    }
    const said = moments.map(one => `${one.subject} ${one.mark} after ${one.at.toFixed(1)} s`).join('; ');
    return draw('svg', { viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': said || 'Nothing happened.' }, ...parts);
}
