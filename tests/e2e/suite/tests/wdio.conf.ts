// Reads the same variables as the suite of jitsi-meet, and makes one browser for each name that the
// spec to be run declares.

import fs from 'node:fs';
import path from 'node:path';

const named = process.argv[process.argv.indexOf('--spec') + 1];
const declared = fs.readFileSync(named, 'utf8').match(/usesBrowsers: \[([^\]]*)\]/)![1];
const browsers = declared.match(/\w+/g)!;

const args = [
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
    '--mute-audio',

    // For people who test against installations without certificates; labctl does not allow it.
    '--ignore-certificate-errors',
    `--host-resolver-rules=${process.env.RESOLVER_RULES}`
];

if (process.env.HEADLESS === 'true') {
    args.push('--headless', '--window-size=800,600');
}

export const config = {
    runner: 'local',
    specs: [ 'specs/**/*.spec.ts' ],
    baseUrl: process.env.BASE_URL,
    framework: 'mocha',
    mochaOpts: { timeout: 60_000 },
    logLevel: 'warn',
    capabilities: Object.fromEntries(browsers.map(name => [ name, {
        capabilities: { acceptInsecureCerts: true, browserName: 'chrome', 'goog:chromeOptions': { args } }
    } ])),

    // As in jitsi-meet: labctl must not write over what a suite keeps for itself.
    beforeSession() {
        fs.mkdirSync(path.join(process.env.HOME!, 'suite'), { recursive: true });
    },

    // A report for other readers; labctl leaves it out.
    onComplete() {
        throw new Error('The suite made a report of its own.');
    }
};
