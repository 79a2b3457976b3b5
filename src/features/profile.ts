import {didYouMean, UsageError} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import {realFolders} from '../rootfs/mount-points.js'
import {
  CAPABILITIES,
  type Capability,
  capabilityNumbers,
  parseCapability,
} from '../sandbox/confinement/capabilities.js'
import {
  ISOLATED_PROCESSES,
  isolatedMounts,
  keptCapabilities,
  setsOfProfile,
  userNamespacesOf,
} from '../sandbox/confinement/confinement.js'
import {bootUnconfinedError, sessionFailedError, unlockedProfileError} from '../sandbox/errors.js'
import {type Mount, RESOLVER_MOUNT_POINT} from '../sandbox/mounts.js'
import type {SandboxSpec} from '../sandbox/spec.js'
import {treeFolders} from '../store/mounted-tree.js'
import {confinementOf} from '../store/record.js'
import type {SandboxFeature, StartContext} from './feature.js'

/** Takes from an environment, and from single sessions, what their profile and options exclude. */
export const profile: SandboxFeature = {
  id: 'profile',
  engines: ['bwrap', 'unshare'],
  session({request, filterSets}, {wish, record, confinement}) {
    const dropped = (wish.droppedCapabilities ?? []).flatMap(parseDropped)
    const kept = keptCapabilities(confinement, dropped)
    return {
      request: {
        ...request,
        ...(kept === undefined ? {} : {capabilities: capabilityNumbers(kept)}),
        ...(wish.isReadOnly === true ? {isReadOnly: true} : {}),
      },
      filterSets: [...filterSets, ...setsOfProfile(confinement.profile, record.architecture)],
    }
  },
  refuse({capabilities, isReadOnly}, {environment: {name}, engine}) {
    if (engine !== 'proot' || (capabilities === undefined && isReadOnly === undefined)) return
    throw sessionFailedError(
      {name, reason: 'proot cannot take capabilities from a session, or make its files read-only'},
      {suggestions: ['Leave --cap-drop and --read-only out.']},
    )
  },
  async apply(spec, {host, environment: {name, record}, tree}: StartContext) {
    const confinement = confinementOf(record)
    const kept = keptCapabilities(confinement)
    if (confinement.isReadOnly && spec.boot !== undefined) throw bootUnconfinedError({name})
    const memory = confinement.isReadOnly
      ? await realFolders(treeFolders(host.paths, tree), FOLDERS_IN_MEMORY)
      : []
    const confined: SandboxSpec = {
      ...spec,
      ...(confinement.isReadOnly
        ? {isRootReadOnly: true, mounts: [...spec.mounts, ...inMemory(memory)]}
        : {}),
      confinement,
      filterSets: [...spec.filterSets, ...setsOfProfile(confinement.profile, record.architecture)],
      ...(kept === undefined ? {} : {capabilities: kept}),
    }
    if (confinement.profile !== 'isolated') return confined
    if (spec.boot !== undefined) throw bootUnconfinedError({name})
    // The guest's root could take the covers off.
    if (spec.userNamespace.guest === 'only') throw unlockedProfileError({name})
    return {
      ...confined,
      mounts: isolatedMounts(confined.mounts),
      limits: {
        processes: ISOLATED_PROCESSES,
        userNamespaces: userNamespacesOf(confinement.profile, record.identity),
      },
    }
  },
}

/** Folders that programs write to while they run; with read-only files, they are empty at each start. */
const FOLDERS_IN_MEMORY = ['root', 'run', 'tmp', 'var/log', 'var/tmp']

function inMemory(folders: readonly string[]): Mount[] {
  return [
    ...folders.map((folder) => ({kind: 'tmpfs', at: `/${folder}`}) as const),
    ...(folders.includes('run') ? [RESOLVER_MOUNT_POINT, '/run/lock'] : []).map(
      (at) => ({kind: 'folder', at}) as const,
    ),
  ]
}

/** Parses the name of a capability, or `all`. @throws {UsageError} */
export function parseDropped(text: string): readonly Capability[] {
  if (text.toLowerCase() === 'all') return CAPABILITIES
  const capability = parseCapability(text)
  if (capability !== undefined) return [capability]
  throw new UsageError(`--cap-drop "${text}": there is no such capability.`, [
    ...didYouMean(nearestNames(text.toLowerCase().replace(/^cap_/, ''), CAPABILITIES)),
    'They are those of capabilities(7), such as net_raw, or all.',
  ])
}
