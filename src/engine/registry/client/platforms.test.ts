import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Platform } from '../../../lib/oci/index.ts';
import { choosePlatform, normalised, parsePlatform } from './platforms.ts';

const of = (text: string): Platform => {
  const [os = '', architecture = '', variant] = text.split('/');
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
};
const say = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');

function chosen(wanted: string, offered: readonly string[]): string | undefined {
  const platform = choosePlatform(
    offered.map((text) => ({ platform: of(text) })),
    of(wanted),
  )?.platform;
  return platform === undefined ? undefined : say(platform);
}

describe('platforms', () => {
  it('have one name each', () => {
    const pairs = [
      ['linux/aarch64', 'linux/arm64'],
      ['linux/arm64/v8', 'linux/arm64'],
      ['linux/x86_64', 'linux/amd64'],
      ['linux/amd64/v1', 'linux/amd64'],
      ['linux/arm', 'linux/arm/v7'],
      ['linux/armel', 'linux/arm/v6'],
      ['linux/arm/7', 'linux/arm/v7'],
    ] as const;
    for (const [text, expected] of pairs) assert.equal(say(normalised(of(text))), expected);
  });

  it('are read from os, architecture or both', () => {
    assert.equal(say(parsePlatform('linux/arm/v6')), 'linux/arm/v6');
    assert.equal(say(parsePlatform('ARM64')), 'linux/arm64');
    assert.equal(parsePlatform('windows').os, 'windows');
    for (const text of ['', 'linux/', 'a/b/c/d', 'nosuch', 'linux/a b'])
      assert.throws(() => parsePlatform(text), { code: 'invalid-platform' });
  });

  it('run what is nearest', () => {
    const common = ['linux/386', 'linux/amd64', 'linux/arm/v5', 'linux/arm/v7', 'linux/arm64/v8', 'windows/amd64'];
    assert.equal(chosen('linux/amd64', common), 'linux/amd64');
    assert.equal(chosen('linux/arm64', common), 'linux/arm64/v8');
    assert.equal(chosen('linux/arm/v6', common), 'linux/arm/v5');
    assert.equal(chosen('linux/arm/v7', common), 'linux/arm/v7');
    assert.equal(chosen('linux/s390x', common), undefined);
    assert.equal(chosen('linux/amd64', ['linux/386']), 'linux/386');
    assert.equal(chosen('linux/amd64', ['linux/amd64/v3', 'linux/amd64/v2']), undefined);
    assert.equal(chosen('linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4']), 'linux/amd64/v2');
    assert.equal(chosen('linux/arm64', ['linux/arm/v7', 'unknown/unknown']), 'linux/arm/v7');
  });

  it('may be missing: such entries come last', () => {
    const amd64 = { platform: of('linux/amd64') };
    assert.equal(choosePlatform([{}, amd64], of('linux/amd64')), amd64);
    assert.deepEqual(choosePlatform([{}, amd64], of('linux/arm64')), {});
  });
});
