/** A small project for scenarios: two web servers, a database on a volume, a worker. All of busybox. */
export interface WebProject {
  readonly port: number;
  readonly version: string;
  readonly isHealthy?: boolean;
  readonly replicas?: number;
  /** Between two health checks of an instance that is well; 300 ms when absent. */
  readonly checkedEvery?: string;
  /** More lines under `services.web`. */
  readonly web?: string;
}

export function webProject(project: WebProject): Readonly<Record<string, string>> {
  return {
    'compose.yaml': composeFile(project),
    'web/Dockerfile': `FROM busybox
RUN mkdir /www
COPY www /www
EXPOSE 8000
CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]
`,
    'web/www/index.html': `version=${project.version}\n`,
    'web/www/healthz': project.isHealthy === false ? 'no\n' : 'ok\n',
    'db/Dockerfile': `FROM busybox
VOLUME /data
CMD ["sh", "-c", "echo started >> /data/starts; exec httpd -f -p 9000 -h /data"]
`,
  };
}

function composeFile({ port, version, replicas, web, checkedEvery = '300ms' }: WebProject): string {
  return `name: scene
x-bascule:
  health_timeout: 8s
  drain: 5s
services:
  web:
    build: ./web
    ports: ["${port}:8000"]
    environment:
      VERSION: "${version}"
    depends_on:
      db:
        condition: service_healthy
    healthcheck:
      test: ["CMD-SHELL", "wget -q -O - http://127.0.0.1:8000/healthz | grep -q ok"]
      interval: ${checkedEvery}
      timeout: 2s
      retries: 3
      start_period: 1s
      start_interval: 300ms
    stop_grace_period: 2s
    deploy:
      replicas: ${replicas ?? 2}
${web ?? ''}
  worker:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; echo worker ${version} ready; while :; do wget -q -O- http://db:9000/starts >/dev/null; sleep 1; done"]
    stop_grace_period: 2s
    depends_on: [db]
  db:
    build: ./db
    volumes: ["data:/data"]
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9000/starts"]
      interval: ${checkedEvery}
      timeout: 2s
      retries: 10
      start_period: 1s
      start_interval: 300ms
    stop_grace_period: 2s
volumes:
  data:
`;
}
