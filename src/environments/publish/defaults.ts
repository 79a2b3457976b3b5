import {UsageError} from '../../errors.js'
import type {Host} from '../../host/host.js'
import {NO_MARKS} from '../../rootfs/diff/layer-marks.js'
import {openMergedTree} from '../../rootfs/diff/merged.js'
import type {Environment} from '../../store/environments.js'
import {readGuestTree, treeFolders} from '../../store/mounted-tree.js'
import type {RunFields} from './config-changes.js'

/** In this order, as Debian's images have it. */
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Returns the configuration of an image whose tree came without one: a shell as root. */
export async function defaultConfig(
  {paths}: Pick<Host, 'paths'>,
  environment: Pick<Environment, 'files' | 'record'>,
): Promise<RunFields> {
  const folders = treeFolders(paths, await readGuestTree(environment))
  const tree = openMergedTree(
    folders.map((folder) => ({folder, marks: NO_MARKS})),
    [...folders.keys()],
  )
  const hasBash = ['usr/bin', 'bin'].some(
    (folder) => tree.inFolder(folder, ({mode}) => mode('bash')) !== undefined,
  )
  return {Env: [PATH], Cmd: [hasBash ? '/bin/bash' : '/bin/sh']}
}

/**
 * Returns the time after which no file and no step of a reproducible image may be, in seconds since 1970.
 *
 * @throws {UsageError}
 * @see https://reproducible-builds.org/specs/source-date-epoch/
 */
export function sourceDateEpoch({environment}: Pick<Host, 'environment'>): number | undefined {
  const text = environment['SOURCE_DATE_EPOCH']
  if (text === undefined || text === '') return undefined
  if (/^\d{1,11}$/.test(text)) return Number(text)
  throw new UsageError(`SOURCE_DATE_EPOCH "${text}" is not a number of seconds since 1970.`)
}

/** Returns the time of a step in the form of the specification, not after `latest`. @see RFC 3339 */
export function stepTime(date: Date, latest: number | undefined): string {
  const ms = Math.min(date.getTime(), (latest ?? Number.POSITIVE_INFINITY) * 1000)
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
