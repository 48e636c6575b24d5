import { join } from 'node:path';
import type { Scope } from '../../lib/scope.ts';
import { attachName } from './argv.ts';

/** Where everything of one container is. */
export interface ContainerPaths {
  /** Survives a reboot. */
  readonly directory: string;
  readonly upper: string;
  readonly work: string;
  readonly log: string;
  /** Written by conmon. */
  readonly exitFile: string;
  /** On the run directory. */
  readonly bundle: string;
  readonly config: string;
  readonly root: string;
  readonly pidFile: string;
  readonly conmonPidFile: string;
  readonly attachSocket: string;
  /** conmon's fifo for the size of the terminal. */
  readonly control: string;
  readonly cgroup: string;
}

export interface RuntimePaths {
  readonly containers: string;
  readonly exits: string;
  readonly bundles: string;
  readonly sockets: string;
  /** Of runc. */
  readonly states: string;
  readonly crunStates: string;
  readonly steps: string;
  readonly execs: string;
  /** Places where parts of volumes are bound: `<id of the container>-…`. */
  readonly subpaths: string;
  readonly cgroupParent: string;
  of(id: string): ContainerPaths;
}

/** `directory` is `<root>/engine`. */
export function runtimePaths(scope: Scope, directory: string): RuntimePaths {
  const containers = join(directory, 'containers');
  const exits = join(directory, 'exits');
  const bundles = join(scope.runDirectory, 'containers');
  const sockets = join(scope.runDirectory, 'attach');
  const cgroupParent = scope.suffix === '' ? '/bascule' : `/bascule-${scope.suffix}`;
  return {
    containers,
    exits,
    bundles,
    sockets,
    states: join(scope.runDirectory, 'oci'),
    crunStates: join(scope.runDirectory, 'crun'),
    steps: join(scope.runDirectory, 'steps'),
    execs: join(scope.runDirectory, 'execs'),
    subpaths: join(scope.runDirectory, 'subpaths'),
    cgroupParent,
    of: (id) => {
      const own = join(containers, id);
      const bundle = join(bundles, id);
      return {
        directory: own,
        upper: join(own, 'upper'),
        work: join(own, 'work'),
        log: join(own, 'container.log'),
        exitFile: join(exits, id),
        bundle,
        config: join(bundle, 'config.json'),
        root: join(bundle, 'rootfs'),
        pidFile: join(bundle, 'pid'),
        conmonPidFile: join(bundle, 'conmon.pid'),
        attachSocket: join(sockets, attachName(id), 'attach'),
        control: join(bundle, 'ctl'),
        cgroup: `${cgroupParent}/${id}`,
      };
    },
  };
}
