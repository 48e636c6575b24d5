/**
 * What a project's tests do with testcontainers, against the engine of `DOCKER_HOST`; prints what it saw as JSON. A
 * process of its own, since the library keeps the engine that it found first.
 * usage: testcontainers-job.ts CONTEXT
 */
import { buffer } from 'node:stream/consumers';
import { GenericContainer, Network, Wait } from 'testcontainers';

// The library lets go of its sockets: nothing else would keep the process while a log is read.
const alive = setInterval(() => {}, 60_000);
const network = await new Network().start();
const web = await new GenericContainer('busybox')
  .withNetwork(network)
  .withNetworkAliases('web')
  .withEnvironment({ WORD: 'hello' })
  .withCommand(['sh', '-c', 'echo $WORD > /index.html; exec httpd -f -p 80'])
  .withCopyContentToContainer([{ content: 'copied', target: '/copied' }])
  .withExposedPorts(80)
  .withWaitStrategy(Wait.forListeningPorts())
  .start();
const page = await (await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/`)).text();
const { output, exitCode } = await web.exec(['cat', '/copied']);
const image = await GenericContainer.fromDockerfile(process.argv[2] ?? '.').build('built:1', { deleteOnExit: false });
const once = await image.withNetwork(network).withWaitStrategy(Wait.forOneShotStartup()).start();
const said = (await buffer(await once.logs())).toString();
await once.stop();
await web.restart();
const again = await (await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/`)).text();
await web.stop();
await network.stop();
clearInterval(alive);
console.log(JSON.stringify({ page, output, exitCode, said, again }));
