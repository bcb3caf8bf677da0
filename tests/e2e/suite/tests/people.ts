// Participants for specs: labctl's own page, which the test puts on the lab's web server.

/** The browser of that name, in the room; the promise is kept when it has joined. */
export async function join(name: string, room: string): Promise<WebdriverIO.Browser> {
    const browser = multiRemoteBrowser.getInstance(name);
    const words = {
        domain: new URL(process.env.BASE_URL!).host,
        room,
        asked: room,
        tenant: '',
        service: '/xmpp-websocket',
        token: null,
        nick: name,
        visitor: false,
        audio: true,
        video: { width: 320, height: 180, frameRate: 10 },
        channel: 'auto',
        jsonSources: true,
        maxHeight: 180
    };

    await browser.url('static/labctl-participant/index.html');
    await browser.waitUntil(() => browser.execute(() => 'labctl' in globalThis), { timeout: 10_000 });
    await browser.execute(given => labctl.join(given), words);

    return browser;
}

/** What the page of a browser sees of others: frames that were decoded. */
export async function frames(browser: WebdriverIO.Browser): Promise<number> {
    const seen = await browser.execute(() => labctl.figures());

    return (seen.media?.received ?? []).reduce((sum, track) => sum + track.frames_decoded, 0);
}

/** A name that no other run has used. */
export const newRoom = () => `e2e-${Date.now().toString(36)}`;
