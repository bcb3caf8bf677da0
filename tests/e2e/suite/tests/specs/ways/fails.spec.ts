import { join, newRoom } from '../../people';

export const properties = { usesBrowsers: [ 'p1' ] };

describe('A participant alone', () => {
    it('is not in a room that it did not join', async () => {
        const one = await join('p1', newRoom());

        await expect(one.$('#title')).toHaveText('another room: p1', { wait: 500 });
    });
});
