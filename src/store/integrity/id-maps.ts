import * as v from 'valibot'
import {accountName, ownRanges, readSubidFiles} from '../../host/id-mapping.js'
import {systemCalls} from '../../host/machine/arch.js'
import {capture, requirePerl, scriptWords} from '../../host/process.js'
import {type KnowingHost, knownIdMapper, openTrial} from '../../host/trials.js'
import type {Environment} from '../environments.js'
import {idsChangedError, ownersNotShiftedError} from '../errors.js'
import {type IdMap, idMapSchema} from '../record.js'
import {toolPath} from '../tools.js'

type Block = IdMap['uids'][number]

/**
 * Returns the ids that this account's namespaces have now, as the kernel reports them; undefined where no range can be mapped.
 *
 * Cached until /etc/subuid, /etc/subgid or a program changes.
 */
export async function presentIdMap(host: KnowingHost): Promise<IdMap | undefined> {
  if (host.paths === undefined) return readIdMap(host)
  const {cache: cacheFolder} = host.paths
  const trial = openTrial(host, {cacheFolder, name: 'mapped-ids', schema: v.optional(idMapSchema)})
  return trial.once(() => readIdMap(host))
}

async function readIdMap(host: KnowingHost): Promise<IdMap | undefined> {
  const mapper = await knownIdMapper(host)
  if (mapper === undefined) return undefined
  const script = 'cat /proc/self/uid_map && echo - && cat /proc/self/gid_map'
  const {status, stdout} = await capture([...mapper.prefix, '/bin/sh', '-c', script])
  const [uids = '', gids = ''] = stdout.split('-\n')
  return status === 0 ? {uids: parseMap(uids), gids: parseMap(gids)} : undefined
}

/** @see user_namespaces(7) */
function parseMap(text: string): Block[] {
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+(\d+)$/gm)].map(([, inside, outside, count]) => ({
    inside: Number(inside),
    outside: Number(outside),
    count: Number(count),
  }))
}

/** Returns whether all ids of a recorded map still are the same ids of the host: a range may have grown. */
export function isSameMap(recorded: IdMap, present: IdMap): boolean {
  return (['uids', 'gids'] as const).every((kind) =>
    recorded[kind].every((block) => present[kind].some((other) => contains(other, block))),
  )
}

function contains(other: Block, {inside, outside, count}: Block): boolean {
  const offset = inside - other.inside
  return offset >= 0 && other.outside + offset === outside && offset + count <= other.count
}

type Subject = Pick<Environment, 'name'> & {readonly record: Pick<Environment['record'], 'identity' | 'ids'>}

/**
 * Refuses an environment whose owners on disk are ids that this account does not have any more: its files would belong to nobody.
 *
 * @throws {@link idsChangedError}
 */
export async function requireSameIds(host: KnowingHost, subject: Subject): Promise<void> {
  const changed = await findChangedIds(host, subject)
  if (changed !== undefined)
    throw idsChangedError({
      name: subject.name,
      recorded: describeMap(changed.recorded),
      present: describeMap(changed.present),
    })
}

export type ChangedIds = {readonly recorded: IdMap; readonly present: IdMap}

/** @returns undefined where the ids are the same, or not recorded: an older version of envs made the environment. */
export async function findChangedIds(host: KnowingHost, {record}: Subject): Promise<ChangedIds | undefined> {
  const {identity, ids: recorded} = record
  if (identity !== 'mapped' || recorded === undefined) return undefined
  const present = await presentIdMap(host)
  // Without a range, the command that needs one says so.
  return present === undefined || isSameMap(recorded, present) ? undefined : {recorded, present}
}

/** Returns the ranges of a map without the user's own id: `100000-165535`. */
export function describeMap({uids, gids}: IdMap): string {
  const [users, groups] = [uids, gids].map((blocks) =>
    rangesOf(blocks).map(({first, last}) => `${first}-${last}`),
  )
  return String(users) === String(groups) ? String(users) : `${users} for users and ${groups} for groups`
}

function rangesOf(blocks: readonly Block[]): {first: number; last: number}[] {
  return blocks
    .filter(({inside}) => inside > 0)
    .map(({outside, count}) => ({first: outside, last: outside + count - 1}))
}

/** Returns whether a map shares ids of the host with another one, so that one namespace can't have both. */
export function overlaps(one: IdMap, other: IdMap): boolean {
  return (['uids', 'gids'] as const).some((kind) =>
    rangesOf(one[kind]).some((a) =>
      rangesOf(other[kind]).some((b) => a.first <= b.last && b.first <= a.last),
    ),
  )
}

/** Returns the lines that give this account the ranges of a map again, for each of the two files; empty where it has them. */
export async function missingLines(
  {uid}: Pick<KnowingHost, 'uid'>,
  {uids, gids}: IdMap,
): Promise<{subuid: string[]; subgid: string[]}> {
  const account = {user: accountName(), uid}
  const {subuid, subgid} = await readSubidFiles()
  const missing = (text: string, blocks: readonly Block[]) =>
    rangesOf(blocks)
      .filter(
        ({first, last}) =>
          !ownRanges(text, account).some((own) => own.start <= first && last < own.start + own.count),
      )
      .map(({first, last}) => `${account.user ?? uid}:${first}:${last - first + 1}`)
  return {subuid: missing(subuid, uids), subgid: missing(subgid, gids)}
}

/** Above all ids of a range. In a namespace, the former ids are at this distance from the present ones. */
const DISTANCE = 2 ** 24

/**
 * Gives trees the present ids in place of the recorded ones, in a namespace that has both. Continues an interrupted call. No process
 * may use the trees.
 *
 * @param which - `folders` is enough to remove a tree, and changes no file that another one has a hard link to.
 * @throws {@link ownersNotShiftedError}
 */
export async function shiftOwners(
  host: KnowingHost & {readonly environment: Readonly<Record<string, string | undefined>>},
  trees: readonly string[],
  {recorded, present}: ChangedIds,
  which: 'all' | 'folders' = 'all',
): Promise<void> {
  const perl = requirePerl(host)
  const calls = systemCalls(host.architecture)
  const both = (kind: 'uids' | 'gids') =>
    [...present[kind], ...recorded[kind].filter(({inside}) => inside > 0).map(moved)]
      .flatMap(({inside, outside, count}) => [inside, outside, count])
      .join(',')
  const argv = [
    ...[...scriptWords(perl, 'namespaces/map-ids'), String(calls.unshare)],
    ...[toolPath(host, 'newuidmap'), both('uids'), toolPath(host, 'newgidmap'), both('gids')],
    ...[
      ...scriptWords(perl, 'files/shift-owners'),
      ...[calls.fchownat, calls.fsetxattr, DISTANCE].map(String),
    ],
    ...[which, ...trees],
  ]
  const {status, stderr} = await capture(argv, {cwd: '/', env: {...host.environment, LC_ALL: 'C'}})
  if (status !== 0) throw ownersNotShiftedError({reason: lastLine(stderr)})
}

function moved({inside, outside, count}: Block): Block {
  return {inside: inside + DISTANCE, outside, count}
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 400) || 'the program ended without a message'
}
