import fs from 'node:fs';
import path from 'node:path';

export const properties = { usesBrowsers: [ 'p1' ] };

// Only the first run finds nothing in the home folder that labctl gives to a suite.
const mark = path.join(process.env.HOME!, 'suite', 'tried');

describe('A spec that is flaky', () => {
    it('passes when it is tried again', () => {
        const tried = fs.existsSync(mark);

        fs.writeFileSync(mark, '');
        expect(tried).toBe(true);
    });
});
