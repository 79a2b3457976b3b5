import {defineError, EnvsError, ExitCode} from '../errors.js'
import {
  accountName,
  findMappingObstacle,
  type MapperHost,
  type MappingObstacle,
  mappingRemedy,
  OBSTACLE_EVIDENCE,
  readSubidFiles,
  rootPrefixes,
  succeeds,
} from '../host/id-mapping.js'
import {oneOfField} from '../host/records.js'
import {findMapping, type KnowingHost, knownIdMapper, openTrial} from '../host/trials.js'
import {ToolMissingError} from './errors.js'

/**
 * The way the guest gets its user ids:
 * - `mapped`: from a subuid range; each id of the guest is an id of the host.
 * - `emulated`: all are the user's own id; changes of owner or id appear to succeed.
 */
export type Identity = 'mapped' | 'emulated'

/**
 * Returns an argv prefix for a program that sees the owners of a tree as the guest does.
 *
 * @throws {IdentityUnavailableError} When this host can no longer provide `mapped`.
 */
export async function treePrefix(identity: Identity, host: KnowingHost): Promise<readonly string[]> {
  if (identity === 'emulated') return []
  const mapper = await knownIdMapper(host)
  if (mapper === undefined) throw await unavailable(await findMappingObstacle(host, mapper), host.uid)
  return mapper.prefix
}

/**
 * Returns an argv prefix for a program that runs as root of a new user namespace of this identity.
 *
 * @throws As {@link treePrefix}, and {ToolMissingError}.
 */
export async function namespacePrefix(identity: Identity, host: KnowingHost): Promise<readonly string[]> {
  if (identity === 'mapped') return treePrefix(identity, host)
  requireUnshare(host)
  const [usual = []] = rootPrefixes(host)
  return (await findRootPrefix(host)) ?? usual
}

/** Returns whether this host makes user namespaces whose root has capabilities, for `emulated`. @throws {ToolMissingError} */
export async function canMakeRoot(host: KnowingHost): Promise<boolean> {
  requireUnshare(host)
  return (await findRootPrefix(host)) !== undefined
}

function requireUnshare({which}: Pick<MapperHost, 'which'>): string {
  const unshare = which('unshare')
  if (unshare === undefined) throw new ToolMissingError('unshare', 'util-linux')
  return unshare
}

/** The programs that make the namespace, in the order of {@link rootPrefixes}. */
const ROOT_MAKERS = ['unshare', 'bwrap'] as const

/**
 * Returns the first prefix whose program may mount; undefined if there is none. A success is remembered; a failure is tried again, so
 * that the next command notices a repaired host.
 */
async function findRootPrefix(host: KnowingHost): Promise<readonly string[] | undefined> {
  const unshare = requireUnshare(host)
  const prefixes = rootPrefixes(host)
  const trial = rootTrial(host)
  const known = trial?.recall()
  if (known !== undefined) return prefixes[ROOT_MAKERS.indexOf(known)]
  for (const [index, prefix] of prefixes.entries()) {
    if (!(await succeeds([...prefix, unshare, '--mount', '--', 'true']))) continue
    const maker = ROOT_MAKERS[index]
    if (maker !== undefined) await trial?.remember(maker)
    return prefix
  }
  return undefined
}

function rootTrial(host: KnowingHost) {
  if (host.paths === undefined) return undefined
  return openTrial(host, {cacheFolder: host.paths.cache, name: 'root', schema: oneOfField(ROOT_MAKERS)})
}

/**
 * Returns the identity for a new environment. An environment keeps it, because the owners on disk depend on it.
 *
 * @param setting - `auto` chooses `mapped` when its trial succeeds.
 * @throws {IdentityUnavailableError} When the setting is `mapped` and this host can't provide it.
 */
export async function chooseIdentity(setting: 'auto' | Identity, host: KnowingHost): Promise<Identity> {
  if (setting === 'emulated') return 'emulated'
  const probe = await findMapping(host)
  if (probe.works) return 'mapped'
  if (setting === 'auto') return 'emulated'
  throw await unavailable(probe.reason, host.uid)
}

async function unavailable(reason: MappingObstacle, uid: number): Promise<IdentityUnavailableError> {
  const facts = {user: accountName(), uid, ...(await readSubidFiles())}
  return identityUnavailableError(
    {evidence: OBSTACLE_EVIDENCE[reason]},
    {hints: [mappingRemedy(reason, facts)]},
  )
}

export class IdentityUnavailableError extends EnvsError {}

/** @public The user chose the identity `mapped`, and this host can't provide it. */
export const identityUnavailableError = defineError(
  'ENVS_IDENTITY_UNAVAILABLE',
  ExitCode.host,
  {
    message: 'This host cannot provide the identity mapped: {evidence}.',
    nextStep: 'Create an environment with the identity emulated instead: leave the setting identity at auto.',
  },
  IdentityUnavailableError,
)
