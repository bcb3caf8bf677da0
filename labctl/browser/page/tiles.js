// What a participant receives, on the page: a picture for each video track, sound for each other.

const shown = new Map();

function make(track) {
    const figure = document.createElement('figure');
    const player = document.createElement(track.media);
    const caption = document.createElement('figcaption');

    player.autoplay = true;
    caption.textContent = track.name ?? track.owner;
    figure.append(player, caption);
    document.getElementById('tiles').append(figure);

    return { figure, player };
}

export function show(track, mediaTrack) {
    hideOne(track.key);
    const made = make(track);

    made.player.srcObject = new MediaStream([ mediaTrack ]);
    shown.set(track.key, made);
}

export function hideAll() {
    [ ...shown.keys() ].forEach(hideOne);
}

export function hideOne(key) {
    const found = shown.get(key);

    if (found) {
        found.player.srcObject = null;
        found.figure.remove();
        shown.delete(key);
    }
}
