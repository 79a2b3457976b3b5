import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {Bench} from './invocation.js'

/** Options with which podman can run containers; empty if its defaults work. */
export type Way = {readonly cgroupManager?: 'cgroupfs'; readonly runtime?: 'runc' | 'crun'}

/**
 * Settings files that replace those of the host and of the caller, so that their containers are invisible and
 * untouched. Files, not options, because distrobox calls podman itself.
 */
export type PodmanSettings = {
  /** For every program that calls podman. */
  readonly variables: Readonly<Record<string, string>>
  /** @param driver - Storage driver of images; if undefined, podman chooses one, and warns at each call. */
  write(settings: {driver: string | undefined; way: Way}): Promise<void>
}

/** @param folder - An empty one, for the files and for podman's storage. */
export function podmanSettings(folder: string, {user}: Bench): PodmanSettings {
  const [storage, engine] = [join(folder, 'storage.conf'), join(folder, 'containers.conf')]
  const store = join(folder, 'store')
  return {
    variables: {
      CONTAINERS_STORAGE_CONF: storage,
      CONTAINERS_CONF_OVERRIDE: engine,
      // Otherwise each call on a host with cgroup v1 prints a warning first.
      PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
    },
    async write({driver, way}) {
      const isRoot = (user?.uid ?? process.getuid?.()) === 0
      const place = isRoot ? 'graphroot' : 'rootless_storage_path'
      const kept = {driver, [place]: store, runroot: join(folder, 'run')}
      const told = {tmp_dir: join(folder, 'tmp'), cgroup_manager: way.cgroupManager, runtime: way.runtime}
      await writeFile(storage, table('storage', kept))
      await writeFile(engine, table('engine', told))
    },
  }
}

export function describeWay({cgroupManager, runtime}: Way): string[] {
  return [
    ...(runtime === undefined ? [] : [runtime]),
    ...(cgroupManager === undefined ? [] : [cgroupManager]),
  ]
}

/** One table of TOML whose values are all strings. @see containers-storage.conf(5), containers.conf(5) */
function table(name: string, entries: Readonly<Record<string, string | undefined>>): string {
  const lines = Object.entries(entries)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
  return `[${name}]\n${lines.join('')}`
}
