// The bridge's side as SDP, made of Jingle; and our own side read from the browser's answer.
//
// The m-lines, in order: 'audio' and 'video' (what we send; the bridge's own mixed sources stand
// there, too), 'data', then one line for each track of others.  A line whose track has gone stays
// as 'inactive' and is used again.  MIDs are not negotiated as a header extension: a bridge forwards
// packets of several senders, which are told apart by SSRC only.

const MID_URI = 'urn:ietf:params:rtp-hdrext:sdes:mid';
const PREFERRED = 'VP8'; // the first one is what a browser sends; AV1 costs several times as much
const NO_ADDRESS = 'IN IP4 0.0.0.0';

function candidateLine(one) {
    const words = [ one.foundation, one.component, one.protocol, one.priority, one.ip, one.port,
        'typ', one.type ];

    if (one['rel-addr']) {
        words.push('raddr', one['rel-addr'], 'rport', one['rel-port']);
    }
    if (one.tcptype) {
        words.push('tcptype', one.tcptype);
    }
    words.push('generation', one.generation ?? '0');

    return `a=candidate:${words.join(' ')}`;
}

function transportLines({ ufrag, pwd, hash, fingerprint, setup, candidates }) {
    return [
        `a=ice-ufrag:${ufrag}`,
        `a=ice-pwd:${pwd}`,
        `a=fingerprint:${hash} ${fingerprint}`,
        `a=setup:${setup}`,
        ...candidates.map(candidateLine)
    ];
}

function payloadLines({ id, name, clockrate, channels, parameters, feedback }) {
    const rate = channels && channels !== '1' ? `${clockrate}/${channels}` : clockrate;
    const format = parameters.map(one => one.name ? `${one.name}=${one.value}` : one.value)
        .map(text => text.replace(/;$/, ''));

    return [
        `a=rtpmap:${id} ${name}/${rate}`,
        ...format.length ? [ `a=fmtp:${id} ${format.join(';')}` ] : [],
        ...feedback.map(({ type, subtype }) => `a=rtcp-fb:${id} ${type}${subtype ? ` ${subtype}` : ''}`)
    ];
}

function sourceLines({ owner, name, ssrc, rtx, msid }) {
    const stream = msid ?? `${owner} ${name ?? ssrc}`;
    const all = rtx ? [ ssrc, rtx ] : [ ssrc ];

    return [
        `a=msid:${stream}`,
        ...rtx ? [ `a=ssrc-group:FID ${ssrc} ${rtx}` ] : [],
        ...all.map(one => `a=ssrc:${one} cname:${owner || 'bridge'}`)
    ];
}

function byPreference(payloads) {
    const first = payloads.filter(one => one.name === PREFERRED);

    return [ ...first, ...payloads.filter(one => !first.includes(one)) ];
}

function mediaLines(line, content) {
    const payloads = byPreference(content.payloads);

    return [
        `m=${line.media} 9 UDP/TLS/RTP/SAVPF ${payloads.map(one => one.id).join(' ')}`,
        `c=${NO_ADDRESS}`,
        `a=mid:${line.mid}`,
        `a=${line.direction}`,
        'a=rtcp-mux',
        ...content.mixed ? [ 'a=extmap-allow-mixed' ] : [],
        ...content.extensions.filter(one => one.uri !== MID_URI)
            .map(({ id, uri }) => `a=extmap:${id} ${uri}`),
        ...payloads.flatMap(payloadLines),
        ...line.track ? sourceLines(line.track) : [],
        ...transportLines(content.transport)
    ];
}

function dataLines(line, content) {
    return [
        'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
        `c=${NO_ADDRESS}`,
        `a=mid:${line.mid}`,
        `a=sctp-port:${content.sctpPort}`,
        ...transportLines(content.transport)
    ];
}

// The offer as SDP; `lines` are {mid, media, direction, track}, `version` grows with each.
export function renderSdp(offer, lines, version) {
    const sections = lines.flatMap(line => line.media === 'data'
        ? dataLines(line, offer.contents.data)
        : mediaLines(line, offer.contents[line.media]));

    return [
        'v=0',
        `o=- 1 ${version} ${NO_ADDRESS}`,
        's=-',
        't=0 0',
        `a=group:BUNDLE ${lines.map(line => line.mid).join(' ')}`,
        ...sections,
        ''
    ].join('\r\n');
}

function valueOf(section, name) {
    return section.match(new RegExp(`^a=${name}:(.*)$`, 'm'))?.[1].trim() ?? null;
}

function readCandidate(line, index) {
    const [ foundation, component, protocol, priority, ip, port, , type ] = line.split(' ');

    return {
        foundation, component, protocol: protocol.toLowerCase(), priority, ip, port, type,
        generation: '0', network: '0', id: `c${index}`
    };
}

function readOwnSources(section, name) {
    const media = section.match(/^m=(\w+)/)[1];
    const msid = valueOf(section, 'msid');
    const ssrcs = [ ...new Set([ ...section.matchAll(/^a=ssrc:(\d+)/gm) ].map(one => one[1])) ];
    const groups = [ ...section.matchAll(/^a=ssrc-group:(\w+) ([\d ]+)/gm) ];

    return {
        sources: ssrcs.map(ssrc => ({ media, ssrc, name, msid: msid ?? name })),
        groups: groups.map(one => ({ media, semantics: one[1], ssrcs: one[2].trim().split(' ') }))
    };
}

// Our transport and sources in an answer; `nick` names the sources as Jitsi's clients do.
export function readAnswer(sdp, nick) {
    const [ head, ...sections ] = sdp.replaceAll('\r', '').split(/^(?=m=)/m);
    const first = sections[0];
    const [ hash, fingerprint ]
        = (valueOf(first, 'fingerprint') ?? valueOf(head, 'fingerprint')).split(' ');
    const own = sections.filter(one => [ 'audio', 'video' ].includes(valueOf(one, 'mid')))
        .map(one => readOwnSources(one, `${nick}-${valueOf(one, 'mid')[0]}0`));
    const candidates = [ ...first.matchAll(/^a=candidate:(.*)$/gm) ].map(one => one[1].trim());

    return {
        ufrag: valueOf(first, 'ice-ufrag'),
        pwd: valueOf(first, 'ice-pwd'),
        hash,
        fingerprint,
        setup: valueOf(first, 'setup'),
        candidates: candidates.map(readCandidate),
        sources: own.flatMap(one => one.sources),
        groups: own.flatMap(one => one.groups)
    };
}
