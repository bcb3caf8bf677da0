import { expectations } from '../../expectations';
import { frames, join, newRoom } from '../../people';

export const properties = { usesBrowsers: [ 'p1', 'p2' ] };

describe('A call of two', () => {
    it('has picture on both sides', async () => {
        const room = newRoom();
        const people = await Promise.all([ join('p1', room), join('p2', room) ]);

        for (const one of people) {
            await one.waitUntil(async () => await frames(one) > 0, { timeout: 40_000 });
        }
    });

    it('verifies certificates', () => {
        const browser = multiRemoteBrowser.getInstance('p1');

        expect(browser.capabilities.acceptInsecureCerts).toBe(false);
        expect(JSON.stringify(browser.requestedCapabilities)).toContain('host-resolver-rules');
        expect(JSON.stringify(browser.requestedCapabilities)).not.toContain('ignore-certificate-errors');
    });

    it('goes through a TURN server', function() {
        if (!expectations.connectivity.jvb.turn) {
            this.skip();
        }
        throw new Error('The lab of this suite has no TURN server.');
    });
});
