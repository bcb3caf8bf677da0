// The channel to the bridge, by WebSocket or by SCTP: JSON messages, named by `colibriClass`.

const PROTOCOL = 'http://jitsi.org/protocols/colibri';
const LABEL = 'JVB data channel';

export class BridgeChannel {
    // `kind` is 'websocket' or 'sctp'; `report(kind, details)` tells what happens.
    constructor(kind, transport, report) {
        this.kind = kind;
        this.report = report;
        this.transport = transport;
        this.received = {};
        this.last = {};
        transport.onopen = () => this.opened();
        transport.onclose = event => this.closed(event);
        transport.onmessage = ({ data }) => this.receive(data);
    }

    static byWebSocket(url, report) {
        return new BridgeChannel('websocket', new WebSocket(url), report);
    }

    static bySctp(connection, report) {
        const channel = connection.createDataChannel(LABEL, { protocol: PROTOCOL });

        return new BridgeChannel('sctp', channel, report);
    }

    get open() {
        return this.transport.readyState === 'open' || this.transport.readyState === WebSocket.OPEN;
    }

    send(message) {
        if (this.open) {
            this.transport.send(JSON.stringify(message));
        }
    }

    // What this participant wants to see: everybody, at `maxHeight` lines at most.
    constrain(maxHeight, lastN = -1) {
        this.send({
            colibriClass: 'ReceiverVideoConstraints',
            lastN,
            defaultConstraints: { maxHeight }
        });
    }

    close() {
        this.transport.onclose = null;
        this.transport.close();
    }

    // For `figures()`: how many messages of each class came, and the last of each.
    toJson() {
        return { kind: this.kind, open: this.open, received: this.received, last: this.last };
    }

    opened() {
        this.report('channel-open', { channel: this.kind });
        this.onOpen?.();
    }

    closed(event) {
        this.report('channel-closed', { channel: this.kind, code: String(event.code ?? '') });
    }

    receive(data) {
        const message = JSON.parse(data);
        const name = message.colibriClass ?? 'unknown';

        this.received[name] = (this.received[name] ?? 0) + 1;
        this.last[name] = message;
    }
}
