// What the browser's getStats says, for each track of others and for what we send.

const now = () => performance.timeOrigin + performance.now();

function received(one) {
    return {
        media: one.kind,
        ssrc: one.ssrc,
        packets: one.packetsReceived ?? 0,
        bytes: one.bytesReceived ?? 0,
        lost: one.packetsLost ?? 0,
        jitter: one.jitter ?? 0,
        frames_decoded: one.framesDecoded ?? 0,
        frames_dropped: one.framesDropped ?? 0,
        key_frames: one.keyFramesDecoded ?? 0,
        freezes: one.freezeCount ?? 0,
        width: one.frameWidth ?? 0,
        height: one.frameHeight ?? 0,
        plis: one.pliCount ?? 0,
        nacks: one.nackCount ?? 0,
        audio_energy: one.totalAudioEnergy ?? 0,
        audio_seconds: one.totalSamplesDuration ?? 0,
        concealed: one.concealedSamples ?? 0
    };
}

function sent(one) {
    return {
        ssrc: one.ssrc,
        media: one.kind,
        packets: one.packetsSent ?? 0,
        bytes: one.bytesSent ?? 0,
        frames: one.framesEncoded ?? 0,
        key_frames: one.keyFramesEncoded ?? 0,
        plis: one.pliCount ?? 0,
        nacks: one.nackCount ?? 0,
        target_bitrate: one.targetBitrate ?? 0,
        limited_by: one.qualityLimitationReason ?? ''
    };
}

function address(candidate) {
    return candidate && {
        address: candidate.address ?? '',
        port: candidate.port ?? 0,
        protocol: candidate.protocol ?? '',
        type: candidate.candidateType ?? ''
    };
}

function pairOf(stats) {
    const transport = [ ...stats.values() ].find(one => one.type === 'transport');
    const pair = stats.get(transport?.selectedCandidatePairId);

    return pair && {
        local: address(stats.get(pair.localCandidateId)),
        remote: address(stats.get(pair.remoteCandidateId)),
        rtt: pair.currentRoundTripTime ?? 0,
        available_out: pair.availableOutgoingBitrate ?? 0,
        dtls: transport.dtlsState ?? '',
        srtp: transport.srtpCipher ?? ''
    };
}

// Figures of one peer connection; `trackAt(mid)` says whose m-line it is, `gapsOf(key)` its gaps.
export async function measure(connection, { trackAt, gapsOf }) {
    const stats = await connection.getStats();
    const all = [ ...stats.values() ];
    const inbound = all.filter(one => one.type === 'inbound-rtp' && trackAt(one.mid));

    return {
        state: connection.connectionState,
        ice: connection.iceConnectionState,
        pair: pairOf(stats) ?? null,
        received: inbound.map(one => {
            const { owner, name, key } = trackAt(one.mid);
            const codec = stats.get(one.codecId)?.mimeType ?? '';

            return { owner, name, codec, ...received(one), ...gapsOf(key).toJson(now()) };
        }),
        sent: all.filter(one => one.type === 'outbound-rtp').map(sent)
    };
}

// The time of the last packet of each track, into its gaps; true where one stays away.
export async function look(connection, { trackAt, gapsOf }, patience) {
    const stats = await connection.getStats();
    let late = false;

    for (const one of stats.values()) {
        const track = one.type === 'inbound-rtp' && trackAt(one.mid);

        if (track) {
            gapsOf(track.key).see(one.lastPacketReceivedTimestamp);
            late ||= now() - (one.lastPacketReceivedTimestamp ?? 0) > patience;
        }
    }

    return late;
}
