// What labctl runs WebdriverIO with: the configuration of the suite, with the browser that labctl
// chose and a reporter of its own.  The variable LABCTL_E2E says which and where; see
// labctl/e2e/surroundings.py.

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const asked = JSON.parse(process.env.LABCTL_E2E);
const loaded = await import(pathToFileURL(asked.config).href);
const suite = loaded.config ?? loaded.default?.config;

if (!suite) {
    throw new Error(`'${asked.config}' exports no 'config'`);
}

const say = line => appendFileSync(asked.results, `${JSON.stringify(line)}\n`);
const now = () => Date.now() / 1000;
const list = hooks => hooks === undefined ? [] : Array.isArray(hooks) ? hooks : [ hooks ];

// Colours are for terminals.
const plain = text => String(text ?? '').replace(/\u001b\[[0-9;]*m/g, '');

/** Tells labctl what happens, a line of JSON each. */
class LabctlReporter {
    isSynchronised = true;

    emit(kind, it) {
        const named = state => this.case(it, state);

        switch (kind) {
        case 'runner:start':
            return say({ kind: 'began', at: now() });
        case 'test:pass':
            return named('passed');
        case 'test:fail':
            return named('failed');
        case 'test:pending':
            return named('skipped');
        case 'hook:end':
            return it.error && named('failed');
        case 'runner:end':
            return say({ kind: 'ended', at: now(), failures: it.failures ?? 0, message: plain(it.error) });
        }
    }

    case(it, outcome) {
        const title = it.parent ? `${it.parent}: ${it.title}` : it.title;

        say({
            kind: 'case',
            title,
            outcome,
            seconds: (it.duration ?? 0) / 1000,
            ended: now(),
            message: plain(it.error?.message),
            detail: plain(it.error?.stack)
        });
    }
}

/** Keeps what each browser shows, and its console, of a test or hook that failed. */
async function keepPages(test, _context, { error }) {
    if (!error) {
        return;
    }
    mkdirSync(asked.folder, { recursive: true });
    const all = globalThis.browser;
    const browsers = all.isMultiremote
        ? all.instances.map(name => [ name, all.getInstance(name) ]) : [ [ 'browser', all ] ];

    await Promise.allSettled(browsers.flatMap(([ name, browser ]) => [
        browser.takeScreenshot().then(shot => keep(`${name}.png`, Buffer.from(shot, 'base64'))),
        browser.getLogs('browser').then(lines => keep(`${name}.console.txt`, spell(lines)))
    ]));
}

const spell = lines => lines.map(line => `${line.level} ${line.message}\n`).join('');

// The first failure of a spec shows why; those that follow from it would write over its pages.
function keep(name, content) {
    try {
        writeFileSync(join(asked.folder, name), content, { flag: 'wx' });
    } catch {
        return;
    }
    say({ kind: 'file', name });
}

/** One browser, as labctl wants it; certificates are verified, whatever the suite thinks. */
function dress(wanted) {
    const options = wanted['goog:chromeOptions'] ?? {};
    const args = (options.args ?? []).filter(arg => !arg.startsWith('--ignore-certificate-errors'));
    const missing = asked.args.filter(arg => !args.some(other => other.split('=')[0] === arg.split('=')[0]));

    return {
        ...wanted,
        acceptInsecureCerts: false,
        'goog:chromeOptions': { ...options, binary: asked.chromium, args: [ ...args, ...missing ] },
        'goog:loggingPrefs': { browser: 'ALL' },
        'wdio:chromedriverOptions': { ...wanted['wdio:chromedriverOptions'], binary: asked.chromedriver }
    };
}

const dressAll = wanted => Array.isArray(wanted)
    ? wanted.map(one => one.browserName ? dress(one) : dressAll(one))
    : Object.fromEntries(Object.entries(wanted).map(
        ([ name, one ]) => [ name, { ...one, capabilities: dress(one.capabilities) } ]));

// The suite's reporters, and what it does when it is over, serve other readers of its results.
const { onComplete, onWorkerEnd, ...kept } = suite;

export const config = {
    ...kept,
    rootDir: dirname(asked.config),
    maxInstances: 1,
    specFileRetries: 0,
    capabilities: dressAll(suite.capabilities),
    reporters: [ [ LabctlReporter, {} ] ],
    afterTest: [ ...list(suite.afterTest), keepPages ],
    afterHook: [ ...list(suite.afterHook), keepPages ]
};
