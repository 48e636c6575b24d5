import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Certificate } from '../traffic.ts';
import { judge } from './replies.ts';
import {
  certificateFileOf,
  type ListEntry,
  type LiveCertificates,
  parseCertificateFiles,
  parseFingerprints,
  parseList,
  planCertificates,
  renderList,
} from './certificates.ts';

const where = { runDirectory: '/run/b', list: '/run/b/certificates.list' };
const anyCertificate = fc.record({
  name: fc.constantFrom('.own', 'a/web', 'b/web', 'b/api'),
  hosts: fc.uniqueArray(fc.constantFrom('a.test', 'b.test', '*.c.test'), { maxLength: 2 }),
  fingerprint: fc.constantFrom('AA', 'BB'),
});
const anyCertificates = fc
  .uniqueArray(anyCertificate, { selector: ({ name }) => name })
  .map((all) => all.map((each): Certificate => ({ ...each, pem: each.fingerprint, isDefault: false, notAfterMs: 0 })));

describe('certificates of a running proxy', () => {
  it('become the wanted ones, whatever there was; no host is without one that it has before and after', () => {
    fc.assert(
      fc.property(anyCertificates, anyCertificates, fc.boolean(), (before, after, isPending) => {
        const live = obey({ fingerprints: new Map(), entries: [] }, planned(before, EMPTY));
        const kept = before
          .filter(({ name, hosts }) => after.some((each) => each.name === name && each.hosts.join() === hosts.join()))
          .map(({ name }) => certificateFileOf(where.runDirectory, name));
        const begun = isPending ? { ...live, pending: '/run/b/certificates/x.pem' } : live;
        const ended = obey(begun, planned(after, begun), kept);
        assert.deepEqual(planned(after, ended), []);
        assert.deepEqual(
          new Set(ended.fingerprints.keys()),
          new Set(after.map(({ name }) => certificateFileOf('/run/b', name))),
        );
      }),
    );
  });

  it('stand in the list that the proxy starts with as in the one that it shows', () => {
    const one = { fingerprint: 'AA', pem: '', isDefault: false, notAfterMs: 0 };
    const text = renderList('/run/b', [
      { ...one, name: '.own', hosts: ['!*'] },
      { ...one, name: 'a/web', hosts: ['a.test', '*.c.test'] },
    ]);
    assert.equal(text, '/run/b/certificates/.own.pem [] !*\n/run/b/certificates/a~web.pem [] a.test *.c.test\n');
  });

  it('are read from what the proxy says', () => {
    const files = '# transaction\n*/run/b/x.pem\n# filename\n/run/b/a.pem\n/run/b/b.pem\n\n';
    assert.deepEqual(parseCertificateFiles(files), {
      files: ['/run/b/a.pem', '/run/b/b.pem'],
      pending: '/run/b/x.pem',
    });
    const shown =
      'Filename: /run/b/a.pem\nStatus: Used\nSHA1 FingerPrint: B749A8\n\nFilename: /run/b/b.pem\nStatus: Empty\n';
    assert.deepEqual(
      [...parseFingerprints(shown)],
      [
        ['/run/b/a.pem', 'B749A8'],
        ['/run/b/b.pem', ''],
      ],
    );
    const list =
      '# /run/b/certificates.list\n/run/b/a.pem:1 [] !*\n/run/b/b.pem:3 [] a.test *.w.test\n/run/b/c.pem:4\n';
    assert.deepEqual(parseList(list), [
      { file: '/run/b/a.pem', line: 1, hosts: '!*' },
      { file: '/run/b/b.pem', line: 3, hosts: 'a.test *.w.test' },
      { file: '/run/b/c.pem', line: 4, hosts: '' },
    ]);
  });

  it('answers to commands are judged by their words', () => {
    const DONE = [
      "New empty certificate store '/a.pem'!",
      'Transaction created for certificate /a.pem!',
      'Committing /a.pem..\nSuccess!',
      "Inserting certificate '/a.pem' in crt-list '/l'..\nSuccess!",
      "Entry '/a.pem' deleted in crtlist '/l'!",
      "Certificate '/a.pem' deleted!",
      "Transaction aborted for certificate '/a.pem'!",
    ];
    for (const text of DONE) assert.equal(judge(text).verdict, 'done', text);
    assert.equal(judge("Can't remove the certificate: certificate '/a.pem' doesn't exist!").verdict, 'absent');
    assert.equal(judge('The transaction must contain at least a certificate and a private key!').verdict, 'refused');
  });
});

const EMPTY: LiveCertificates = { fingerprints: new Map(), entries: [] };

function planned(wanted: readonly Certificate[], live: LiveCertificates): readonly string[] {
  return planCertificates(where, wanted, live).flat();
}

/** A proxy in small. `kept`: files that must stand in the list after every command. */
function obey(live: LiveCertificates, commands: readonly string[], kept: readonly string[] = []): LiveCertificates {
  const fingerprints = new Map(live.fingerprints);
  let entries: readonly ListEntry[] = live.entries;
  let line = Math.max(0, ...entries.map((entry) => entry.line));
  let pending: readonly [string, string] | undefined;
  for (const command of commands) {
    const [head = '', payload = ''] = command.split(' <<\n');
    const words = head.split(' ');
    const [file = ''] = words.slice(-1);
    if (head.startsWith('new ssl cert')) fingerprints.set(file, '');
    else if (head.startsWith('set ssl cert')) pending = [file, payload];
    else if (head.startsWith('commit ssl cert')) fingerprints.set(...pending!);
    else if (head.startsWith('del ssl cert')) {
      assert.ok(!entries.some((entry) => entry.file === file), 'in use');
      fingerprints.delete(file);
    } else if (head.startsWith('add ssl crt-list')) {
      const [name = '', , ...hosts] = payload.trim().split(' ');
      assert.ok(fingerprints.get(name), 'it is there already');
      entries = [...entries, { file: name, line: ++line, hosts: hosts.join(' ') }];
    } else if (head.startsWith('del ssl crt-list')) {
      entries = entries.filter((entry) => `${entry.file}:${entry.line}` !== file);
    } else assert.match(head, /^abort ssl cert/);
    for (const each of kept)
      assert.ok(
        entries.some((entry) => entry.file === each),
        `${each} is listed`,
      );
  }
  return { fingerprints, entries };
}
