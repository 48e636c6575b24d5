import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { engineAddressOf, engineSocketOf } from './engine-address.ts';
import { getSetting, listSettings, readConfiguration, setSetting, unsetSetting } from './file.ts';
import { parseConfiguration } from './parse.ts';

const DEFAULTS = {
  engine: 'embedded',
  acme: { directory: 'https://acme-v02.api.letsencrypt.org/directory' },
  registry: {
    mirrors: {},
    insecure: [],
    rights: [],
    token: { service: 'bascule' },
    tls: {},
    read_only: false,
    storage: 'file-system',
    s3: { region: 'us-east-1', prefix: '' },
    share_engine: true,
    max_blob_bytes: 100e9,
    max_connections: 4_000,
    idle_seconds: 120,
    upload_hours: 24,
    grace_minutes: 60,
    garbage_collection_hours: 24,
  },
};
const FILE = '/srv/b/config.yaml';

describe('the configuration file', () => {
  it('fills in defaults where it says nothing', () => {
    for (const text of ['', '# only a comment\n', '{}\n'])
      assert.deepEqual(parseConfiguration(text, FILE).configuration, DEFAULTS);
  });

  const MISTAKES: readonly { text: string; says: string; fix: RegExp }[] = [
    { text: '# one\nengin: embedded\n', says: `${FILE}:2:1: unknown key "engin"`, fix: /Did you mean "engine"\?/ },
    { text: 'zzzzzz: 1\n', says: `${FILE}:1:1: unknown key "zzzzzz"`, fix: /The keys are: engine, acme, registry\./ },
    { text: 'engine: docker\n', says: `${FILE}:1:1: engine: that is not an engine's socket`, fix: /unix:\/\/\// },
    { text: 'engine: tcp://h:1\n', says: `${FILE}:1:1: engine: that is not an engine's socket`, fix: /unix:\/\/\// },
    { text: '- engine\n', says: `${FILE}:1:1: it is no list of \`key: value\``, fix: /docs\/cli\.md/ },
    {
      text: 'engine: embedded\nengine: embedded\n',
      says: `${FILE}:2:1: Map keys must be unique`,
      fix: /docs\/cli\.md/,
    },
  ];
  for (const { text, says, fix } of MISTAKES) {
    it(`tells file, line and what to do: ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseConfiguration(text, FILE), {
        code: 'config-invalid',
        kind: 'invalid',
        message: says,
        fix,
      });
    });
  }
});

describe('changes of the configuration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bascule-config-'));
  after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'root', 'config.yaml');

  it('makes the file readable by its owner only, and leaves nothing beside it', async () => {
    await setSetting(path, 'engine', 'unix:///run/other.sock');
    assert.equal(readFileSync(path, 'utf8'), 'engine: unix:///run/other.sock\n');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(folder, 'root')), ['config.yaml']);
  });

  it('keeps comments', async () => {
    writeFileSync(path, '# ours\nengine: embedded # for now\n');
    await setSetting(path, 'engine', '/run/other.sock');
    assert.equal(readFileSync(path, 'utf8'), '# ours\nengine: /run/other.sock # for now\n');
  });

  it('takes the command line before the environment before the file before the default', async () => {
    const asked = { engine: { value: 'unix:///asked', source: '--engine' } };
    const expected = { key: 'engine', value: '/run/other.sock', source: `${path}:2` };
    assert.deepEqual((await listSettings(path, asked))[0], { key: 'engine', ...asked.engine });
    assert.deepEqual((await listSettings(path, { engine: undefined }))[0], expected);
    assert.deepEqual(await getSetting(path, 'engine', {}), expected);
    assert.equal(await unsetSetting(path, 'engine'), true);
    assert.equal(await unsetSetting(path, 'engine'), false);
    assert.deepEqual(await getSetting(path, 'engine', {}), { key: 'engine', value: 'embedded', source: 'default' });
    assert.deepEqual(await readConfiguration(path), DEFAULTS);
  });

  it('sets keys within groups, and takes them away again', async () => {
    const rows = async (): Promise<readonly unknown[]> =>
      (await listSettings(path, {})).map(({ key, value }) => [key, value]);
    await setSetting(path, 'acme.email', 'ops@example.org');
    assert.deepEqual((await rows())[1], ['acme.email', 'ops@example.org']);
    assert.equal((await readConfiguration(path)).acme.email, 'ops@example.org');
    await assert.rejects(setSetting(path, 'acme.directory', 'http://plain.example.org'), { code: 'config-invalid' });
    assert.equal(await unsetSetting(path, 'acme.email'), true);
    assert.equal((await readConfiguration(path)).acme.email, undefined);
  });

  it('refuses what is no key and what a key does not take, and leaves the file as it was', async () => {
    const before = readFileSync(path, 'utf8');
    await assert.rejects(setSetting(path, 'engin', 'x'), { code: 'config-unknown-key', fix: /"engine"/ });
    await assert.rejects(setSetting(path, 'engine', 'docker'), { code: 'config-invalid', message: /"docker"/ });
    await assert.rejects(setSetting(path, 'engine', '5'), { code: 'config-invalid' });
    assert.equal(readFileSync(path, 'utf8'), before);
  });
});

describe('the address of an engine', () => {
  it('has one spelling', () => {
    assert.equal(engineAddressOf('/run/docker.sock'), 'unix:///run/docker.sock');
    assert.equal(engineAddressOf('unix:///run/docker.sock'), 'unix:///run/docker.sock');
    assert.equal(engineAddressOf('embedded'), 'embedded');
    assert.equal(engineSocketOf('/run/docker.sock'), '/run/docker.sock');
    assert.equal(engineSocketOf('embedded'), undefined);
  });

  it('is refused when it is none', () => {
    for (const text of ['', 'docker', 'tcp://h:1', 'unix://', 'unix://relative'])
      assert.throws(() => engineAddressOf(text), { code: 'invalid-engine', kind: 'invalid' });
  });
});
