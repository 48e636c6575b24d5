import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../lib/errors.ts';
import { resolveUser } from './users.ts';

const files = {
  passwd:
    '# comment\nroot:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/srv/web:/bin/sh\nbroken:x:a:b\nnohome:x:5:5:::\n',
  group: 'root:x:0:\nstaff:x:50:web,other\nwheel:x:10:root\nweb:x:1001:\n',
};
const resolve = (user: string, groupAdd: readonly string[] = []) => resolveUser(user, groupAdd, files);

describe('the user of a process', () => {
  it('is root where none is named, with its groups', () => {
    assert.deepEqual(resolve(''), { uid: 0, gid: 0, additionalGids: [0, 10], home: '/root' });
  });

  it('is found by name and by number, with group and supplementary groups', () => {
    const web = { uid: 1000, gid: 1001, additionalGids: [1001, 50], home: '/srv/web' };
    assert.deepEqual(resolve('web'), web);
    assert.deepEqual(resolve('1000'), web);
  });

  it('has only the group that was given, and those added', () => {
    assert.deepEqual(resolve('web:staff'), { uid: 1000, gid: 50, additionalGids: [50], home: '/srv/web' });
    assert.deepEqual(resolve('web:77', ['wheel', '99']).additionalGids, [77, 10, 99]);
  });

  it('may be a number that the image does not know', () => {
    assert.deepEqual(resolve('4242'), { uid: 4242, gid: 0, additionalGids: [0], home: '/' });
    assert.deepEqual(resolveUser('7:8', [], { passwd: '', group: '' }), {
      uid: 7,
      gid: 8,
      additionalGids: [8],
      home: '/',
    });
  });

  it('must be known when it is a name', () => {
    assert.throws(() => resolve('nobody'), /unable to find user nobody: no matching entries in passwd file/);
    assert.throws(() => resolve('web:none'), /unable to find group none/);
    assert.throws(() => resolve('99999999999'), UserError);
  });

  it('is found or refused whatever the files hold', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (user, passwd, group) => {
        try {
          const { uid, gid } = resolveUser(user, [], { passwd, group });
          assert.ok(uid >= 0 && gid >= 0 && uid <= 0x7fffffff && gid <= 0x7fffffff);
        } catch (error) {
          assert.ok(error instanceof UserError);
        }
      }),
    );
  });
});
