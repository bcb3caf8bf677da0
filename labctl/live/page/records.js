// What the lab's folder holds: drills, the last crowd, the exercise.

import { byId, make, remake, say } from './dom.js';
import { drawAct } from './load.js';

export function showRecords(records) {
    remake(byId('drills'), records.drills, drills => drills.map(showDrill));
    byId('no-drills').hidden = records.drills.length > 0;
    say(byId('crowd'), records.crowd ? crowdWords(records.crowd) : '');
    say(byId('exercise'), records.exercise);
    byId('no-exercise').hidden = records.exercise !== '';
    remake(byId('problems'), records.problems, lines => lines.map(text => make('li', {}, text)));
}

function crowdWords(crowd) {
    const lost = Object.values(crowd.lost).reduce((sum, one) => sum + one, 0);
    const ended = new Date(crowd.ended * 1000).toLocaleString();
    return `The last crowd left at ${ended}: ${crowd.asked} asked, ${crowd.joined} joined, `
        + `${crowd.invited} invited, ${lost} lost, in room '${crowd.room}'.`;
}

function showDrill(drill) {
    const says = drill.says.flatMap(([ key, words ]) => [ make('dt', {}, key), make('dd', {}, words) ]);
    const acts = [ ...new Set(drill.timeline.map(one => one.act)) ].sort();
    const legend = drill.legend.map(([ , mark ]) => make('li', {}, mark));
    return make('article', { class: drill.bad ? 'bad' : 'fine' },
        make('h3', {}, `${drill.title}: ${drill.verdict}`),
        make('details', {}, make('summary', {}, 'What happened'), make('dl', {}, ...says),
            ...acts.map(act => make('figure', {}, drawAct(drill, act),
                make('figcaption', {}, drill.acts[act] ? `${drill.acts[act].fault}: ${drill.acts[act].where}` : ''))),
            make('ol', { class: 'legend' }, ...legend)));
}
