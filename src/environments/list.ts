import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {EnvironmentNotFoundError, RecordUnreadableError} from './errors.js'
import {sweepLeftovers} from './leftovers.js'
import {type Environment, findEnvironment, listNames} from './store.js'
import {currentUsage, lastUse} from './usage.js'

export type EnvironmentSummary = {
  readonly name: string
  /** `damaged`: its record can't be read; `envs rm` still removes it. */
  readonly state: 'running' | 'stopped' | 'damaged'
  readonly image: string | null
  readonly identity: 'mapped' | 'emulated' | null
  readonly sizeBytes: number | null
  readonly createdAt: Date | null
  readonly lastUsedAt: Date | null
}

/** Every environment by name. One that is damaged is told of, and hides no other. */
export async function listEnvironments(host: Host): Promise<EnvironmentSummary[]> {
  await sweepLeftovers(host)
  const names = await listNames(host.paths)
  const found = (await Promise.all(names.map((name) => findOrDamaged(host, name)))).flat()
  const sound = found.filter((entry): entry is Environment => typeof entry !== 'string')
  const usage = await currentUsage(host, sound)
  return Promise.all(
    found.map(async (entry) => {
      if (typeof entry === 'string') return damaged(entry)
      const {name, files, record} = entry
      return {
        name,
        state: readLiveAnchor(files.run) === undefined ? 'stopped' : 'running',
        image: record.image.source,
        identity: record.identity,
        sizeBytes: usage[sound.indexOf(entry)]?.sizeBytes ?? null,
        createdAt: record.createdAt,
        lastUsedAt: (await lastUse(files.folder)) ?? null,
      }
    }),
  )
}

/** The name alone of a damaged one; nothing for one that another command has just removed. */
async function findOrDamaged(host: Host, name: string): Promise<Environment | string | []> {
  return findEnvironment(host.paths, name).catch((error: unknown) => {
    if (error instanceof RecordUnreadableError) return name
    if (error instanceof EnvironmentNotFoundError) return []
    throw error
  })
}

function damaged(name: string): EnvironmentSummary {
  return {
    name,
    state: 'damaged',
    image: null,
    identity: null,
    sizeBytes: null,
    createdAt: null,
    lastUsedAt: null,
  }
}
