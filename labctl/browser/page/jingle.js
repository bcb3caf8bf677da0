// Jingle read into plain values, and written from them (docs/facts/signalling.md, 9 to 11).

import { NS, childOf, childrenOf, el } from './xml.js';

function attributesOf(element) {
    return Object.fromEntries([ ...element.attributes ].map(one => [ one.name, one.value ]));
}

function readPayload(element) {
    return {
        ...attributesOf(element),
        parameters: childrenOf(element, NS.RTP, 'parameter').map(attributesOf),
        feedback: childrenOf(element, NS.RTCP_FB, 'rtcp-fb').map(attributesOf)
    };
}

function readTransport(element) {
    const fingerprint = childOf(element, NS.DTLS, 'fingerprint');

    return {
        ufrag: element.getAttribute('ufrag'),
        pwd: element.getAttribute('pwd'),
        hash: fingerprint.getAttribute('hash'),
        setup: fingerprint.getAttribute('setup'),
        fingerprint: fingerprint.textContent.trim(),
        candidates: childrenOf(element, NS.ICE_UDP, 'candidate').map(attributesOf),
        webSockets: childrenOf(element, NS.COLIBRI, 'web-socket').map(one => one.getAttribute('url'))
    };
}

function readContent(element) {
    const description = childOf(element, NS.RTP, 'description');
    const transport = childOf(element, NS.ICE_UDP, 'transport');

    return {
        name: element.getAttribute('name'),
        payloads: childrenOf(description, NS.RTP, 'payload-type').map(readPayload),
        extensions: childrenOf(description, NS.RTP_HDREXT, 'rtp-hdrext').map(attributesOf),
        mixed: childOf(description, NS.RTP_HDREXT, 'extmap-allow-mixed') !== null,
        sctpPort: childOf(transport, NS.DTLS_SCTP, 'sctpmap')?.getAttribute('number') ?? null,
        transport: readTransport(transport)
    };
}

// A session-initiate: contents by name ('audio', 'video', 'data'), the transport that all share.
export function readOffer(jingle) {
    const contents = childrenOf(jingle, NS.JINGLE, 'content').map(readContent);
    const bridge = childOf(jingle, NS.FOCUS, 'bridge-session');

    return {
        sid: jingle.getAttribute('sid'),
        initiator: jingle.getAttribute('initiator'),
        bridgeSession: bridge?.getAttribute('id') ?? '',
        region: bridge?.getAttribute('region') ?? '',
        contents: Object.fromEntries(contents.map(one => [ one.name, one ])),
        transport: contents[0].transport
    };
}

// Reason and text of a session-terminate.
export function readReason(jingle) {
    const reason = childOf(jingle, NS.JINGLE, 'reason');
    const children = [ ...reason?.children ?? [] ];

    return {
        reason: children.find(one => one.localName !== 'text')?.localName ?? '',
        text: children.find(one => one.localName === 'text')?.textContent ?? ''
    };
}

function renderTransport(own) {
    const candidates = own.candidates.map(one => el(NS.ICE_UDP, 'candidate', one));
    const { hash, setup } = own;

    return el(NS.ICE_UDP, 'transport', { ufrag: own.ufrag, pwd: own.pwd },
        el(NS.ICE_UDP, 'rtcp-mux'),
        el(NS.DTLS, 'fingerprint', { hash, setup }, own.fingerprint),
        ...candidates);
}

function renderSource({ ssrc, name, msid }) {
    const parameter = el(NS.SSMA, 'parameter', { name: 'msid', value: msid });

    return el(NS.SSMA, 'source', { ssrc, name }, parameter);
}

function renderGroup({ semantics, ssrcs }) {
    return el(NS.SSMA, 'ssrc-group', { semantics },
        ...ssrcs.map(ssrc => el(NS.SSMA, 'source', { ssrc })));
}

// A <content/>; `own` is what `readAnswer` found, `content` the one that was offered.
function renderContent(content, own) {
    const media = content.name;
    const payloads = content.payloads.map(({ id, name, clockrate, channels }) =>
        el(NS.RTP, 'payload-type', { id, name, clockrate, channels }));
    const description = el(NS.RTP, 'description', { media }, ...payloads,
        el(NS.RTP, 'rtcp-mux'),
        ...own.sources.filter(one => one.media === media).map(renderSource),
        ...own.groups.filter(one => one.media === media).map(renderGroup));

    return el(NS.JINGLE, 'content', { creator: 'initiator', name: media, senders: 'both' },
        description, renderTransport(own));
}

export function renderAccept(offer, own, responder) {
    const contents = [ 'audio', 'video' ].filter(name => name in offer.contents);
    const group = el(NS.GROUPING, 'group', { semantics: 'BUNDLE' },
        ...contents.map(name => el(NS.GROUPING, 'content', { name })));

    return el(NS.JINGLE, 'jingle',
        { action: 'session-accept', initiator: offer.initiator, responder, sid: offer.sid },
        ...contents.map(name => renderContent(offer.contents[name], own)), group);
}

// The message that tells Jicofo that ICE has failed; it then invites again (docs/facts/signalling.md, 11).
export function renderIceFailed(offer) {
    return el(NS.JINGLE, 'jingle', { action: 'session-info', initiator: offer.initiator, sid: offer.sid },
        el(NS.FOCUS, 'ice-state', {}, 'failed'),
        el(NS.FOCUS, 'bridge-session', { id: offer.bridgeSession }));
}
