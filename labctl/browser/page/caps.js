// What a participant says that it can do: disco#info and entity capabilities (XEP-0115).

import { NS, el } from './xml.js';

const NODE = 'urn:labctl:browser';
const IDENTITY = { category: 'client', type: 'web', name: 'labctl browser' };
const FEATURES = [
    NS.CAPS,
    NS.DISCO_INFO,
    NS.JINGLE,
    NS.RTP,
    NS.ICE_UDP,
    NS.DTLS,
    NS.PING,
    'urn:xmpp:jingle:apps:rtp:audio',
    'urn:xmpp:jingle:apps:rtp:video',
    'urn:ietf:rfc:4588',
    'http://jitsi.org/tcc',
    'http://jitsi.org/source-name',
    'http://jitsi.org/receive-multiple-video-streams',
    'http://jitsi.org/visitors-1'
];
const JSON_SOURCES = 'http://jitsi.org/json-encoded-sources';

// The features for the wanted kind of bridge channel and notation of sources.
export function featuresOf({ channel, jsonSources }) {
    const found = [ ...FEATURES ];

    if (channel !== 'websocket') {
        found.push(NS.DTLS_SCTP);
    }
    if (jsonSources) {
        found.push(JSON_SOURCES);
    }

    return found.sort();
}

// The `ver` of XEP-0115, 5.1: base64 of SHA-1 over the identity and the sorted features.
async function verification(features) {
    const parts = [ `${IDENTITY.category}/${IDENTITY.type}//${IDENTITY.name}`, ...features ];
    const bytes = new TextEncoder().encode(parts.map(part => `${part}<`).join(''));
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', bytes));

    return btoa(String.fromCharCode(...digest));
}

export async function capsElement(features) {
    const ver = await verification(features);

    return el(NS.CAPS, 'c', { hash: 'sha-1', node: NODE, ver });
}

// The answer to disco#info; `node` is echoed as it was asked.
export function discoInfo(features, node) {
    const children = features.map(name => el(NS.DISCO_INFO, 'feature', { 'var': name }));

    return el(NS.DISCO_INFO, 'query', { node }, el(NS.DISCO_INFO, 'identity', IDENTITY), ...children);
}
