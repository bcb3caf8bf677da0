// One participant: joins, answers invitations, shows what it receives, reports figures.

import { capsElement, discoInfo, featuresOf } from './caps.js';
import { look, measure } from './figures.js';
import { Gaps, LOOK_CLOSER, LOOK_EVERY } from './gaps.js';
import { readReason } from './jingle.js';
import * as room from './room.js';
import { Session } from './session.js';
import { Stream } from './stream.js';
import { hideAll, hideOne, show } from './tiles.js';
import { NS, childOf } from './xml.js';

const VNODE_DOMAIN = 'meet.jitsi'; // hard-coded in Jitsi's client
const BACK_OFF = [ 500, 1000, 2000, 4000 ]; // ms, while the focus says that it is not ready
const NO_MORE = { audio: false, video: false };
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

export class Participant {
    // options: domain, room (its address's local part), asked (its plain name), tenant (a part of host
    // names, with its dot, or empty), service (the path of the WebSocket), token (or null), nick, visitor, audio, video
    // (constraints or false), channel ('auto', 'websocket' or 'sctp'), jsonSources, maxHeight.
    constructor(options) {
        this.options = options;
        this.nick = options.nick;
        this.channel = options.channel;
        this.maxHeight = options.maxHeight;
        this.features = featuresOf(options);
        this.events = [];
        this.occupants = {};
        this.gaps = new Map();
        this.vnode = null;
        this.session = null;
        this.stream = null;
        this.report = (kind, details = {}) => this.events.push(
            { kind, at: performance.timeOrigin + performance.now(), details });
    }

    get jid() {
        return this.xmpp.jid;
    }

    get occupantJid() {
        return `${this.roomJid(this.vnode)}/${this.nick}`;
    }

    async join() {
        this.caps = await capsElement(this.features);
        await this.connect(null);
        const { vnode } = await this.askFocus();

        this.report('answered', { vnode: vnode ?? '' });
        if (vnode) {
            this.report('redirected', { vnode });
            this.xmpp.close();
            await this.connect(vnode);
        } else {
            await this.openDevices();
        }
        await this.enter();
        this.watch();
    }

    async leave() {
        this.session?.close();
        this.session = null;
        if (this.xmpp?.lost === null) {
            this.xmpp.send(room.leaving(this.occupantJid));
            this.xmpp.close();
        }
        this.stream?.getTracks().forEach(one => one.stop());
        this.report('left');
    }

    // The participant's state and figures, as plain data.
    async figures() {
        const { nick, vnode, session } = this;
        const gapsOf = key => this.gapsOf(key);
        const trackAt = mid => session.trackAt(mid);

        return {
            nick,
            vnode,
            now: performance.timeOrigin + performance.now(),
            occupants: this.occupants,
            events: this.events,
            channel: session?.channel?.toJson() ?? null,
            media: session ? await measure(session.connection, { trackAt, gapsOf }) : null
        };
    }

    // Reset the longest gaps.
    resetGaps() {
        this.gaps.forEach(one => one.reset());
    }

    gapsOf(key) {
        if (!this.gaps.has(key)) {
            this.gaps.set(key, new Gaps());
        }

        return this.gaps.get(key);
    }

    // What a Session needs from its owner.

    ask(jingle) {
        return this.xmpp.request('set', jingle, `${this.roomJid(this.vnode)}/focus`);
    }

    show(track, mediaTrack) {
        show(track, mediaTrack);
    }

    hide(track) {
        hideOne(track.key);
    }

    // Joining.

    roomJid(vnode) {
        return `${this.options.room}@conference.${this.options.tenant}${this.host(vnode)}`;
    }

    host(vnode) {
        return vnode ? `${vnode}.${VNODE_DOMAIN}` : this.options.domain;
    }

    async connect(vnode) {
        const query = new URLSearchParams({
            room: this.options.asked,
            ...vnode ? { vnode } : {},
            ...this.options.token ? { token: this.options.token } : {}
        });

        this.vnode = vnode;
        this.occupants = {};
        this.xmpp = new Stream({
            url: `wss://${location.host}${this.options.service}?${query}`,
            domain: this.host(vnode),
            onStanza: stanza => this.take(stanza),
            onLost: reason => this.lose(reason)
        });
        await this.xmpp.connect();
        this.report('connected', { vnode: vnode ?? '' });
        this.report('authenticated', { jid: await this.xmpp.login() });
    }

    async askFocus() {
        for (let tries = 0; ; tries += 1) {
            const request = room.conferenceRequest(this.roomJid(null), this.options);
            const answer = room.readAnswer(
                await this.xmpp.request('set', request, `focus.${this.options.domain}`));

            if (answer.ready) {
                return answer;
            }
            this.report('waiting');
            await pause(BACK_OFF[Math.min(tries, BACK_OFF.length - 1)]);
        }
    }

    // Visitors must not send, so they do not even open a device.
    async openDevices() {
        const { audio, video } = { ...NO_MORE, ...this.options };

        if (audio || video) {
            this.stream = await navigator.mediaDevices.getUserMedia({ audio, video });
        }
    }

    async enter() {
        const inside = new Promise((resolve, reject) => {
            this.entered = { resolve, reject };
        });
        const sources = (this.stream?.getTracks() ?? []).map(one => `${this.nick}-${one.kind[0]}0`);

        this.xmpp.send(room.presence(this.occupantJid,
            { nick: this.nick, caps: this.caps, sources, first: true }));
        this.report('joined', { role: await inside });
    }

    // What comes.

    take(stanza) {
        if (stanza.localName === 'presence') {
            this.takePresence(room.readPresence(stanza));
        } else if (stanza.localName === 'iq') {
            this.takeRequest(stanza);
        }
    }

    takePresence({ room: from, nick, type, role, own }) {
        if (from !== this.roomJid(this.vnode)) {
            return;
        }
        if (type === 'error') {
            this.entered?.reject(new Error('the room refused the presence'));
        } else if (type === 'unavailable') {
            delete this.occupants[nick];
        } else {
            this.occupants[nick] = role;
        }
        if (own && type === 'unavailable') {
            this.report('removed');
        } else if (own) {
            this.entered?.resolve(role);
        }
    }

    takeRequest(iq) {
        const jingle = childOf(iq, NS.JINGLE, 'jingle');
        const disco = childOf(iq, NS.DISCO_INFO, 'query');

        if (jingle) {
            this.xmpp.send(room.reply(iq));
            this.takeJingle(jingle);
        } else if (disco) {
            this.xmpp.send(room.reply(iq, discoInfo(this.features, disco.getAttribute('node'))));
        } else if (childOf(iq, NS.PING, 'ping')) {
            this.xmpp.send(room.reply(iq));
        } else {
            this.xmpp.send(room.refusal(iq));
        }
    }

    takeJingle(jingle) {
        const action = jingle.getAttribute('action');

        if (action === 'session-initiate') {
            this.begin(jingle);
        } else if (action === 'session-terminate') {
            this.report('terminated', { sid: jingle.getAttribute('sid'), ...readReason(jingle) });
            this.endSession();
        } else if (action === 'source-add') {
            this.attempt('source-add', () => this.session?.change('add', jingle));
        } else if (action === 'source-remove') {
            this.attempt('source-remove', () => this.session?.change('remove', jingle));
        }
    }

    begin(jingle) {
        const again = this.events.some(one => one.kind === 'invited');

        this.endSession();
        this.attempt('session-accept', async () => {
            const session = this.session = new Session(jingle, this);
            const { sid, bridgeSession, region } = session.offer;

            this.report(again ? 'reinvited' : 'invited',
                { sid, 'bridge_session': bridgeSession, region });
            await session.accept();
            this.report('accepted', { sid });
        });
    }

    async attempt(what, work) {
        try {
            await work();
        } catch (error) {
            this.report('refused', { what, condition: error.condition ?? '', text: error.message });
        }
    }

    endSession() {
        this.session?.close();
        this.session = null;
        hideAll();
    }

    lose(reason) {
        this.endSession();
        this.entered?.reject(new Error(reason));
        this.report('lost', { reason });
    }

    // Watches the times of packets for as long as the stream lives.
    async watch() {
        while (this.xmpp.lost === null) {
            const { session } = this;
            const late = session && await look(session.connection, {
                trackAt: mid => session.trackAt(mid),
                gapsOf: key => this.gapsOf(key)
            }, LOOK_EVERY);

            await pause(late ? LOOK_CLOSER : LOOK_EVERY);
        }
    }
}
