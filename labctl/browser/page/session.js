// One Jingle session with a bridge: a peer connection, its m-lines, its channel.

import { BridgeChannel } from './channel.js';
import { readOffer, renderAccept, renderIceFailed } from './jingle.js';
import { Lines } from './lines.js';
import { readAnswer, renderSdp } from './sdp.js';
import { readSources } from './sources.js';

const GATHER_WITHIN = 2000; // ms

// Resolves when every own candidate is known, or after some time with those that are.
function gathered(connection) {
    return new Promise(resolve => {
        const look = () => connection.iceGatheringState === 'complete' && resolve();

        connection.addEventListener('icegatheringstatechange', look);
        setTimeout(resolve, GATHER_WITHIN);
        look();
    });
}

export class Session {
    // `owner` has: nick, jid, stream (local MediaStream or null), wanted channel, maxHeight,
    // report(kind, details), ask(jingle) for an IQ to the focus, show(track, mediaTrack), hide(track).
    constructor(jingle, owner) {
        this.owner = owner;
        this.offer = readOffer(jingle);
        this.lines = new Lines(this.offer);
        this.lines.add(readSources(jingle));
        this.version = 1;
        this.closed = false;
        this.channel = null;
        this.connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
        this.connection.onconnectionstatechange = () => this.changed();
        this.connection.ontrack = ({ track, transceiver }) => this.arrived(track, transceiver);
        // Renegotiations must not overlap.
        this.work = Promise.resolve();
    }

    // Connect to the bridge and tell the focus; an Error where either refuses.
    accept() {
        return this.queue(async () => {
            this.openSctp();
            await this.connection.setRemoteDescription(this.description());
            await this.attach();
            await this.connection.setLocalDescription(await this.connection.createAnswer());
            await gathered(this.connection);
            const own = readAnswer(this.connection.localDescription.sdp, this.owner.nick);

            await this.owner.ask(renderAccept(this.offer, own, this.owner.jid));
            this.openWebSocket();
        });
    }

    // Sources of others came or went.
    change(action, jingle) {
        const tracks = readSources(jingle);

        return this.queue(async () => {
            this.lines[action](tracks);
            if (action === 'remove') {
                tracks.forEach(track => this.owner.hide(track));
            }
            await this.connection.setRemoteDescription(this.description());
            await this.connection.setLocalDescription(await this.connection.createAnswer());
        });
    }

    close() {
        this.closed = true;
        this.channel?.close();
        this.connection.close();
    }

    trackAt(mid) {
        return this.lines.trackAt(mid);
    }

    queue(step) {
        const next = this.work.then(() => this.closed ? undefined : step());

        this.work = next.catch(() => undefined);

        return next;
    }

    description() {
        return { type: 'offer', sdp: renderSdp(this.offer, this.lines.all, this.version++) };
    }

    // Our own tracks on the two first lines; a visitor has none.
    async attach() {
        for (const transceiver of this.connection.getTransceivers()) {
            const kind = transceiver.receiver.track.kind;
            const track = this.owner.stream?.getTracks().find(one => one.kind === kind);

            if (track && transceiver.mid === kind) {
                await transceiver.sender.replaceTrack(track);
                transceiver.sender.setStreams(this.owner.stream);
                transceiver.direction = 'sendrecv';
            }
        }
    }

    arrived(mediaTrack, transceiver) {
        const track = this.trackAt(transceiver.mid);

        if (track) {
            this.owner.show(track, mediaTrack);
        }
    }

    changed() {
        const state = this.connection.connectionState;

        this.owner.report(`media-${state}`, { sid: this.offer.sid });
        if (state === 'failed') {
            this.owner.ask(renderIceFailed(this.offer)).catch(
                error => this.owner.report('refused', { what: 'session-info', text: error.message }));
        }
    }

    // WebSocket where the bridge offers one, else SCTP, unless one of them was asked for.
    wants(kind) {
        const { webSockets } = this.offer.transport;
        const chosen = this.owner.channel === 'auto'
            ? webSockets.length ? 'websocket' : 'sctp'
            : this.owner.channel;

        return chosen === kind && (kind === 'sctp' ? 'data' in this.offer.contents : webSockets.length);
    }

    openSctp() {
        if (this.wants('sctp')) {
            this.use(BridgeChannel.bySctp(this.connection, this.owner.report));
        }
    }

    openWebSocket() {
        if (this.wants('websocket')) {
            const [ url ] = this.offer.transport.webSockets;

            this.use(BridgeChannel.byWebSocket(url, this.owner.report));
        }
    }

    use(channel) {
        this.channel = channel;
        channel.onOpen = () => channel.constrain(this.owner.maxHeight);
    }
}
