// The stanzas of a Jitsi conference: request, presence, replies (docs/facts/client.md, 1 to 4).

import { NS, childOf, childrenOf, el } from './xml.js';

export function conferenceRequest(room, { visitor }) {
    const machine = crypto.randomUUID().replaceAll('-', '');
    const properties = { 'visitors-version': '1', rtcstatsEnabled: 'false' };

    if (visitor) {
        properties.visitor = 'true';
    }

    return el(NS.FOCUS, 'conference', { room, 'machine-uid': machine },
        ...Object.entries(properties).map(
            ([ name, value ]) => el(NS.FOCUS, 'property', { name, value })));
}

export function readAnswer(iq) {
    const conference = childOf(iq, NS.FOCUS, 'conference');

    if (!conference) {
        throw new Error('the conference request was answered without a conference');
    }

    return {
        ready: conference.getAttribute('ready') === 'true',
        vnode: conference.getAttribute('vnode') || null
    };
}

// Presence in the room; `sources` are the names of what we send.
export function presence(to, { nick, caps, sources, first }) {
    const info = Object.fromEntries(sources.map(name => [ name, {
        muted: false,
        ...name.includes('-v') ? { videoType: 'camera' } : {}
    } ]));

    return el(NS.CLIENT, 'presence', { to },
        ...first ? [ el(NS.MUC, 'x') ] : [],
        el(NS.CLIENT, 'stats-id', {}, `Browser-${nick.slice(0, 3)}`),
        caps,
        el(NS.CLIENT, 'SourceInfo', {}, JSON.stringify(info)),
        el(NS.CLIENT, 'jitsi_participant_codecList', {}, 'vp8'),
        el(NS.NICK, 'nick', {}, nick));
}

export function leaving(to) {
    return el(NS.CLIENT, 'presence', { to, type: 'unavailable' });
}

export function readPresence(stanza) {
    const x = childOf(stanza, NS.MUC_USER, 'x');
    const item = childOf(x, NS.MUC_USER, 'item');

    return {
        room: stanza.getAttribute('from').split('/')[0],
        nick: stanza.getAttribute('from').split('/')[1] ?? '',
        type: stanza.getAttribute('type') ?? '',
        role: item?.getAttribute('role') ?? 'none',
        own: childrenOf(x, NS.MUC_USER, 'status').some(one => one.getAttribute('code') === '110')
    };
}

export function reply(iq, payload = null) {
    const attributes = { type: 'result', id: iq.getAttribute('id'), to: iq.getAttribute('from') };

    return el(NS.CLIENT, 'iq', attributes, ...payload ? [ payload ] : []);
}

export function refusal(iq) {
    const attributes = { type: 'error', id: iq.getAttribute('id'), to: iq.getAttribute('from') };
    const condition = el(NS.STANZAS, 'service-unavailable');

    return el(NS.CLIENT, 'iq', attributes, el(NS.CLIENT, 'error', { type: 'cancel' }, condition));
}
