import type { Rooms } from './rooms.ts';
import { createRouter, type Router } from './router.ts';
import { buildRoutes } from './routes-build.ts';
import { commitRoutes } from './routes-commit.ts';
import { containerRoutes } from './routes-containers.ts';
import { execRoutes } from './routes-exec.ts';
import { fileRoutes } from './routes-files.ts';
import { imageRoutes } from './routes-images.ts';
import { lifecycleRoutes } from './routes-lifecycle.ts';
import { networkRoutes } from './routes-networks.ts';
import { ownBuildRoutes } from './routes-own-build.ts';
import { ownImageRoutes } from './routes-own-images.ts';
import { registryRoutes } from './routes-registry.ts';
import { statisticsRoutes } from './routes-statistics.ts';
import { streamRoutes } from './routes-streams.ts';
import { systemRoutes } from './routes-system.ts';
import { transferRoutes } from './routes-transfer.ts';
import { volumeRoutes } from './routes-volumes.ts';

/** All that the engine answers: Docker's endpoints, and those of Bascule beside them. */
export function apiRouter(rooms: Rooms): Router {
  return createRouter([
    ...systemRoutes(rooms),
    ...statisticsRoutes(rooms),
    ...imageRoutes(rooms),
    ...transferRoutes(rooms),
    ...registryRoutes(rooms),
    ...buildRoutes(rooms),
    ...ownBuildRoutes(rooms),
    ...ownImageRoutes(rooms),
    ...commitRoutes(rooms),
    ...containerRoutes(rooms),
    ...lifecycleRoutes(rooms),
    ...streamRoutes(rooms),
    ...execRoutes(rooms),
    ...fileRoutes(rooms),
    ...networkRoutes(rooms),
    ...volumeRoutes(rooms),
  ]);
}
