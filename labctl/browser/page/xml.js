// Namespaces, and XML elements built and read with the browser's own DOM.

export const NS = {
    BIND: 'urn:ietf:params:xml:ns:xmpp-bind',
    CAPS: 'http://jabber.org/protocol/caps',
    CLIENT: 'jabber:client',
    COLIBRI: 'http://jitsi.org/protocol/colibri',
    DISCO_INFO: 'http://jabber.org/protocol/disco#info',
    DTLS: 'urn:xmpp:jingle:apps:dtls:0',
    DTLS_SCTP: 'urn:xmpp:jingle:transports:dtls-sctp:1',
    FOCUS: 'http://jitsi.org/protocol/focus',
    FRAMING: 'urn:ietf:params:xml:ns:xmpp-framing',
    GROUPING: 'urn:xmpp:jingle:apps:grouping:0',
    ICE_UDP: 'urn:xmpp:jingle:transports:ice-udp:1',
    JINGLE: 'urn:xmpp:jingle:1',
    JITMEET: 'http://jitsi.org/jitmeet',
    MUC: 'http://jabber.org/protocol/muc',
    MUC_USER: 'http://jabber.org/protocol/muc#user',
    NICK: 'http://jabber.org/protocol/nick',
    PING: 'urn:xmpp:ping',
    RTCP_FB: 'urn:xmpp:jingle:apps:rtp:rtcp-fb:0',
    RTP: 'urn:xmpp:jingle:apps:rtp:1',
    RTP_HDREXT: 'urn:xmpp:jingle:apps:rtp:rtp-hdrext:0',
    SASL: 'urn:ietf:params:xml:ns:xmpp-sasl',
    SSMA: 'urn:xmpp:jingle:apps:rtp:ssma:0',
    STANZAS: 'urn:ietf:params:xml:ns:xmpp-stanzas',
    STREAM: 'http://etherx.jabber.org/streams'
};

const blank = document.implementation.createDocument(null, null);

// An element; attributes that are null or undefined are left out, children may be text.
export function el(namespace, name, attributes = {}, ...children) {
    const made = blank.createElementNS(namespace, name);

    for (const [ key, value ] of Object.entries(attributes)) {
        if (value !== null && value !== undefined) {
            made.setAttribute(key, value);
        }
    }
    made.append(...children);

    return made;
}

export function render(element) {
    return new XMLSerializer().serializeToString(element);
}

// The one element in a text; an Error where it is not XML.
export function parse(text) {
    const found = new DOMParser().parseFromString(text, 'text/xml').documentElement;

    if (found.localName === 'parsererror' || found.getElementsByTagName('parsererror').length) {
        throw new Error(`not XML: ${text.slice(0, 200)}`);
    }

    return found;
}

export function childrenOf(element, namespace, name) {
    return [ ...element?.children ?? [] ].filter(
        one => one.localName === name && one.namespaceURI === namespace);
}

export function childOf(element, namespace, name) {
    return childrenOf(element, namespace, name)[0] ?? null;
}

// Condition and text of an error stanza.
export function errorOf(stanza) {
    const error = childOf(stanza, NS.CLIENT, 'error');
    const named = [ ...error?.children ?? [] ].filter(one => one.namespaceURI === NS.STANZAS);
    const condition = named.find(one => one.localName !== 'text')?.localName ?? 'unknown';
    const text = named.find(one => one.localName === 'text')?.textContent ?? '';

    return { condition, text };
}
