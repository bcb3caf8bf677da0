// For pages that are not ours: keeps every peer connection that a page makes, and reports its figures.

(() => {
    const Original = globalThis.RTCPeerConnection;
    const made = [];

    globalThis.RTCPeerConnection = class extends Original {
        constructor(...words) {
            super(...words);
            made.push(this);
        }
    };

    globalThis.labctlWatch = {
        // Of the newest connection that is open; only the page knows whose a track is.
        async figures() {
            const { measure } = await import('/labctl-participant/figures.js');
            const { Gaps } = await import('/labctl-participant/gaps.js');
            const connection = made.filter(one => one.signalingState !== 'closed').at(-1);
            const trackAt = mid => ({ owner: '', name: mid, key: mid });
            const nick = globalThis.APP?.conference?.getMyUserId?.() ?? '';

            return {
                nick,
                vnode: null,
                now: performance.timeOrigin + performance.now(),
                occupants: {},
                events: [],
                channel: null,
                media: connection
                    ? await measure(connection, { trackAt, gapsOf: () => new Gaps() }) : null
            };
        }
    };
})();
