// Media sources of others, in both notations (XML and compact JSON), as one list of tracks.
//
// A track is what one m-line receives: {key, owner, media, name, msid, ssrc, rtx}.

import { NS, childOf, childrenOf } from './xml.js';

const SEMANTICS = { f: 'FID', s: 'SIM' };

// All sources and groups of a <jingle/> of session-initiate, source-add or source-remove.
export function readSources(jingle) {
    const json = childOf(jingle, NS.JITMEET, 'json-message');
    const read = json ? readJson(JSON.parse(json.textContent).sources) : readXml(jingle);

    return makeTracks(read.sources, read.groups);
}

function readXml(jingle) {
    const found = { sources: [], groups: [] };

    for (const content of childrenOf(jingle, NS.JINGLE, 'content')) {
        const description = childOf(content, NS.RTP, 'description');
        const media = description?.getAttribute('media') ?? content.getAttribute('name');

        found.sources.push(
            ...childrenOf(description, NS.SSMA, 'source').map(one => readXmlSource(one, media)));
        found.groups.push(...childrenOf(description, NS.SSMA, 'ssrc-group').map(readXmlGroup));
    }

    return found;
}

function readXmlSource(element, media) {
    const parameters = childrenOf(element, NS.SSMA, 'parameter');
    const msid = parameters.find(one => one.getAttribute('name') === 'msid');

    return {
        media,
        owner: childOf(element, NS.JITMEET, 'ssrc-info')?.getAttribute('owner') ?? '',
        ssrc: Number(element.getAttribute('ssrc')),
        name: element.getAttribute('name'),
        msid: msid?.getAttribute('value') ?? null
    };
}

function readXmlGroup(element) {
    return {
        semantics: element.getAttribute('semantics'),
        ssrcs: childrenOf(element, NS.SSMA, 'source').map(one => Number(one.getAttribute('ssrc')))
    };
}

// {owner: [[video sources], [video groups], [audio sources], [audio groups]]}, empty tails left out.
function readJson(byOwner) {
    const found = { sources: [], groups: [] };

    for (const [ owner, lists ] of Object.entries(byOwner)) {
        [ [ 'video', 0 ], [ 'audio', 2 ] ].forEach(([ media, at ]) => {
            for (const { s, n, m } of lists[at] ?? []) {
                found.sources.push({ owner, media, ssrc: s, name: n ?? null, msid: m ?? null });
            }
            for (const [ kind, ...ssrcs ] of lists[at + 1] ?? []) {
                found.groups.push({ semantics: SEMANTICS[kind] ?? kind, ssrcs });
            }
        });
    }

    return found;
}

// One track for each name; a bridge forwards simulcast under the first SSRC of its group.
function makeTracks(sources, groups) {
    const tracks = new Map();
    const sim = groups.filter(one => one.semantics === 'SIM');
    const fid = groups.filter(one => one.semantics === 'FID');
    const hidden = new Set([
        ...fid.map(one => one.ssrcs[1]),
        ...sim.flatMap(one => one.ssrcs.slice(1))
    ]);

    for (const source of sources.filter(one => !hidden.has(one.ssrc))) {
        const key = `${source.owner}/${source.name ?? source.ssrc}`;
        const rtx = fid.find(one => one.ssrcs[0] === source.ssrc)?.ssrcs[1] ?? null;

        tracks.set(key, { key, ...source, rtx });
    }

    return [ ...tracks.values() ];
}
