// When packets came and when they did not: first packet, last packet and longest gap per track.
//
// The browser tells the time of the last packet; looked at often enough, the steps of that time are
// the gaps.  Trackers outlive a session, so the step from the last packet through an old bridge to
// the first one through a new bridge is a gap like any other.

export const LOOK_EVERY = 100; // ms
export const LOOK_CLOSER = 50; // ms, while packets stay away (the browser renews figures so often)

export class Gaps {
    constructor() {
        this.first = null;
        this.last = null;
        this.longest = 0;
        this.longestAt = null;
    }

    // `at` is the time of the last packet so far in ms (null: none yet).
    see(at) {
        if (at === null || at === undefined) {
            return;
        }
        if (this.last !== null && at - this.last > this.longest) {
            this.longest = at - this.last;
            this.longestAt = this.last;
        }
        this.first ??= at;
        this.last = Math.max(this.last ?? at, at);
    }

    // The longest gap from now on.
    reset() {
        this.longest = 0;
        this.longestAt = null;
    }

    // A gap that has not ended yet counts too.
    toJson(now) {
        const running = this.last === null ? 0 : now - this.last;

        return {
            first_packet: this.first,
            last_packet: this.last,
            longest_gap: Math.max(this.longest, running),
            longest_gap_at: running > this.longest ? this.last : this.longestAt
        };
    }
}
