import {rm} from 'node:fs/promises'
import {isDeepStrictEqual} from 'node:util'
import {type DiffTarget, diffEnvironment, type EnvironmentDifference} from '../environments/diff.js'
import {renameEnvironment} from '../environments/rename.js'
import {runInEnvironment} from '../environments/session/run.js'
import {changeSettings} from '../environments/settings.js'
import {adoptSnapshots} from '../environments/snapshots/restore.js'
import type {Host} from '../host/host.js'
import {type EnvironmentName, findEnvironment} from '../store/environments.js'
import {readHistory, type Snapshot} from '../store/history.js'
import {shareLayerFolders} from '../store/layers.js'
import {holdLayers} from '../store/locks.js'
import {writeRecord} from '../store/record.js'
import type {ProjectEnvironment} from './environment.js'
import {changedByHandError, hookFailedError} from './errors.js'
import {type BaseState, endTry, type MakeHooks, makeBase, makeState} from './make.js'
import {type ProjectPlan, planEnvironment} from './plan.js'
import type {UpListResult} from './results.js'
import {mountPointsOf} from './session.js'
import {settingsOf} from './settings.js'

export type UpOptions = {
  readonly isSynced: boolean
  /** Whether the state replaces one with changes of its own, which a snapshot keeps. */
  readonly replaces: boolean
  /** Whether a running environment is stopped. */
  readonly force: boolean
  readonly keepsFailed: boolean
}

export type UpResult = UpListResult[number]

/** The time of the files of a project, where the image has none: 1 January 1980, the first one that zip can write. */
const FIRST_EPOCH = 315_532_800

/**
 * Makes an environment as the file wants it. Compares by keys, and builds nothing in the environment itself.
 *
 * @throws {@link changedByHandError} @throws {@link hookFailedError} @throws As `makeState` and `restoreSnapshot`.
 */
export async function bringUp(
  host: Host,
  planned: ProjectPlan,
  {options, hooks}: {readonly options: UpOptions; readonly hooks: MakeHooks},
): Promise<UpResult> {
  const {plan, base} = await withImage(host, planned, {options, hooks})
  const {environment, layers, action, baseKey} = plan
  const {name, table} = environment
  if (baseKey === undefined) throw new Error('the image is in the cache by now')
  const key = layers.at(-1)?.key ?? baseKey
  const shown = layers.map(({title, key: own}, index) => ({
    title,
    key: own,
    isKnown: index + 1 < plan.knownCount,
  }))
  const result = {name, table, key, layers: shown}
  const endBase = async () => void (base !== undefined && (await endTry(host, base)))
  if (action === 'none') {
    await endBase()
    await writeSettings(host, environment, key)
    return {...result, action, kept: null}
  }
  if (action === 'replace' && !options.replaces)
    await refuseChanged(host, plan, hooks).catch(async (error: unknown) => {
      await endBase()
      throw error
    })
  const {creation} = plan.image
  const making = {environment, baseKey, layers, creation, epoch: FIRST_EPOCH, ...options}
  const made = await makeState(host, making, {base, hooks})
  try {
    if (action === 'create') await publish(host, made.name, plan, key)
    const kept = action === 'create' ? null : await replace(host, made.name, {plan, key, options})
    if (action === 'create') await runHook(host, plan)
    return {...result, action: action === 'create' ? 'created' : 'replaced', kept}
  } finally {
    await made.end()
  }
}

type Begun = {readonly plan: ProjectPlan; readonly base: BaseState | undefined}

/** Creates an environment of an image that is not in the cache, and plans again: the keys stand on its digest. */
async function withImage(
  host: Host,
  plan: ProjectPlan,
  {options, hooks}: {readonly options: UpOptions; readonly hooks: MakeHooks},
): Promise<Begun> {
  if (plan.baseKey !== undefined) return {plan, base: undefined}
  const {environment, image} = plan
  const base = await makeBase(host, {creation: image.creation, isSynced: options.isSynced}, hooks)
  try {
    return {plan: await planEnvironment(host, environment, image, hooks), base}
  } catch (error) {
    await endTry(host, base)
    throw error
  }
}

/** Gives the throwaway environment its name, which makes it one that stays. */
async function publish(
  host: Host,
  made: EnvironmentName,
  {environment}: ProjectPlan,
  key: string,
): Promise<void> {
  const {files, record} = await findEnvironment(host.paths, made)
  const {name} = environment
  await rm(`${files.folder}/inputs`, {recursive: true, force: true})
  await writeRecord(files.record, {
    ...record,
    settings: {...record.settings, ...settingsOf(environment, key)},
  })
  await renameEnvironment(host, made, name)
}

type Replacement = {readonly plan: ProjectPlan; readonly key: string; readonly options: UpOptions}

/** Gives the environment the layers of the new state in one write, and keeps its former state. @returns The label of that one. */
async function replace(
  host: Host,
  made: EnvironmentName,
  {plan: {environment}, key, options}: Replacement,
): Promise<string> {
  const {name} = environment
  const {files} = await findEnvironment(host.paths, made)
  const held = await holdLayers(host.paths)
  try {
    const {snapshots} = await readHistory(files.history)
    const last = snapshots.at(-1)
    if (last === undefined) throw new Error('a made state has a snapshot')
    shareLayerFolders(host.paths.layers, last.layers)
    const all: readonly [...Snapshot[], Snapshot] = [...snapshots.slice(0, -1), last]
    const {isSynced, force} = options
    const {kept} = await adoptSnapshots(host, name, {
      snapshots: all,
      keptPrefix: 'before-up-',
      force,
      isSynced,
    })
    await writeSettings(host, environment, key)
    return kept
  } finally {
    held.release()
  }
}

/** Writes what is no layer: it holds from the next start on. Settings that the file does not name stay as they are. */
async function writeSettings(host: Host, environment: ProjectEnvironment, key: string): Promise<void> {
  const own = settingsOf(environment, key)
  const {record} = await findEnvironment(host.paths, environment.name)
  const changed = {...record.settings, ...own}
  if (isDeepStrictEqual(changed, record.settings)) return
  await changeSettings(host, environment.name, (settings) => ({...settings, ...own}))
}

/** Most paths that a refusal names. */
const MOST_NAMED = 5

/** @throws {@link changedByHandError} Where the environment has files that the new state would hide. */
async function refuseChanged(
  host: Host,
  {environment: {name, wish}}: ProjectPlan,
  {signal}: MakeHooks,
): Promise<void> {
  const {files, record} = await findEnvironment(host.paths, name)
  const {snapshots} = await readHistory(files.history)
  const made = snapshots.findLast(({projectKey}) => projectKey === record.settings.project?.key)
  const target: DiffTarget = made === undefined ? {kind: 'image'} : {kind: 'snapshot', label: made.label}
  const difference = await diffEnvironment(host, name, target, {listsAll: false, signal})
  const points = mountPointsOf(wish)
  const paths = changedPaths(difference).filter(
    (path) => !points.some((point) => `${point}/`.startsWith(`${path}/`)),
  )
  if (paths.length === 0) return
  const more = paths.length > MOST_NAMED ? [`and ${paths.length - MOST_NAMED} more`] : []
  const changes = [...paths.slice(0, MOST_NAMED), ...more]
  throw changedByHandError({name, changes, since: made?.label ?? ''})
}

/** Names what differs; the texts are the guest's. */
function changedPaths({packages, conffiles, files, users, groups}: EnvironmentDifference): string[] {
  const {added = [], removed = [], upgraded = [], downgraded = []} = packages ?? {}
  return [
    ...[...added, ...removed, ...upgraded, ...downgraded].map(({name}) => `package ${name}`),
    ...[...users, ...groups].map(({name}) => `account ${name}`),
    ...[...conffiles, ...files].map(({path}) => path),
  ]
}

async function runHook(host: Host, {environment: {name, wish}}: ProjectPlan): Promise<void> {
  const created = wish.hooks?.created
  if (created === undefined) return
  const session = {
    command: ['/bin/sh', '-eu', '-c', created],
    user: undefined,
    workingFolder: '/',
    volumes: [],
  }
  const variables = Object.entries(wish.env ?? {}).map(([key, value]) => `${key}=${value}`)
  const status = await runInEnvironment(host, name, {...session, variables, durable: 'auto'})
  if (status !== 0) throw hookFailedError({name, status})
}
