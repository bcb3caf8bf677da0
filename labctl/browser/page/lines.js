// Which m-line carries what: our own two, the data channel, and one for each track of others.

export class Lines {
    // `offer` as `readOffer` gives it; tracks of the bridge itself share our own lines.
    constructor(offer) {
        const names = [ 'audio', 'video', 'data' ].filter(name => name in offer.contents);

        this.all = names.map(name => ({ mid: name, media: name, direction: 'recvonly', track: null }));
        this.owned = names.length;
    }

    // Add tracks; those that exist already are ignored.
    add(tracks) {
        for (const track of tracks) {
            if (!this.all.some(line => line.track?.key === track.key)) {
                this.place(track);
            }
        }
    }

    remove(tracks) {
        const gone = new Set(tracks.map(one => one.key));

        for (const line of this.all.filter(one => gone.has(one.track?.key))) {
            const own = this.all.indexOf(line) < this.owned;

            line.track = null;
            line.direction = own ? 'recvonly' : 'inactive';
        }
    }

    // The track that a line receives now; null for our own lines and unused ones.
    trackAt(mid) {
        return this.all.slice(this.owned).find(line => line.mid === mid)?.track ?? null;
    }

    place(track) {
        if (track.owner === 'jvb') {
            const own = this.all.find(line => line.mid === track.media);

            Object.assign(own ?? {}, { track, direction: 'sendrecv' });

            return;
        }
        const free = this.all.slice(this.owned)
            .find(line => line.track === null && line.media === track.media);
        const line = free ?? { mid: `${this.all.length}`, media: track.media };

        Object.assign(line, { track, direction: 'sendonly' });
        if (!free) {
            this.all.push(line);
        }
    }
}
