export const properties = { usesBrowsers: [ 'p1', 'p2', 'p3' ] };

describe('A call of three', () => {
    it('is too much for two cores', () => {
        throw new Error('This ran although only two browsers were allowed.');
    });
});
