import type { ProjectSettings } from './project-settings.ts';
import type { Service } from './service.ts';

/**
 * The canonical Compose model: what `docker compose config --format json` prints, fully resolved.
 * Keys are Compose's own (snake_case); absent means "not given". Paths are absolute. Durations are Go's
 * notation (`1m30s`, see lib/duration.ts), byte sizes decimal strings of bytes, as Compose prints them.
 * Beside it stands `settings`: the validated `x-bascule` section with all defaults filled in.
 */
export interface Project {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, Network>>;
  readonly volumes: Readonly<Record<string, Volume>>;
  readonly configs: Readonly<Record<string, FileObject>>;
  readonly secrets: Readonly<Record<string, FileObject>>;
  readonly models: Readonly<Record<string, Model>>;
  /** `x-*` keys of the top level, as written (`x-bascule` included). */
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly settings: ProjectSettings;
  /** What the user should know, such as variables that are not set. */
  readonly warnings?: readonly string[];
}

/** A top-level config or secret: one of file, environment, content, or external. */
export interface FileObject {
  readonly name?: string;
  /** Absolute path. */
  readonly file?: string;
  readonly environment?: string;
  readonly content?: string;
  readonly external?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly driver?: string;
  readonly driver_opts?: Readonly<Record<string, string>>;
  readonly template_driver?: string;
}

export interface Network {
  /** The real name, `<project>_<key>` unless given. */
  readonly name: string;
  readonly driver?: string;
  readonly driver_opts?: Readonly<Record<string, string>>;
  readonly ipam: {
    readonly driver?: string;
    readonly options?: Readonly<Record<string, string>>;
    readonly config?: readonly IpamPool[];
  };
  readonly external?: boolean;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly enable_ipv4?: boolean;
  readonly enable_ipv6?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
}
export interface IpamPool {
  readonly subnet?: string;
  readonly gateway?: string;
  readonly ip_range?: string;
  readonly aux_addresses?: Readonly<Record<string, string>>;
}

export interface Volume {
  /** The real name, `<project>_<key>` unless given. */
  readonly name: string;
  readonly driver?: string;
  readonly driver_opts?: Readonly<Record<string, string>>;
  readonly external?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Model {
  readonly name?: string;
  readonly model: string;
  readonly [other: string]: unknown;
}
