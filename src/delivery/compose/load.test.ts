import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../lib/errors.ts';
import { loadText } from '../../../test/support/compose.ts';
import { renderProject } from './render.ts';

/** One service `web` with some lines, and more top-level lines. */
function web(lines: string, top = ''): string {
  return `name: p\nservices:\n  web:\n    image: x\n    ${lines.replaceAll('\n', '\n    ')}\n${top}`;
}

function refusal(load: () => unknown): UserError {
  try {
    load();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

test('an error says file, line, column, path, and what to do', () => {
  const error = refusal(() => loadText(web('ports:\n  - "8080:80"\n  - "80:x"')));
  assert.equal(error.message, 'compose.yaml:7:9: services.web.ports[1]: invalid container port "x"');
  assert.equal(error.code, 'compose-invalid');
  assert.equal(error.kind, 'invalid');
  assert.match(error.fix, /HOST:CONTAINER/);
  assert.deepEqual(error.details, { path: 'services.web.ports[1]', file: '/project/compose.yaml', line: 7, column: 9 });
});

test('bad input is refused with its place and a fix', () => {
  const table: readonly (readonly [string, RegExp, RegExp])[] = [
    ['', /^compose.yaml:1:1: the Compose file is empty/, /services/],
    ['[1]', /^compose.yaml:1:1: the top level must be a mapping, not a list/, /services/],
    ['services:\n\ta: 1', /^compose.yaml:2:1: not valid YAML/, /spaces/],
    ['services: {a: {image: x, image: y}}', /^compose.yaml:1:26: not valid YAML: Map keys must be unique/, /YAML/],
    ['services: {a: *x}', /^compose.yaml:1:15: .*[Uu]n.*alias/, /./],
    ['servces: {}', /^compose.yaml:1:1: servces: unknown key "servces"/, /"services"/],
    [web('enviroment: {}'), /^compose.yaml:5:5: services.web.enviroment: unknown key "enviroment"/, /"environment"/],
    [web('healthcheck: {intervall: 1s}'), /services.web.healthcheck.intervall: unknown key/, /"interval"/],
    [web('healthcheck: {interval: 5}'), /interval: must be a duration .*, not a number \(5\)/, /duration/],
    [web('mem_limit: 10x'), /^compose.yaml:5:16: services.web.mem_limit: must be a size/, /512m/],
    [web('cpus: many'), /services.web.cpus: must be a number of at least 0, not a string \(many\)/, /number/],
    [web('restart: sometimes'), /services.web.restart: must be no, always/, /unless-stopped/],
    [web('ports: ["80-82:90-91"]'), /the ranges 80-82 and 90-91 differ in length/, /8000-8002:80-82/],
    [
      web('networks: [bak]', 'networks: {back: }'),
      /^compose.yaml:5:16: services.web.networks.bak: there is no network "bak"/,
      /"back"/,
    ],
    [web('volumes: ["dta:/d"]', 'volumes: {data: }'), /services.web.volumes\[0\]: there is no volume "dta"/, /"data"/],
    [web('configs: [c]'), /services.web.configs\[0\]: there is no config "c"/, /configs: \{ c/],
    [web('secrets: [c]'), /services.web.secrets\[0\]: there is no secret "c"/, /secrets: \{ c/],
    [web('depends_on: [db]'), /services.web.depends_on.*: there is no service "db"/, /Add the service/],
    [web('depends_on: [web]'), /circle: web → web/, /Break/],
    [web('', 'configs: {c: {file: a, content: b}}'), /configs.c: file and content exclude each other/, /once/],
    [
      web('environment: ["A=${NO:?say it}"]'),
      /services.web.environment\[0\]: the required variable NO has no value: say it/,
      /\.env/,
    ],
    [web('environment: ["A=${NO"]'), /invalid interpolation in "A=\$\{NO"/, /\$\$/],
    [web('env_file: no.env'), /services.web.env_file.*: there is no file \/project\/no.env/, /required: false/],
    [web('command: "a | b"'), /cannot split the command: "\|" needs a shell/, /sh/],
    [web('container_name: one\nscale: 2'), /2 containers cannot share one name/, /container_name/],
    [web('mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}'), /contradict each other/, /one of the two/],
    [
      'services: {a: {user: x}}',
      /^compose.yaml:1:15: services.a: the service has neither an image nor a build/,
      /image/,
    ],
    [web('user: !foo x'), /unknown tag !foo/, /!reset/],
    ['a: &a [*a]', /contains itself/, /alias/],
  ];
  for (const [text, message, fix] of table) {
    const error = refusal(() => loadText(text));
    assert.match(error.message, message);
    assert.match(error.fix, fix);
    assert.equal(error.code, 'compose-invalid');
  }
});

test('two services cannot have one container name', () => {
  const text = 'services: {a: {image: x, container_name: one}, b: {image: x, container_name: one}}';
  assert.match(
    refusal(() => loadText(text)).message,
    /services.b.container_name: "one" is the name of service "a" already/,
  );
});

test('aliases that multiply are refused instead of filling the memory', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let n = 1; n < 9; n++)
    lines.push(`a${n}: &a${n} [${Array.from({ length: 10 }, () => `*a${n - 1}`).join(', ')}]`);
  assert.match(refusal(() => loadText(lines.join('\n'))).message, /too large after its aliases/);
});

test('anchors and merge keys work, the own keys win', () => {
  const project = loadText(`
x-base: &base {image: x, environment: {A: "1", B: "1"}}
x-more: &more {user: me, image: y}
services:
  web:
    <<: [*base, *more]
    environment: {B: "2"}
`);
  assert.deepEqual(project.services['web']?.environment, { B: '2' });
  assert.equal(project.services['web']?.image, 'x');
  assert.equal(project.services['web']?.user, 'me');
});

test('the name: -p, COMPOSE_PROJECT_NAME, name:, the folder', () => {
  const named = 'name: From-File!\nservices: {a: {image: "${COMPOSE_PROJECT_NAME}"}}';
  assert.equal(loadText(named).name, 'from-file');
  assert.equal(loadText(named).services['a']?.image, 'from-file');
  assert.equal(loadText(named, { environment: { COMPOSE_PROJECT_NAME: 'env' } }).name, 'env');
  assert.equal(loadText(named, { environment: { COMPOSE_PROJECT_NAME: 'env' }, projectName: 'given' }).name, 'given');
  assert.equal(loadText('services: {}').name, 'project');
  assert.match(refusal(() => loadText(named, { projectName: 'No!' })).message, /invalid project name "No!"/);
});

test('variables come from the caller, then from .env; env_file stands below environment', () => {
  const project = loadText(
    {
      'compose.yaml':
        'services: {web: {image: "x:$TAG-$WHO", env_file: [a.env], environment: {B: own, C: , D: "$NO"}}}',
      '.env': 'TAG=dotenv\nWHO=dotenv\nC=c',
      'a.env': 'A=${WHO}\nB=file',
    },
    { environment: { WHO: 'caller' } },
  );
  assert.equal(project.services['web']?.image, 'x:dotenv-caller');
  assert.deepEqual(project.services['web']?.environment, { A: 'caller', B: 'own', C: 'c', D: '' });
  assert.deepEqual(project.warnings, ['the variable NO is not set; it counts as empty']);
});

test('profiles choose services; a required dependency must be active', () => {
  const text = 'services: {a: {image: x}, b: {image: x, profiles: [debug], networks: [n]}}\nnetworks: {n: }';
  assert.deepEqual(Object.keys(loadText(text).services), ['a']);
  assert.deepEqual(Object.keys(loadText(text).networks), ['default']);
  assert.deepEqual(Object.keys(loadText(text, { profiles: ['debug'] }).services), ['a', 'b']);
  assert.deepEqual(Object.keys(loadText(text, { environment: { COMPOSE_PROFILES: 'x,debug' } }).services), ['a', 'b']);
  const needed = 'services: {a: {image: x, depends_on: [b]}, b: {image: x, profiles: [debug]}}';
  const error = refusal(() => loadText(needed));
  assert.match(error.message, /services.a.depends_on.*: "b" is not active/);
  assert.match(error.fix, /debug/);
});

test('include and extends bring their own folders with them', () => {
  const project = loadText({
    'compose.yaml':
      'include: [sub/inner.yaml]\nservices: {web: {extends: {file: sub/base.yaml, service: base}, environment: {B: "2"}}}',
    'sub/inner.yaml': 'services: {inner: {image: "i:$TAG", volumes: ["./d:/d"]}}',
    'sub/.env': 'TAG=inner',
    'sub/base.yaml': 'services: {base: {build: ., environment: [A=1, B=1], extends: root}, root: {user: me}}',
  });
  assert.equal(project.services['inner']?.image, 'i:inner');
  assert.deepEqual(project.services['inner']?.volumes, [
    { type: 'bind', source: '/project/sub/d', target: '/d', bind: { create_host_path: true } },
  ]);
  assert.deepEqual(project.services['web']?.build, { context: '/project/sub', dockerfile: 'Dockerfile' });
  assert.deepEqual(project.services['web']?.environment, { A: '1', B: '2' });
  assert.equal(project.services['web']?.user, 'me');
});

test('circles of include and extends are refused', () => {
  const include = { 'compose.yaml': 'include: [b.yaml]', 'b.yaml': 'include: [compose.yaml]' };
  assert.match(
    refusal(() => loadText(include)).message,
    /^b.yaml:1:11: include\[0\]: files include each other in a circle/,
  );
  const extending = 'services: {a: {extends: b}, b: {extends: a}}';
  assert.match(refusal(() => loadText(extending)).message, /services extend each other in a circle/);
});

test('any Compose-like file is loaded or refused with a user error', () => {
  const keys = [
    'image',
    'build',
    'ports',
    'volumes',
    'environment',
    'networks',
    'depends_on',
    'deploy',
    'healthcheck',
    'command',
  ];
  const more = [
    'extends',
    'ulimits',
    'configs',
    'labels',
    'x-bascule',
    'env_file',
    'extra_hosts',
    'logging',
    'tmpfs',
    'devices',
  ];
  const word = fc.oneof(
    fc.constantFrom('a', 'web', '80:80', './x:/y', 'A=1', '$A', '${A:-b}', '1m', '', '/x', '__proto__'),
    fc.string(),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      word,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      tie('list'),
      tie('map'),
    ),
    list: fc.array(tie('value'), { maxLength: 3 }),
    map: fc.dictionary(
      fc.oneof(fc.constantFrom(...keys, ...more, 'context', 'target', 'type', 'source', 'condition', 'file'), word),
      tie('value'),
      { maxKeys: 4 },
    ),
  }));
  const service = fc
    .dictionary(fc.constantFrom(...keys, ...more), value, { maxKeys: 4 })
    .map((lines) => ({ image: 'x', ...lines }));
  let loaded = 0;
  const top = fc.dictionary(fc.constantFrom('include', 'networks', 'volumes', 'configs', 'x-bascule', 'name'), value, {
    maxKeys: 2,
  });
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('web', 'a', 'b'), service), top, (services, rest) => {
      try {
        const project = loadText(JSON.stringify({ services, ...rest }));
        loaded += 1;
        const rendered = renderProject(project);
        assert.deepEqual(renderProject(loadText(JSON.stringify(rendered), { profiles: ['*'] })), rendered);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
    }),
    { numRuns: 800 },
  );
  assert.ok(loaded > 20, `only ${loaded} were loaded`);
});

test('any text is loaded or refused with a user error', () => {
  const piece = fc.constantFrom(
    'a',
    ':',
    ' ',
    '\n',
    '-',
    '[',
    ']',
    '{',
    '}',
    '*a',
    '&a ',
    '!x ',
    '"',
    "'",
    '#',
    '|',
    '>',
    '<<',
    '?',
    '$',
    '\t',
    '%',
    '---\n',
    'services:\n  web:\n    ',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        loadText(pieces.join(''));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
    }),
    { numRuns: 800 },
  );
});
