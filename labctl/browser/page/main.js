// Functions for the program that opened this page.

import { Participant } from './participant.js';

let participant = null;

globalThis.labctl = {
    join(options) {
        document.getElementById('title').textContent = `${options.room}: ${options.nick}`;
        participant = new Participant(options);

        return participant.join();
    },
    figures: () => participant.figures(),
    resetGaps: () => participant.resetGaps(),
    // Also for a participant that has not joined: the page is always closed.
    leave: () => participant?.leave()
};
