import {isErrno} from '../host/errno.js'
import type {Host} from '../host/host.js'
import {readLiveAnchor} from '../sandbox/anchor-state.js'
import {type Environment, listNames, openEnvironment} from '../store/environments.js'
import {EnvironmentNotFoundError, HistoryUnreadableError, RecordUnreadableError} from '../store/errors.js'
import {sweepLeftovers} from '../store/gc.js'
import {readGuestTree} from '../store/mounted-tree.js'
import {currentSizes, lastUse} from '../store/sizes.js'
import {sweepTrash} from '../store/trash.js'
import {sweepExports} from './export/abandoned.js'
import type {EnvironmentListResult} from './results.js'
import {sweepTries} from './try/keep.js'
import {type Mark, readMark} from './try/tries.js'

export type EnvironmentSummary = EnvironmentListResult[number]

/**
 * Lists every environment in the order of the names. A damaged environment is listed with the state `damaged`.
 *
 * @param options.all - Whether the list includes throwaway environments that have ended.
 */
export async function listEnvironments(host: Host, {all}: {all: boolean}): Promise<EnvironmentSummary[]> {
  await sweepTrash(host)
  await sweepExports(host)
  await sweepLeftovers(host)
  await sweepTries(host)
  const names = await listNames(host.paths)
  const found = (await Promise.all(names.map((name) => findOrDamaged(host, name)))).flat()
  const marks = await Promise.all(
    found.map((entry) => (typeof entry === 'string' ? undefined : readMark(host.paths, entry.name))),
  )
  const shown = found.flatMap((entry, index) => {
    const mark = marks[index]
    return all || mark?.hasEnded !== true ? [{entry, mark}] : []
  })
  const intact = shown.flatMap(({entry}) => (typeof entry === 'string' ? [] : [entry]))
  const sizes = await currentSizes(host, intact)
  return Promise.all(
    shown.map(async ({entry, mark}) => {
      if (typeof entry === 'string') return damagedSummary(entry)
      const {name, files, record} = entry
      const {sizeBytes, sharedBytes} = sizes[intact.indexOf(entry)] ?? UNKNOWN_SIZES
      return {
        name,
        state: stateOf(entry, mark),
        image: record.image.name ?? record.image.source,
        identity: record.identity,
        architecture: record.architecture,
        sizeBytes,
        sharedBytes,
        createdAt: record.createdAt,
        lastUsedAt: (await lastUse(files.folder)) ?? null,
      }
    }),
  )
}

function stateOf({files}: Environment, mark: Mark | undefined): EnvironmentSummary['state'] {
  if (mark !== undefined) return mark.hasEnded ? 'ended' : 'try'
  return readLiveAnchor(files.run) === undefined ? 'stopped' : 'running'
}

/** Returns the name alone of a damaged environment, and nothing for one that another command has just removed. */
async function findOrDamaged(host: Host, name: string): Promise<Environment | string | []> {
  try {
    const environment = await openEnvironment(host.paths, name)
    await readGuestTree(environment)
    return environment
  } catch (error) {
    if (error instanceof EnvironmentNotFoundError) return []
    const isDamaged = error instanceof RecordUnreadableError || error instanceof HistoryUnreadableError
    // A file that can't be read must not hide the other environments.
    if (isDamaged || isErrno(error)) return name
    throw error
  }
}

const UNKNOWN_SIZES = {sizeBytes: null, sharedBytes: null}

function damagedSummary(name: string): EnvironmentSummary {
  return {
    name,
    state: 'damaged',
    image: null,
    identity: null,
    architecture: null,
    ...UNKNOWN_SIZES,
    createdAt: null,
    lastUsedAt: null,
  }
}
