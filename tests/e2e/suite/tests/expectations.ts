// What labctl says that the lab has.

import fs from 'node:fs';

export const expectations = JSON.parse(fs.readFileSync(process.env.EXPECTATIONS!, 'utf8'));
