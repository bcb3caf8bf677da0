// One XMPP session over a WebSocket (RFC 7395): login without a name, requests, pings, the end.

import { NS, childOf, el, errorOf, parse, render } from './xml.js';

export const PING_EVERY = 10000; // ms; nginx closes a WebSocket that is idle for 60 s
const STANZAS = [ 'iq', 'message', 'presence' ];

export class Stream {
    // `onStanza` gets every message, presence and IQ request; `onLost` is called once where the
    // stream ends without having been closed here.
    constructor({ url, domain, onStanza, onLost }) {
        this.domain = domain;
        this.onStanza = onStanza;
        this.onLost = onLost;
        this.jid = null;
        this.lost = null;
        this.pending = new Map();
        this.nonzas = [];
        this.waiting = null;
        this.unanswered = 0;
        this.count = 0;
        this.url = url;
    }

    connect() {
        this.socket = new WebSocket(this.url, 'xmpp');
        this.socket.onmessage = ({ data }) => this.receive(data);

        return new Promise((resolve, reject) => {
            this.socket.onopen = resolve;
            this.socket.onclose = ({ code, reason }) => {
                const words = `the WebSocket was closed with code ${code} ${reason}`.trim();

                reject(new Error(`${words} (no connection to ${this.url})`));
                this.end(words);
            };
        });
    }

    async login() {
        await this.open();
        this.send(el(NS.SASL, 'auth', { mechanism: 'ANONYMOUS' }));
        const answer = await this.nonza();

        if (answer.localName !== 'success') {
            throw new Error(`the login to '${this.domain}' was refused: ${render(answer)}`);
        }
        await this.open();
        const bound = await this.request('set', el(NS.BIND, 'bind'));

        this.jid = childOf(childOf(bound, NS.BIND, 'bind'), NS.BIND, 'jid').textContent;
        this.timer = setInterval(() => this.ping(), PING_EVERY);

        return this.jid;
    }

    send(element) {
        if (this.lost === null) {
            this.socket.send(render(element));
        }
    }

    // The result of an IQ; an Error with `condition` where it is refused or the stream ends.
    request(type, payload, to = null) {
        const id = `b${++this.count}`;

        return new Promise((resolve, reject) => {
            if (this.lost !== null) {
                reject(new Error(`the stream to '${this.domain}' has ended: ${this.lost}`));

                return;
            }
            this.pending.set(id, { resolve, reject });
            this.send(el(NS.CLIENT, 'iq', { type, id, to }, payload));
        });
    }

    close() {
        this.send(el(NS.FRAMING, 'close'));
        this.finish('left');
        this.socket.close();
    }

    async open() {
        this.send(el(NS.FRAMING, 'open', { to: this.domain, version: '1.0' }));
        for (const expected of [ 'open', 'features' ]) {
            const answer = await this.nonza();

            if (answer.localName !== expected) {
                throw new Error(`'${this.domain}' sent ${render(answer)}, not '${expected}'`);
            }
        }
    }

    async nonza() {
        if (!this.nonzas.length) {
            await new Promise((resolve, reject) => {
                this.waiting = { resolve, reject };
            });
        }

        return this.nonzas.shift();
    }

    receive(text) {
        const stanza = parse(text);

        if (STANZAS.includes(stanza.localName)) {
            this.take(stanza);
        } else if (stanza.localName === 'error' && stanza.namespaceURI === NS.STREAM) {
            this.end(`stream error ${stanza.firstElementChild?.localName}`);
        } else if (stanza.localName === 'close') {
            this.end('the server closed the stream');
        } else {
            this.nonzas.push(stanza);
            this.waiting?.resolve();
            this.waiting = null;
        }
    }

    take(stanza) {
        const type = stanza.getAttribute('type');
        const asked = this.pending.get(stanza.getAttribute('id'));

        if (stanza.localName !== 'iq' || ![ 'result', 'error' ].includes(type)) {
            this.onStanza(stanza);
        } else if (asked && type === 'result') {
            asked.resolve(stanza);
        } else if (asked) {
            const { condition, text } = errorOf(stanza);

            asked.reject(Object.assign(new Error(`${condition} ${text}`.trim()), { condition }));
        }
        this.pending.delete(stanza.getAttribute('id'));
    }

    ping() {
        if (this.unanswered >= 2) {
            this.end(`no answer to pings for ${2 * PING_EVERY / 1000} s`);
            this.socket.close();

            return;
        }
        this.unanswered += 1;
        const answered = () => {
            this.unanswered = 0;
        };

        // An error is also an answer.
        this.request('get', el(NS.PING, 'ping'), this.domain).then(answered, answered);
    }

    end(reason) {
        if (this.lost === null) {
            this.finish(reason);
            this.onLost(reason);
        }
    }

    finish(reason) {
        const error = new Error(`the stream to '${this.domain}' ended: ${reason}`);

        this.lost = reason;
        clearInterval(this.timer);
        this.waiting?.reject(error);
        this.pending.forEach(({ reject }) => reject(error));
        this.pending.clear();
    }
}
