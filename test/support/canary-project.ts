/** Web servers of busybox whose every answer is made by a script, so that a version can fail or be slow. */
export interface CanaryProject {
  readonly port: number;
  readonly version: string;
  /** Of 100 answers, so many are 500. */
  readonly failing?: number;
  /** Each answer takes so many seconds more. */
  readonly slowSeconds?: number;
  readonly replicas?: number;
  /** The keys of the top-level `x-bascule`, indented by two. */
  readonly settings?: string;
  /** More lines under `services.web`, indented by four. */
  readonly web?: string;
}

export function canaryProject(project: CanaryProject): Readonly<Record<string, string>> {
  return { 'compose.yaml': composeFile(project), 'web/Dockerfile': dockerfile(project), 'web/answer': answer(project) };
}

function composeFile({ port, version, replicas = 2, settings = '', web = '' }: CanaryProject): string {
  return `name: canary
x-bascule:
  health_timeout: 20s
  drain: 5s
${settings}
services:
  web:
    build: ./web
    environment: {VERSION: "${version}"}
    ports: ["${port}:8000"]
    stop_grace_period: 1s
    deploy: {replicas: ${replicas}}
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/well"]
      interval: 300ms
      retries: 10
${web}
`;
}

function dockerfile({ version }: CanaryProject): string {
  return `FROM busybox
RUN mkdir -p /www/cgi-bin && echo ok > /www/well && echo version=${version} > /www/index.html
COPY --chmod=755 answer /www/cgi-bin/answer
CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]
`;
}

function answer({ version, failing = 0, slowSeconds = 0 }: CanaryProject): string {
  return `#!/bin/sh
${slowSeconds > 0 ? `sleep ${slowSeconds}` : ''}
if [ $(( $(od -An -N2 -tu2 /dev/urandom) % 100 )) -lt ${failing} ]; then echo "Status: 500 Broken"; fi
echo "Content-Type: text/plain"
echo
echo "version=${version}"
`;
}
