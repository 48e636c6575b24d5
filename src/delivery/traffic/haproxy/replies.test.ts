import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  judge,
  numberIn,
  parseInfo,
  parseMap,
  parseNewVersion,
  parseServersState,
  parseStat,
  parseTable,
} from './replies.ts';

describe('answers of the runtime API', () => {
  it('are judged by what they say', () => {
    assert.equal(judge('\n\n').verdict, 'done');
    assert.equal(judge('New server registered.\n\n\n').verdict, 'done');
    assert.equal(judge('Server deleted.\n').verdict, 'done');
    assert.equal(judge('Already exists a server with the same name in backend.\n').verdict, 'exists');
    assert.equal(judge('No such server.\n').verdict, 'absent');
    assert.equal(judge('entry not found.\n').verdict, 'absent');
    assert.equal(judge('Key not found.\n').verdict, 'absent');
    assert.equal(judge('Server still has connections attached to it, cannot remove it.\n').verdict, 'busy');
    assert.equal(judge('Permission denied\n').verdict, 'refused');
  });

  it('of a line of commands are judged by the first that failed', () => {
    const reply = judge('New server registered.\n\nPermission denied\n\nNo such server.\n');
    assert.deepEqual(reply, { verdict: 'refused', line: 'Permission denied' });
  });

  it('of several `show stat` are read into rows', () => {
    const table = '# pxname,svname,scur,hrsp_5xx,\nlane-000,a,2,1,\nlane-000,BACKEND,3,,\n\n';
    const rows = parseStat(table + table.replaceAll('lane-000', 'lane-001'));
    assert.equal(rows.length, 4);
    assert.deepEqual(rows[0], { pxname: 'lane-000', svname: 'a', scur: '2', hrsp_5xx: '1' });
    assert.equal(numberIn(rows[1], 'hrsp_5xx'), 0);
    assert.equal(numberIn(rows[1], 'not-in-this-version'), 0);
    assert.equal(rows[3]?.['pxname'], 'lane-001');
  });

  it('of `show servers state` tell maintenance from being down', () => {
    const header =
      '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port';
    const row = (name: string, operational: number, administrative: number): string =>
      `5 lane-000 1 ${name} 127.0.5.1 ${operational} ${administrative} 1 1 1 6 3 2 6 0 0 0 - 9001 - 0 0 - - 0`;
    const servers = parseServersState(
      `1\n${header}\n${row('a', 2, 0)}\n${row('b', 0, 0)}\n${row('c', 0, 1)}\n${row('_1', 0, 5)}\n${row('_2', 2, 4)}\n\n`,
    );
    assert.deepEqual(
      servers.map(({ server, isUp, isInMaintenance }) => ({ server, isUp, isInMaintenance })),
      [
        { server: 'a', isUp: true, isInMaintenance: false },
        { server: 'b', isUp: false, isInMaintenance: false },
        { server: 'c', isUp: false, isInMaintenance: true },
        { server: '_1', isUp: false, isInMaintenance: true },
        { server: '_2', isUp: true, isInMaintenance: false },
      ],
    );
    assert.deepEqual([servers[0]?.address, servers[0]?.port], ['127.0.5.1', 9001]);
  });

  it('of maps, tables, info and new versions are read', () => {
    const entry = { reference: '0x55c32ab06470', value: 'lane-000' };
    assert.deepEqual(parseMap('0x55c32ab06470 shop/web/80 lane-000\n\n'), new Map([['shop/web/80', entry]]));
    const table = '# table: lane-errors, type: string, size:16384, used:1\n0x55: key=lane-000 use=0 exp=0 gpc0=12\n';
    assert.deepEqual(parseTable(table, 'gpc0'), new Map([['lane-000', 12]]));
    assert.equal(parseInfo('Name: HAProxy\nPid: 42\ndescription: bascule abc\n').get('description'), 'bascule abc');
    assert.equal(parseNewVersion('New version created: 7\n'), 7);
    assert.equal(parseNewVersion('Unknown map\n'), undefined);
  });
});
